"""Security events are provoked, and the rows that they should leave are looked for.

They are provoked as the sacrificial account, whose name and identifier stand nowhere else: a row
that mentions it is of these events and of nobody else's.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import psycopg
from psycopg import errors, sql

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import AuditLog, Target, need
from ..traffic import Planned
from .account import Sacrifice, sacrifice
from .client import Client, client
from .database import SCHEME, Session, session
from .login import headers_with, log_in, role_of, token_in

POLL_S = 0.1
MOST_ROWS = 200  # that mention the account
WRONG = "not-the-password-Xy7"


def planned(target: Target, _operations: list[str]) -> list[Planned]:
    """What ``events`` would send."""
    http = target.http
    if http is None or http.audit_log is None or http.sacrificial_account is None:
        return []
    account, log = http.sacrificial_account, http.audit_log
    role = http.roles.get(account.like_role)
    plan = [Planned(role.login, 2)] if role and role.login else []
    plan += [Planned(r.operation) for r in (account.create, account.remove, log.denied) if r]
    maker = http.roles.get((account.create.as_role if account.create else None) or "")
    plan += [Planned(maker.login)] if maker and maker.login else []
    return plan + ([Planned(log.logout)] if log.logout else [])


@source("active", plan=planned)
def events(target: Target) -> Collected:
    """One row for each event: what the service answered, and what its log then said of it."""
    http = need(target.http, "target.http")
    wanted = need(http.audit_log, "target.http.audit_log")
    with session(target) as database, client(target) as http_client:
        log = _Log(database, wanted)
        records: list[dict[str, Any]] = []
        account = None
        try:
            with sacrifice(http_client) as account:
                records += _provoke(http_client, account, wanted, log)
        finally:
            left = account.left if account else ""
        facts = {"table": wanted.table, "within_s": wanted.within_s, "left": left}
        facts |= {"change": _change(database, wanted), "says_where": bool(wanted.where)}
        version = database.facts["server_version"]
    return Collected(records, facts, {"httpx": httpx.__version__, "PostgreSQL": version})


def _provoke(
    http_client: Client, account: Sacrifice, wanted: AuditLog, log: _Log
) -> Iterator[dict[str, Any]]:
    """Each event in its turn, with the row that it left."""
    log.of(account)
    role = role_of(http_client, account.role)
    if account.created_by:
        yield log.row("admin action", 201, by_another=True)
    failed = log_in(http_client, account.role, account.username, WRONG, patient=False)
    yield log.row("failed login", failed.status, refused=True)
    answer = log_in(http_client, account.role, account.username, account.password)
    yield log.row("login", answer.status)
    token = token_in(answer, role, "the sacrificial account")
    headers = headers_with(role, token)
    if wanted.denied:
        method, path = wanted.denied.operation.split(" ", 1)
        body = wanted.denied.json_body
        denied = http_client.send(method, path, headers=headers, json=body)
        yield log.row("denial", denied.status, refused=True)
    if wanted.logout:
        method, path = wanted.logout.split(" ", 1)
        ended = http_client.send(method, path, headers=headers)
        yield log.row("logout", ended.status)


class _Log:
    """The table of the audit log, read for the rows that mention the account."""

    def __init__(self, database: Session, wanted: AuditLog) -> None:
        self.database, self.wanted = database, wanted
        self.account: Sacrifice | None = None
        self._seen: set[str] = set()
        self._query = sql.SQL(
            "SELECT to_jsonb(t) AS entry, to_jsonb(t)::text AS whole,"
            " extract(epoch FROM clock_timestamp() - t.{when}::timestamptz)::float AS age_s"
            " FROM {table} t WHERE t.{when} > (clock_timestamp() - interval '2 days')::timestamptz"
            " AND to_jsonb(t)::text LIKE ANY (%s) ORDER BY t.{when} DESC LIMIT {most}"
        ).format(
            when=sql.Identifier(wanted.when),
            table=qualified(wanted.table),
            most=sql.Literal(MOST_ROWS),
        )

    def of(self, account: Sacrifice) -> None:
        """Look for this account; one that was there before has rows already."""
        self.account = account
        if account.created_by is None:
            self._seen = {row["whole"] for row in self._mentions()}

    def _mentions(self) -> list[dict[str, Any]]:
        account = self.account
        names = [account.username, account.identifier] if account else []
        like = [f"%{name.replace('%', '')}%" for name in names if name and len(name) > 2]
        return self.database.rows(self._query, (like,))

    def row(
        self, event: str, status: int | None, by_another: bool = False, refused: bool = False
    ) -> dict[str, Any]:
        """What the log says of an event that was just answered; looked for until ``within_s``."""
        happened = status is not None and (
            400 <= status < 500 and status != 429 if refused else 200 <= status < 400
        )
        said: dict[str, Any] = {"event": event, "status": status, "happened": happened}
        started = time.monotonic()
        while happened:
            new = [row for row in self._mentions() if row["whole"] not in self._seen]
            if new:
                self._seen |= {row["whole"] for row in new}
                return said | self._read(new, by_another, time.monotonic() - started)
            if time.monotonic() - started > self.wanted.within_s:
                break
            time.sleep(POLL_S)
        return said | {"rows": 0}

    def _read(self, rows: list[dict[str, Any]], by_another: bool, after_s: float) -> dict[str, Any]:
        """Who, what, when and where of the newest row that names an actor, else of the newest."""
        entries = [(self._who(row["entry"], by_another), row) for row in rows]
        who, row = next((e for e in entries if e[0]), entries[0])
        entry = row["entry"]
        return {
            "rows": len(rows),
            "after_s": round(after_s, 2),
            "who": who,
            "what": " ".join(_text(entry.get(c)) for c in self.wanted.what).strip(),
            "when_off_s": round(abs(row["age_s"]), 1) if row["age_s"] is not None else None,
            "where": " ".join(_text(entry.get(c)) for c in self.wanted.where).strip(),
        }

    def _who(self, entry: dict[str, Any], by_another: bool) -> str:
        """Whom the row names as the actor: the account, or for what was done to it, another."""
        named = [_text(entry.get(column)) for column in self.wanted.who]
        account = self.account
        own = {account.username, account.identifier} if account else set()
        for name in filter(None, named):
            if (name in own) != by_another:
                return "another" if by_another else "the account"
        return ""


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:80]


def qualified(table: str) -> sql.Identifier:
    """A table with its schema, ``public`` where none is given."""
    schema, _, name = table.rpartition(".")
    return sql.Identifier(schema or "public", name)


def _change(database: Session, wanted: AuditLog) -> dict[str, Any]:
    """Whether the application's role may change what was written: tried, or by its privileges."""
    if wanted.application_url:
        try:
            return _tried(wanted)
        except NotMeasured as gap:
            return {"how": None, "may": [], "said": str(gap)}
    if wanted.application_role:
        return {"how": "privileges", **_privileges(database, wanted)}
    return {"how": None, "may": [], "said": "no application_url or application_role to try with"}


def _privileges(database: Session, wanted: AuditLog) -> dict[str, Any]:
    schema, _, name = wanted.table.rpartition(".")
    query = sql.SQL(
        "SELECT has_table_privilege(r.oid, c.oid, 'UPDATE')"
        "  OR has_any_column_privilege(r.oid, c.oid, 'UPDATE') AS update,"
        " has_table_privilege(r.oid, c.oid, 'DELETE') AS delete,"
        " has_table_privilege(r.oid, c.oid, 'TRUNCATE') AS truncate,"
        " pg_has_role(r.oid, c.relowner, 'MEMBER') AS own"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles r"
        " WHERE n.nspname = %s AND c.relname = %s AND r.rolname = %s"
    )
    rows = database.rows(query, (schema or "public", name, wanted.application_role))
    if not rows:
        return {"how": None, "may": [], "said": f"no role {wanted.application_role} or no table"}
    return {"may": [what for what, may in rows[0].items() if may], "said": ""}


def _tried(wanted: AuditLog) -> dict[str, Any]:
    """Try to change and to remove the newest row, in a transaction that is rolled back."""
    change = sql.SQL("UPDATE {t} SET {c} = {c} WHERE ctid = {newest}")
    remove = sql.SQL("DELETE FROM {t} WHERE ctid = {newest}")
    table, column = qualified(wanted.table), sql.Identifier(wanted.what[0])
    newest = sql.SQL("(SELECT ctid FROM {t} ORDER BY {w} DESC LIMIT 1)").format(
        t=table, w=sql.Identifier(wanted.when)
    )
    may, said = [], []
    with _application(wanted) as connection:
        for name, query in (("update", change), ("delete", remove)):
            try:
                with connection.transaction(force_rollback=True):
                    done = connection.execute(query.format(t=table, c=column, newest=newest))
                    touched = done.rowcount
            except errors.InsufficientPrivilege:
                said.append(f"{name}: permission denied")
                continue
            except psycopg.Error as broke:  # a trigger that forbids it
                said.append(f"{name}: {(broke.diag.message_primary or 'refused')[:120]}")
                continue
            if touched:
                may.append(name)
            else:
                said.append(f"{name}: touched no row")
        own = connection.execute(
            "SELECT pg_has_role(relowner, 'MEMBER'), has_table_privilege(oid, 'TRUNCATE')"
            " FROM pg_class WHERE oid = %s::regclass",
            (qualified(wanted.table).as_string(connection),),
        ).fetchone()
    may += [what for what, is_so in zip(("own", "truncate"), own or (), strict=False) if is_so]
    return {"how": "tried and rolled back", "may": may, "said": "; ".join(said)}


@contextmanager
def _application(wanted: AuditLog) -> Iterator[psycopg.Connection[Any]]:
    url = SCHEME.sub("postgresql://", need(wanted.application_url, "application_url").value())
    try:
        connection = psycopg.connect(url, connect_timeout=5, autocommit=True)
    except psycopg.Error:  # its message may repeat the URL
        raise NotMeasured(
            Reason.UNREACHABLE, "no connection as target.http.audit_log.application_url"
        ) from None
    try:
        connection.execute("SET lock_timeout = '2s'; SET statement_timeout = '10s'")
        yield connection
    except psycopg.Error as broke:
        said = (broke.diag.message_primary or type(broke).__name__)[:200]
        raise NotMeasured(Reason.INCONCLUSIVE, f"as the application's role: {said}") from None
    finally:
        connection.close()


def events_table(evidence: Any) -> Any:
    """A data frame: one row an event, and what the log says of it."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "event": r["event"],
                "answered": r["status"] or "–",
                "rows": r["rows"],
                "after (s)": r.get("after_s"),
                "who": r.get("who") or "–",
                "what": r.get("what") or "–",
                "when off by (s)": r.get("when_off_s"),
                "from where": r.get("where") or "–",
            }
            for r in evidence.records
        ]
    )
