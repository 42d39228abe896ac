"""A rehearsal: the target's own backup taken, restored into a scratch database, and compared."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from .. import postgresql, scratch
from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Backup, Database, Target, need
from ..variables import Deferred, Secret
from .backup_command import run_command
from .backup_comparison import compared, joined, schema_differences
from .backup_file import cut_copy, describe, find, newest
from .contents import Table, counters, pin, tables
from .database import SCHEME, Session, session
from .init_sql import extension_missing

# Where the parameters name no commands.
PG_DUMP = ["pg_dump", "--format=custom", "--no-password", "--file={file}"]
PG_RESTORE = [
    "pg_restore",
    "--exit-on-error",
    "--single-transaction",
    "--no-password",
    "--dbname={database}",
    "{file}",
]
ROLES = "SELECT rolname AS name FROM pg_roles WHERE rolname !~ '^pg_' ORDER BY 1"
EXTENSIONS = "SELECT extname AS name FROM pg_extension"
AVAILABLE = "SELECT name FROM pg_available_extensions"


@source("write")
def rehearsal(target: Target) -> Collected:
    """Take a backup with the target's own command, restore it elsewhere, and compare.

    The target's database is read in a snapshot that is held while the backup runs, and again after
    it: rows that nobody touched in between must be in the restored database, too. A row a table;
    ``facts`` tells the steps, the file, and the differences of schema and sequences. Of the rows
    themselves nothing is kept but counts and checksums.
    """
    backup, ours = _with_commands(need(target.backup, "target.backup"))
    url = SCHEME.sub("postgresql://", backup.source_url.value())
    facts: dict[str, Any] = {
        "own_commands": ours,
        "stored": newest([pattern.value() for pattern in backup.stored]),
        "schema": [],
        "counters": [],
    }
    records: list[dict[str, Any]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="readiness-backup-")))
        for name in ("home", "dump"):
            (folder / name).mkdir(mode=0o700)
        before = stack.enter_context(_session(target, backup.source_url, "source_url"))
        server = _fitting_server(before, folder, stack)
        installation = server.installation
        by_text = _major(before.facts["server_version"]) != _major(installation.version)
        stack.enter_context(_snapshot(before))
        wanted = [t for t in tables(before, by_text=by_text) if not _ignored(t, backup)]
        counted = counters(before)
        named = folder / "dump" / "backup"
        dump = run_command(target, backup.dump, {backup.source_variable: url}, folder, named)
        file = find(named.parent, named)
        facts |= {"steps": [{"step": "dump", **dump}], "file": describe(file, installation)}
        if dump["exit"] == 0 and facts["file"]["bytes"] and file:
            restored_url = stack.enter_context(_empty_database(server, before))
            variables = {backup.target_variable: restored_url}
            restore = run_command(target, backup.restore, variables, folder, file)
            facts["steps"].append({"step": "restore", **restore})
            if restore["exit"] == 0:
                with (
                    _session(target, backup.source_url, "source_url") as after,
                    _session(target, Secret(restored_url, {}), "restore") as there,
                ):
                    records = compared(before, after, there, wanted)
                    facts |= schema_differences(before, there)
                    facts["counters"] = joined(counted, counters(after), counters(there))
                facts["steps"].append(_restore_cut(target, backup, server, before, file))
        tools = {
            "PostgreSQL of the target": str(before.facts["server_version"]),
            "PostgreSQL restored into": str(installation),
        }
    return Collected(records, facts, tools)


def _with_commands(backup: Backup) -> tuple[Backup, bool]:
    """The backup section, and whether the commands in it are ours because it names none."""
    if backup.dump or backup.restore:
        need(backup.dump, "target.backup.dump")
        need(backup.restore, "target.backup.restore")
        return backup, False
    plain = {"dump": PG_DUMP, "restore": PG_RESTORE}
    commands = {step: [Deferred(word, {}) for word in words] for step, words in plain.items()}
    return backup.model_copy(update=commands), True


@contextmanager
def _session(target: Target, url: Secret, key: str) -> Iterator[Session]:
    """A read-only session on a database of the rehearsal, patient enough for whole tables."""
    backup = need(target.backup, "target.backup")
    there = Database(url=url, statement_timeout_s=backup.timeout_s, schemas=["public"])
    try:
        with session(target.model_copy(update={"database": there})) as database:
            # Our snapshot of it stays open, and idle, while the backup runs.
            database.rows("SELECT set_config('idle_in_transaction_session_timeout', '0', false)")
            pin(database)
            yield database
    except NotMeasured as gap:
        said = str(gap).replace("target.database.url", f"target.backup.{key}")
        raise NotMeasured(gap.reason, said) from None


@contextmanager
def _snapshot(database: Session) -> Iterator[None]:
    """One state of the database for all queries of the block."""
    database.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with database.connection.transaction():
        database.rows("SELECT 1")
        yield


def _fitting_server(source: Session, folder: Path, stack: ExitStack) -> postgresql.Server:
    """A server of ours that can take what the target's backup holds; or NOT_MEASURED."""
    size = source.rows("SELECT pg_database_size(current_database()) AS bytes")[0]["bytes"]
    if shutil.disk_usage(folder).free < 2 * size:
        raise NotMeasured(
            Reason.INCONCLUSIVE,
            f"no room for a rehearsal: the database has {size / 1e9:.1f} GB, and dump and "
            f"restored copy need twice that below {tempfile.gettempdir()}",
        )
    ours = postgresql.installation()
    theirs = source.facts["server_version"]
    if _major(theirs) > _major(ours.version):
        raise NotMeasured(
            Reason.TOOL_MISSING,
            f"the target runs PostgreSQL {theirs}, and {ours} here can neither dump nor restore "
            "it: install that version",
        )
    server = scratch.server()
    roles = [row["name"] for row in source.rows(ROLES)]
    extensions = {row["name"] for row in source.rows(EXTENSIONS)}
    with psycopg.connect(server.url(), autocommit=True) as admin:
        known = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles").fetchall()}
        lacking = extensions - {name for (name,) in admin.execute(AVAILABLE).fetchall()}
    if lacking:
        raise extension_missing(sorted(lacking)[0], "the target's database")
    if set(roles) <= known:
        return server
    # Roles belong to a whole server: those of the target must not be there for other checks.
    own = stack.enter_context(postgresql.temporary())
    with psycopg.connect(own.url(), autocommit=True) as admin:
        for role in sorted(set(roles) - known):
            admin.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    return own


def _restore_cut(
    target: Target, backup: Backup, server: postgresql.Server, source: Session, file: Path
) -> dict[str, Any]:
    """Give the restore a file of which the second half is missing: it has to say so."""
    with (
        tempfile.TemporaryDirectory(prefix="readiness-backup-cut-") as folder,
        _empty_database(server, source) as url,
    ):
        (Path(folder) / "home").mkdir()
        cut = cut_copy(file, Path(folder) / "dump")
        variables = {backup.target_variable: url}
        step = run_command(target, backup.restore, variables, Path(folder), cut)
    return {"step": "restore of half the file", **step}


def _ignored(table: Table, backup: Backup) -> bool:
    names = (table.name, str(table))
    return any(fnmatchcase(name, pattern) for pattern in backup.ignore_tables for name in names)


def _major(version: str) -> int:
    return int(version.split(".")[0])


@contextmanager
def _empty_database(server: postgresql.Server, source: Session) -> Iterator[str]:
    """An empty database in the encoding of the source."""
    encoding = source.connection.info.parameter_status("server_encoding") or "UTF8"
    name = f"restored_{os.getpid()}_{time.monotonic_ns()}"
    identifier = sql.Identifier(name)
    locale = "C.UTF-8" if encoding == "UTF8" else "C"
    made = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}"
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(sql.SQL(made).format(identifier, encoding, locale, locale))
        try:
            yield server.url(name)
        finally:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


def steps(evidence: Evidence) -> Any:
    """A data frame: each command, how it ended and how long it took."""
    import pandas as pd

    columns = ["step", "command", "exit", "seconds", "said"]
    return pd.DataFrame(evidence.facts.get("steps", []), columns=columns)


def comparison(evidence: Evidence) -> Any:
    """A data frame: each table's rows in the source before and after, and in the restored copy."""
    import pandas as pd

    columns = ["table", "rows_before", "rows_after", "rows_restored", "rows_lost", "problem"]
    frame = pd.DataFrame(evidence.records, columns=columns)
    return frame.rename(columns={name: name.replace("_", " ") for name in columns}).fillna("—")


def differences(evidence: Evidence) -> Any:
    """A data frame: objects that differ in the restored copy, and sequences that fell behind."""
    import pandas as pd

    rows = [
        [row["kind"], row["table"], row["object"], row["source"], row["restored"]]
        for row in evidence.facts.get("schema", [])
    ]
    for row in evidence.facts.get("counters", []):
        if (row["restored"] or 0) < (row["before"] or 0):
            rows.append(["counter", "", row["name"], row["before"], row["restored"]])
    return pd.DataFrame(rows, columns=["kind", "table", "object", "source", "restored"])


def agreement_figure(evidence: Evidence) -> Any:
    """A figure: rows of each table in the source and in the restored copy."""
    import plotly.graph_objects as go

    if not evidence.records:
        return None
    figure = go.Figure()
    ordered = sorted(evidence.records, key=lambda record: record["rows_before"])[-30:]
    for column, name in (("rows_before", "source"), ("rows_restored", "restored")):
        figure.add_bar(
            x=[record[column] for record in ordered],
            y=[record["table"] for record in ordered],
            orientation="h",
            name=name,
        )
    figure.update_xaxes(title="rows")
    figure.update_yaxes(title="table")
    figure.update_layout(barmode="group", height=120 + 34 * max(1, len(ordered)))
    return figure
