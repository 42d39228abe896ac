"""The target's PostgreSQL, read and never written: the session that every database source uses.

A session cannot write (the server is told so, and a write is tried to prove it), waits for no lock
and no query longer than the parameters allow, resolves no name in a schema of the target, and sees
a table whole or not at all: where row security would hide rows, the query fails.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Database, Target, need
from ..variables import keep_secret, redact

OLDEST_SERVER = 12
OUR_NAME = "readiness-audit"
SCHEME = re.compile(r"^(?:postgres|postgresql)(?:\+\w+)?://")  # also as SQLAlchemy writes it

ROLE = """
SELECT r.rolname AS role, r.rolsuper AS superuser, r.rolbypassrls AS bypasses_row_security,
       r.rolcreatedb AS creates_databases, r.rolcreaterole AS creates_roles,
       ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1) AS member_of,
       current_database()::text AS database, pg_is_in_recovery() AS standby,
       current_setting('server_version') AS server_version,
       COALESCE((SELECT s.ssl FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()), false) AS tls
FROM pg_roles r WHERE r.rolname = current_user
"""
REACH = """
SELECT count(*) AS tables,
       count(*) FILTER (WHERE has_table_privilege(c.oid, 'SELECT')) AS readable,
       count(*) FILTER (WHERE has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'))
           AS writable
FROM pg_class c
WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN (
    SELECT oid FROM pg_namespace WHERE nspname = ANY (%s::text[]))
"""


@dataclass(frozen=True)
class Session:
    """A read-only connection, and what is worth knowing about it (``facts``)."""

    connection: psycopg.Connection[Any]
    facts: dict[str, Any]

    def rows(
        self,
        query: LiteralString | sql.SQL | sql.Composed,
        values: Sequence[Any] | Mapping[str, Any] = (),
    ) -> list[dict[str, Any]]:
        """The rows of a query as dictionaries; a query that fails raises psycopg.Error.

        Outside ``session`` that error becomes NOT_MEASURED; catch it where only one of many
        queries is lost by it, and say why with ``why``.
        """
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, values or None).fetchall()


@contextmanager
def session(target: Target) -> Iterator[Session]:
    """A session on the target's database.

    Raises NotMeasured when there is none to be had, when it cannot be made read-only, or when a
    query in the block fails; never with a password in the message.
    """
    parameters = need(target.database, "target.database")
    with _connected(parameters) as connection:
        try:
            yield Session(connection, _facts(connection, parameters))
        except psycopg.Error as broke:
            raise NotMeasured(reason(broke), why(broke)) from None


def reason(broke: psycopg.Error) -> Reason:
    """The reason code of a query that failed."""
    if isinstance(broke, errors.InsufficientPrivilege):
        return Reason.NOT_PERMITTED
    # A lost connection has no SQLSTATE; 57P0x is the server going down.
    lost = isinstance(broke, psycopg.OperationalError) and (broke.sqlstate or "57P0")[:4] == "57P0"
    return Reason.UNREACHABLE if lost else Reason.INCONCLUSIVE


def why(broke: psycopg.Error) -> str:
    """One line that says why a query failed and what would fix it."""
    if isinstance(broke, errors.QueryCanceled):
        return "the query reached target.database.statement_timeout_s: raise it, or ask off-peak"
    if isinstance(broke, errors.LockNotAvailable):
        return "a lock was in the way longer than target.database.lock_timeout_s: try again"
    said = _one_line(broke)
    if isinstance(broke, errors.InsufficientPrivilege):
        return (
            f"the audit's role may not: {said}; grant it pg_read_all_data, and BYPASSRLS where "
            "row security hides rows"
        )
    return f"the database said: {said}"


@source("passive")
def access(target: Target) -> Collected:
    """Who the audit is in the database and what that role could do: one row."""
    with session(target) as database:
        version = database.facts["server_version"]
        return Collected([dict(database.facts)], {}, {"PostgreSQL": version})


def summary(access: Evidence) -> dict[str, Any] | str:
    """The session to look at, or why there is none."""
    if access.problem or not access.records:
        return f"No session: {access.problem.message if access.problem else 'nothing was said'}"
    return {key: _plain(value) for key, value in access.records[0].items()}


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else value


@contextmanager
def _connected(parameters: Database) -> Iterator[psycopg.Connection[Any]]:
    connection = _connect(parameters)
    try:
        connection.autocommit = True
        connection.prepare_threshold = None  # a pooler may hand us another server connection
        yield connection
    finally:
        connection.close()


def _connect(parameters: Database) -> psycopg.Connection[Any]:
    url, matched = SCHEME.subn("postgresql://", parameters.url.value())
    if not matched:
        raise NotMeasured(
            Reason.UNREACHABLE, "target.database.url is no PostgreSQL URL (postgresql://...)"
        )
    try:
        known = conninfo_to_dict(url)
    except psycopg.Error:  # its message repeats the URL
        raise NotMeasured(
            Reason.UNREACHABLE, "target.database.url cannot be read as a PostgreSQL URL"
        ) from None
    keep_secret(str(known.get("password") or ""), "password of target.database.url")
    # Said with the connection, so that not even the first statement can write.
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": f"{parameters.statement_timeout_s * 1000:.0f}",
        "lock_timeout": f"{parameters.lock_timeout_s * 1000:.0f}",
        "idle_in_transaction_session_timeout": "60000",
        "row_security": "off",
        "search_path": "pg_catalog",
        "extra_float_digits": "1",
        "timezone": "UTC",
    }
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    given = known.get("options")
    conninfo = make_conninfo(
        url,
        options=f"{given} {options}" if given else options,
        connect_timeout=parameters.connect_timeout_s,
        application_name=OUR_NAME,
        client_encoding="UTF8",
    )
    try:
        return psycopg.connect(conninfo)
    except psycopg.OperationalError as broke:
        where = f"{known.get('host') or 'local socket'}:{known.get('port') or 5432}"
        raise NotMeasured(Reason.UNREACHABLE, _no_connection(broke, where)) from None


def _no_connection(broke: psycopg.OperationalError, where: str) -> str:
    said = _one_line(broke)
    if "invalid response" in said or "expected authentication request" in said:
        return f"what answers at {where} is not PostgreSQL: {said}"
    if "authentication failed" in said or "no password supplied" in said or "pg_hba" in said:
        return f"the login was refused at {where}: {said}"
    return f"no database answers at {where}: {said}"


def _facts(connection: psycopg.Connection[Any], parameters: Database) -> dict[str, Any]:
    version = connection.execute("SELECT version()").fetchone()
    said = str(version[0]) if version else ""
    if not said.startswith("PostgreSQL") or "Redshift" in said:
        raise NotMeasured(
            Reason.UNREACHABLE, f"speaks PostgreSQL's protocol but is not PostgreSQL: {said[:80]}"
        )
    if connection.info.server_version < OLDEST_SERVER * 10_000:
        raise NotMeasured(
            Reason.UNREACHABLE, f"{said.split(' on ')[0]} is too old: {OLDEST_SERVER} is the oldest"
        )
    _prove_read_only(connection)
    with connection.cursor(row_factory=dict_row) as cursor:
        role = cursor.execute(ROLE).fetchone() or {}
        reach = cursor.execute(REACH, (parameters.schemas,)).fetchone() or {}
    return {
        **role,
        **reach,
        "schemas": parameters.schemas,
        "read_only": True,
        "statement_timeout_s": parameters.statement_timeout_s,
        "lock_timeout_s": parameters.lock_timeout_s,
    }


def _prove_read_only(connection: psycopg.Connection[Any]) -> None:
    """Try a write; nothing but the refusal of a read-only transaction is proof."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute("CREATE SCHEMA readiness_tries_to_write")
    except errors.ReadOnlySqlTransaction:
        return
    except psycopg.Error as broke:
        said = f"the write that was tried failed for another reason: {_one_line(broke)}"
    else:
        said = "a write was accepted (and rolled back)"
    raise NotMeasured(
        Reason.NOT_PERMITTED,
        f"the session could not be proved read-only, so nothing was read: {said}; connect "
        "without a pooler that drops the options, or as a role with default_transaction_read_only",
    )


def _one_line(broke: psycopg.Error) -> str:
    said = broke.diag.message_primary or str(broke)
    return redact(" ".join(said.split()))[:400]
