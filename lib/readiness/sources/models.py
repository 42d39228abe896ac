"""The target's models, asked in the target's own interpreter: their DDL and what it cannot say."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from .. import scratch
from ..finding import NotMeasured, Reason
from ..target import Orm, Target, need
from . import program
from .sql_script import split
from .target_python import ask

SQLALCHEMY = Path(__file__).with_name("emit_ddl.py")
DJANGO = Path(__file__).with_name("emit_django.py")
LARGEST_SCRIPT = 100_000_000  # bytes that a command may print


def emit(target: Target) -> dict[str, Any]:
    """What the models say: schemas, tables, statements, columns, foreign_keys, tools (versions).

    Raises NotMeasured when the interpreter is not there, the module does not import, does not
    come back in time or gives no metadata, or the metadata holds no table.
    """
    orm = need(target.orm, "target.orm")
    if orm.command:
        return _printed(orm)
    script = SQLALCHEMY
    job: dict[str, Any] = {"metadata": orm.metadata}
    with ExitStack() as stack:
        if orm.django:
            known = conninfo_to_dict(stack.enter_context(scratch.database()))
            script, job = DJANGO, {"settings": orm.django, "database": known}
        emitted = ask(
            script,
            {"path": [part.value() for part in orm.path], "imports": orm.imports, **job},
            interpreter=need(orm.interpreter, "target.orm.interpreter"),
            environment=orm.environment,
            timeout_s=orm.timeout_s,
            about=orm.about,
            section="target.orm",
        )
    if not emitted["tables"]:
        raise NotMeasured(
            Reason.NO_SAMPLES,
            f"{orm.about} holds no table: name the modules that define the models under "
            "target.orm.imports",
        )
    return emitted


def _printed(orm: Orm) -> dict[str, Any]:
    """The DDL that a command prints; nothing is known beside it."""
    command = [part.value() for part in orm.command]
    with tempfile.TemporaryDirectory(prefix="readiness-ddl-") as folder:
        done = program.run(
            command,
            environment={name: value.value() for name, value in orm.environment.items()},
            timeout_s=orm.timeout_s,
            folder=Path(folder),
            kept=LARGEST_SCRIPT,
        )
    if done.returncode != 0:
        ended = (
            "did not end in time" if done.returncode is None else f"ended with {done.returncode}"
        )
        raise NotMeasured(
            Reason.UNREACHABLE, f"target.orm.command {ended} and so gave no DDL: try it by hand"
        )
    if len(done.output) >= LARGEST_SCRIPT:
        raise NotMeasured(Reason.INCONCLUSIVE, "target.orm.command prints more than is kept of it")
    lines = [line for line in done.output.splitlines() if not line.startswith("\\")]  # for psql
    found = [statement.text for statement in split("\n".join(lines)).statements]
    if not found:
        raise NotMeasured(Reason.NO_SAMPLES, "target.orm.command prints no statement")
    return {
        "schemas": [],
        "tables": len(found),
        "statements": found,
        "columns": [],
        "foreign_keys": [],
        "tools": {},
    }
