"""Running the commands with which the target takes and restores a backup."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from .. import postgresql
from ..finding import NotMeasured
from ..target import Target, need
from ..variables import Deferred
from .program import Done, run

CANNOT_BE_RUN = 126  # as a shell says it
KEPT_WORDS = 200  # characters of what a command said
QUOTING = re.compile(r"^(pg_restore: )?(DETAIL|CONTEXT|QUERY|LINE|Command was|STATEMENT)\b", re.I)
QUOTED_VALUE = re.compile(r': ".*"$')  # invalid input syntax for type integer: "..."
LIBPQ = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}


def run_command(
    target: Target, command: list[Deferred], variables: dict[str, str], folder: Path, file: Path
) -> dict[str, Any]:
    """Run one command of the target, which is told the database in ``variables``.

    Answers how it ended and how long it took; what it said is cut to its last line.
    """
    backup = need(target.backup, "target.backup")
    known = conninfo_to_dict(next(iter(variables.values())))
    words = {"file": str(file), "folder": str(file.parent), "database": str(known.get("dbname"))}
    arguments = [_filled(part.value(), words) for part in command]
    programs = str(postgresql.installation().bin)
    environment = {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "home"),
        "PATH": os.pathsep.join([programs, os.environ.get("PATH", os.defpath)]),
        **{LIBPQ[key]: str(value) for key, value in known.items() if key in LIBPQ},
        **variables,
        **{name: value.value() for name, value in backup.environment.items()},
    }
    where = backup.folder or (target.repository.path if target.repository else None)
    started = time.perf_counter()
    try:
        done = run(
            arguments,
            environment=environment,
            timeout_s=backup.timeout_s,
            folder=Path(where.value()) if where else folder / "home",
        )
    except NotMeasured as missing:
        if "/" not in arguments[0]:
            raise
        done = Done(CANNOT_BE_RUN, "", str(missing))  # the target's own script
    return {
        "command": " ".join(part.template for part in command),
        "exit": done.returncode,  # None: stopped at the time limit
        "seconds": round(time.perf_counter() - started, 3),
        "timeout_s": backup.timeout_s,
        "said": _last_words(done.errors) or _last_words(done.output),
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", value)
    return text


def _last_words(output: str) -> str:
    """The last line of a message that tells of an error, else the last; what PostgreSQL quotes of
    rows is left out."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    plain = [line for line in lines if not QUOTING.search(line)]
    telling = [line for line in plain if "error" in line.lower() or "fatal" in line.lower()]
    return QUOTED_VALUE.sub(': "…"', (telling or plain or [""])[-1])[:KEPT_WORDS]
