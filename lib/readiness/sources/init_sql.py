"""``init.sql``: loaded into an empty scratch database, and loaded again, statement by statement."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import make_conninfo

from .. import postgresql, scratch
from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Target, need
from . import program
from .sql_script import Script, Statement, split

Outcome = dict[str, Any]  # line, statement, error (None when it went well), sqlstate
# What belongs to the whole server and not to one database: such a script gets a server of its own.
CLUSTER_WIDE = re.compile(
    r"\b(CREATE|ALTER|DROP)\s+(ROLE|USER|GROUP|DATABASE|TABLESPACE|SYSTEM)\b|\\c(onnect)?\b", re.I
)
PRIVILEGES = re.compile(
    r"\s*(GRANT|REVOKE|REASSIGN|SET\s+ROLE|SET\s+SESSION\s+AUTHORIZATION|ALTER\s+DEFAULT"
    r"\s+PRIVILEGES|ALTER\s.*\sOWNER\s+TO\s)",
    re.I | re.S,
)
# What would run a program of the script's choice on the auditor's machine.
RUNS_PROGRAMS = re.compile(r"^\s*\\!|\bPROGRAM\s+'|^\s*\\(o|g|copy\b.*program)\s*\|", re.I | re.M)
STATEMENT_SECONDS = 60
PSQL_SECONDS = 300
PSQL_ERROR = re.compile(r"^psql:(.*?):(\d+): (?:ERROR|FATAL):\s+(.*)$")
PSQL_LINE = re.compile(r"^LINE (\d+): ")
ABORTED = errors.InFailedSqlTransaction.sqlstate


@dataclass(frozen=True)
class InitSql:
    path: Path
    name: str  # as the parameters call it
    text: str
    script: Script


def read_script(target: Target) -> InitSql:
    """The target's ``init.sql``; raises NotMeasured when there is none or nothing in it."""
    repository = need(target.repository, "target.repository")
    name = need(repository.init_sql, "target.repository.init_sql")
    path = repository.folder / name
    try:
        text = path.read_bytes().decode("utf-8-sig", errors="surrogateescape")
    except OSError as broke:
        raise NotMeasured(Reason.UNREACHABLE, f"{name} cannot be read: {broke.strerror}") from None
    script = split(text)
    if not script.statements and not script.meta_commands:
        raise NotMeasured(Reason.NO_SAMPLES, f"{name} holds no statement")
    if RUNS_PROGRAMS.search(text):
        raise NotMeasured(
            Reason.NOT_PERMITTED,
            f"{name} runs programs of its own (\\! or PROGRAM), which the audit does not",
        )
    return InitSql(path, name, text, script)


@source("passive")
def loading(target: Target) -> Collected:
    """Each statement of ``init.sql`` when loaded into an empty database (pass 1) and again (2).

    A statement is told by its line and its first words; what it says may be secret.
    """
    given = read_script(target)
    records: list[dict[str, Any]] = []
    with _empty_database(given, target.repository.init_roles if target.repository else []) as url:
        first, _ = _load(given, url)
        records += [{"pass": 1, **outcome} for outcome in first]
        if not any(outcome["error"] for outcome in first):
            records += [{"pass": 2, **outcome} for outcome in _load(given, url)[0]]
    facts = {
        "script": given.name,
        "statements": len(given.script.statements),
        "loaded_by": "psql" if given.script.needs_psql else "psycopg",
        "roles_assumed": target.repository.init_roles if target.repository else [],
    }
    return Collected(records, facts, {"PostgreSQL": str(postgresql.installation())})


def failures(loading: Evidence) -> Any:
    """A data frame: the statements that failed, with the pass, the line and the message."""
    import pandas as pd

    columns = ["pass", "line", "statement", "error", "sqlstate"]
    rows = [r for r in loading.records if r["error"]]
    return pd.DataFrame(rows, columns=columns)


@contextmanager
def loaded(
    given: InitSql, target: Target, without_privileges: bool = False
) -> Iterator[tuple[str, list[Outcome]]]:
    """An empty database with the script loaded into it: its URL and each statement's outcome.

    Raises NotMeasured when the scratch server lacks an extension the script asks for.
    """
    roles = target.repository.init_roles if target.repository else []
    schemas = target.database.schemas if target.database else ["public"]
    with _empty_database(given, roles) as url:
        outcomes, name = _load(given, url, schemas, without_privileges)
        yield make_conninfo(url, dbname=name) if name else url, outcomes


@contextmanager
def _empty_database(given: InitSql, roles: Sequence[str]) -> Iterator[str]:
    if not roles and not CLUSTER_WIDE.search(given.text):
        with scratch.database() as url:
            yield url
        return
    with postgresql.temporary() as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            for role in roles:
                admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            admin.execute("CREATE DATABASE init")
        yield server.url("init")


def _load(
    given: InitSql, url: str, schemas: Sequence[str] = (), without_privileges: bool = False
) -> tuple[list[Outcome], str | None]:
    """The outcomes, and the database that the script ended in where it is another one."""
    if given.script.needs_psql:
        return _load_with_psql(given, url)
    outcomes = []
    options = f"-c statement_timeout={STATEMENT_SECONDS}s"
    with psycopg.connect(url, autocommit=True, options=options) as connection:
        if (
            schemas
            and schemas[0] != "public"
            and not re.search(r"(?i)\bCREATE\s+SCHEMA", given.text)
        ):
            name = sql.Identifier(schemas[0])
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
            path = sql.SQL("ALTER DATABASE {} SET search_path TO {}, public")
            connection.execute(path.format(sql.Identifier(connection.info.dbname), name))
            connection.execute(sql.SQL("SET search_path TO {}, public").format(name))
        for statement in given.script.statements:
            if without_privileges and PRIVILEGES.match(statement.text):
                continue
            outcomes.append(_outcome(connection, statement))
            if connection.closed:
                break
        status = connection.info.transaction_status
    if status != psycopg.pq.TransactionStatus.IDLE and not any(o["error"] for o in outcomes):
        line = given.script.statements[-1].last_line
        said = "the script ends inside a transaction, so nothing of it is kept: no COMMIT"
        outcomes.append({"line": line, "statement": "", "error": said, "sqlstate": None})
    return outcomes, None


def _outcome(connection: psycopg.Connection[Any], statement: Statement) -> Outcome:
    outcome: Outcome = {"line": statement.line, "statement": statement.head}
    outcome |= {"error": None, "sqlstate": None}
    try:
        connection.execute(statement.text.encode("utf-8", errors="surrogateescape"))
    except psycopg.Error as broke:
        said = broke.diag.message_primary or str(broke)
        _no_fault_of_the_script(broke, said, statement)
        if position := broke.diag.statement_position:
            outcome["line"] += statement.text.count("\n", 0, int(position) - 1)
        outcome |= {"error": _masked(said, broke.sqlstate), "sqlstate": broke.sqlstate}
    return outcome


def _no_fault_of_the_script(broke: psycopg.Error, said: str, statement: Statement) -> None:
    """Raise NotMeasured for what only the scratch server lacks."""
    if statement.head.upper().startswith("CREATE EXTENSION") and isinstance(
        broke, errors.FeatureNotSupported | errors.UndefinedFile
    ):
        name = re.search(r'extension "([^"]+)"|extension/([\w-]+)\.control', said)
        raise extension_missing((name and (name[1] or name[2])) or said, "init.sql")
    if isinstance(broke, errors.QueryCanceled):
        raise NotMeasured(
            Reason.INCONCLUSIVE,
            f"line {statement.line} ({statement.head}) did not end within {STATEMENT_SECONDS} s",
        )


def extension_missing(name: str, who: str) -> NotMeasured:
    """Why a schema cannot be loaded here: the scratch server lacks an extension."""
    return NotMeasured(
        Reason.TOOL_MISSING,
        f"{who} needs the extension {name}, which the scratch server "
        f"({postgresql.installation()}) does not have: install it there (Debian: "
        "postgresql-contrib, or the extension's own package)",
    )


def _masked(said: str, sqlstate: str | None = None) -> str:
    """An error message without the literals that it may repeat."""
    text = re.sub(r"'[^']*'", "'…'", " ".join(said.split()))
    if sqlstate is None or sqlstate.startswith("22"):  # about a value, as in: integer: "secret"
        text = re.sub(r': ".*"', ': "…"', text)
    return text[:300]


def _load_with_psql(given: InitSql, url: str) -> tuple[list[Outcome], str | None]:
    """Load by psql, which alone understands its own commands; it stops at the first error."""
    psql = str(postgresql.installation().bin / "psql")
    options = ["-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
    done = program.run(
        [psql, *options, "-f", str(given.path.resolve()), "-c", "SELECT current_database()"],
        environment={"PGOPTIONS": f"-c statement_timeout={STATEMENT_SECONDS}s"},
        timeout_s=PSQL_SECONDS,
        folder=given.path.resolve().parent,
    )
    if done.returncode is None:
        raise NotMeasured(Reason.INCONCLUSIVE, f"{given.name} did not load within {PSQL_SECONDS} s")
    statements = given.script.statements
    failed = _first_error(done.errors, statements, given.path.name)
    if done.returncode and failed is None:
        said = (done.errors.strip().splitlines() or ["nothing"])[-1]
        failed = {"line": 0, "statement": "", "error": _masked(said), "sqlstate": None}
    good = [s for s in statements if failed is None or s.last_line < failed["line"]]
    outcomes: list[Outcome] = [
        {"line": s.line, "statement": s.head, "error": None, "sqlstate": None} for s in good
    ]
    if failed:
        return [*outcomes, failed], None
    return outcomes, done.output.strip().splitlines()[-1]


def _first_error(errors_said: str, statements: list[Statement], name: str) -> Outcome | None:
    lines = errors_said.splitlines()
    for number, line in enumerate(lines):
        if not (found := PSQL_ERROR.match(line)):
            continue
        at, said = int(found[2]), found[3]
        if "extension" in said and "not available" in said:
            quoted = re.search(r'"([^"]+)"', said)
            raise extension_missing(quoted[1] if quoted else said, "init.sql")
        head = ""
        if Path(found[1]).name == name:  # psql tells the line a statement ends at
            ended = [s for s in statements if s.line <= at <= s.last_line + 1]
            if ended:
                head = ended[-1].head
                within = [PSQL_LINE.match(later) for later in lines[number + 1 : number + 3]]
                at = ended[-1].line + next((int(w[1]) - 1 for w in within if w), 0)
        else:
            head = f"in {Path(found[1]).name}"
        return {"line": at, "statement": head, "error": _masked(said), "sqlstate": None}
    return None
