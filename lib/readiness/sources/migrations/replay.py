"""Migrations replayed into a scratch database, and held against what the live one has applied."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from ... import scratch
from ...evidence import Collected, Evidence, source
from ...finding import NotMeasured, Reason
from ...target import Migrations, Target, need
from ...variables import Deferred
from .. import catalogue
from ..init_sql import PRIVILEGES, extension_missing
from ..sql_script import split
from ..target_python import ask
from .applied import TABLES, applied, number_of
from .found import NUMBERED, UNDO, search

Record = dict[str, Any]
HERE = Path(__file__).parent
STATEMENT_SECONDS = 60
MAKES_SCHEMA = re.compile(r"(?i)\bCREATE\s+SCHEMA\b")


@source("passive")
def replayed(target: Target) -> Collected:
    """The catalogue that the migrations make in a scratch database, from nothing.

    ``facts`` say which tool there is (null: none), its revisions, heads, what the live database
    has applied, what is pending there or unknown to the repository, and why a replay failed.
    """
    setup, facts = _setup(target)
    if setup is None:
        return Collected([], facts)
    schemas = target.database.schemas if target.database else ["public"]
    table = TABLES.get(setup.tool, setup.table)
    kept = applied(target, table)
    with scratch.database() as url:
        given = _asked_of(setup, target, url)
        scripts = given.pop("scripts")
        failed, records = given.pop("failed"), []
        if setup.replays:
            failed = failed or _load(url, scripts, schemas[0])
            records = [] if failed else _read(url, schemas)
    facts["from"] = (setup.base or "nothing") if setup.replays else None
    if failed and (base := _beginning(setup, target)):
        # Not from nothing; then perhaps on top of the script that a new database starts from.
        with scratch.database() as url:
            if not _load(url, [base, *scripts], schemas[0]):
                failed, records, facts["from"] = None, _read(url, schemas), base[0]
    tools = {"PostgreSQL": str(scratch.server().installation), **given.pop("tools")}
    facts |= {"tool": setup.tool, "table": table, "failed": failed, **given}
    facts |= _held_against(kept, given, setup.tool)
    ignored = target.database.ignore_tables if target.database else []
    return Collected(catalogue.without_ignored(records, ignored), facts, tools)


def _read(url: str, schemas: Sequence[str]) -> list[Record]:
    with psycopg.connect(url, autocommit=True) as connection:
        return catalogue.read(connection, schemas)


def _beginning(setup: Migrations, target: Target) -> tuple[str, str] | None:
    """init.sql, where numbered files may start from it."""
    repository = target.repository
    if setup.tool != "sql" or setup.base or repository is None or repository.init_sql is None:
        return None
    return repository.init_sql, _text(repository.folder / repository.init_sql)


def revisions(replayed: Evidence) -> Any:
    """The revisions to look at, with what the live database says of each; or why there are none."""
    if replayed.problem:
        return f"No migrations: {replayed.problem.message}"
    facts = replayed.facts
    if facts["tool"] is None:
        return f"No migration tool was found in {facts['files']:,} files of the repository."
    pending = set(facts["pending"])
    rows = [
        {
            "revision": one["revision"],
            "what": one["name"],
            "live database": "pending" if one["revision"] in pending else "applied",
            "can be undone": "yes" if one["undo"] else "no",
        }
        for one in facts["revisions"]
    ]
    rows += [
        {"revision": one, "what": "", "live database": "applied, not in the repository"}
        for one in facts["unknown"]
    ]
    return rows


def _setup(target: Target) -> tuple[Migrations | None, Record]:
    """How to replay, from the parameters or as found in the repository: Alembic by the interpreter
    that has the models."""
    if target.migrations:
        return target.migrations, {"found": "target.migrations"}
    repository = need(target.repository, "target.repository (or target.migrations)")
    if not repository.folder.is_dir():
        raise NotMeasured(Reason.UNREACHABLE, f"target.repository.path is no folder: {repository}")
    found = search(repository.folder)
    if found.folder:
        where = str(found.folder.relative_to(repository.folder))
        return Migrations(tool="sql", folder=Deferred(where, None)), {"found": where}
    if list(found.signs.values()) == ["Alembic"] and target.orm and target.orm.interpreter:
        (where,) = found.signs
        setup = Migrations(
            tool="alembic",
            folder=Deferred(str(Path(where).parent), None),
            interpreter=target.orm.interpreter,
            path=target.orm.path,
            environment=target.orm.environment,
        )
        return setup, {"found": where}
    if found.signs:
        said = ", ".join(f"{path} ({tool})" for path, tool in sorted(found.signs.items())[:4])
        raise NotMeasured(
            Reason.NO_PARAMETER,
            f"the repository seems to migrate by {said}: describe it under target.migrations",
        )
    if not found.files:
        raise NotMeasured(Reason.NO_SAMPLES, "the repository holds no file")
    return None, {"tool": None, "files": found.files, "script": repository.init_sql}


def _folder(setup: Migrations, target: Target) -> Path | None:
    if setup.folder is None:
        return None
    given = Path(setup.folder.value())
    if given.is_absolute():
        return given
    return need(target.repository, "target.repository").folder / given


def _asked_of(setup: Migrations, target: Target, url: str) -> Record:
    """What the repository has: revisions, heads, the scripts that make the schema, and why they
    cannot be had (``failed``). Django makes the schema in the scratch database by itself."""
    folder = _folder(setup, target)
    if setup.tool == "sql":
        assert folder
        return _numbered(folder, setup, target)
    if setup.tool == "django":
        known: Record = {"settings": setup.settings, "database": conninfo_to_dict(url)}
        return {"failed": None, "scripts": [], **_answer("django", setup, known)}
    ini = str(folder / "alembic.ini") if folder else None
    job: Record = {"ini": ini, "script_location": setup.script_location, "upgrade": setup.replays}
    given = {"failed": None, **_answer("alembic", setup, job)}
    text = given.pop("sql")
    return {**given, "scripts": [("alembic upgrade --sql", text)] if text else []}


def _answer(tool: str, setup: Migrations, job: Record) -> Record:
    assert setup.interpreter
    return ask(
        HERE / f"ask_{tool}.py",
        {"path": [part.value() for part in setup.path], **job},
        interpreter=setup.interpreter,
        environment=setup.environment,
        timeout_s=setup.timeout_s,
        about=f"the migrations of {tool.title()}",
        section="target.migrations",
    )


def _numbered(folder: Path, setup: Migrations, target: Target) -> Record:
    if not folder.is_dir():
        raise NotMeasured(Reason.UNREACHABLE, f"target.migrations.folder is no folder: {folder}")
    files = sorted(
        (path for path in folder.iterdir() if NUMBERED.match(path.name)),
        key=lambda path: (number_of(path.name), path.name),
    )
    steps = [path for path in files if not UNDO.search(path.name)]
    undone = {number_of(path.name) for path in files if UNDO.search(path.name)}
    if not steps:
        raise NotMeasured(Reason.NO_SAMPLES, f"{folder.name} holds no numbered migration")
    base: list[Path] = []
    if setup.base:
        base.append(need(target.repository, "target.repository").folder / setup.base)
    numbers = [number_of(path.name) for path in steps]
    twice = [path.name for path in steps if numbers.count(number_of(path.name)) > 1]
    return {
        "revisions": [
            {"revision": path.name, "name": "", "undo": number_of(path.name) in undone}
            for path in steps
        ],
        "heads": twice or [steps[-1].name],
        "scripts": [(path.name, _text(path)) for path in [*base, *steps]],
        "failed": None,
        "tools": {},
    }


def _held_against(kept: Sequence[str] | None, given: Record, tool: str) -> Record:
    """What is pending in the live database, and what it has that the repository has not."""
    known = [one["revision"] for one in given["revisions"]]
    if kept is None:
        return {"applied": None, "pending": known, "unknown": []}
    if tool == "sql":
        there, here = {number_of(one) for one in kept}, {number_of(one) for one in known}
        pending = [one for one in known if number_of(one) not in there]
        unknown = [one for one in kept if number_of(one) not in here]
    elif tool == "alembic":  # the table holds the heads only
        pending = [one for one in given["heads"] if one not in kept]
        unknown = [one for one in kept if one not in known]
    else:
        pending = [one for one in known if one not in kept]
        unknown = [one for one in kept if one not in known]
    return {"applied": list(kept), "pending": pending, "unknown": unknown}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as broke:
        raise NotMeasured(Reason.UNREACHABLE, f"{path.name} cannot be read: {broke}") from None


def _load(url: str, scripts: Sequence[tuple[str, str]], schema: str) -> str | None:
    """Load the scripts one after the other; the first error, by file and line."""
    options = f"-c statement_timeout={STATEMENT_SECONDS}s"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        if schema != "public":
            place = sql.Identifier(schema)
            if not any(MAKES_SCHEMA.search(text) for _, text in scripts):
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(place))
            connection.execute(sql.SQL("SET search_path TO {}, public").format(place))
        for name, text in scripts:
            for statement in split(text).statements:
                if PRIVILEGES.match(statement.text):
                    continue  # roles are the platform's, and change nothing that is compared
                try:
                    connection.execute(statement.text.encode())
                except psycopg.Error as broke:
                    said = broke.diag.message_primary or str(broke)
                    if statement.head.upper().startswith("CREATE EXTENSION"):
                        raise extension_missing(said, name) from None
                    return f"{name}, line {statement.line} ({statement.head}): {said}"
    return None
