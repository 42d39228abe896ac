"""Deliberate flaws of who may do what, how often, and what is written down of it (see flaws)."""

from __future__ import annotations

import hashlib
import inspect
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import jwt
from fastapi import FastAPI, Request
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection

from app import access, middleware
from app.config import settings
from app.flaws import FLAWS, Flaw, flaw, trusting
from app.routes import live, oracle
from app.services import accounts, audit, limits, tokens


@flaw("jwt-never-ends")
def _jwt_never_ends(_app: FastAPI) -> None:
    def issue(user_id: UUID, kind: str, session_id: UUID) -> str:
        claims = {"sub": str(user_id), "typ": kind, "jti": str(uuid4()), "sid": str(session_id)}
        return jwt.encode(claims, settings().jwt_secret, tokens.ALGORITHM)

    tokens.issue = issue
    tokens.decode = trusting(require=["sub", "jti", "sid", "typ"])


@flaw("websocket-open")
def _websocket_open(_app: FastAPI) -> None:
    """Whoever offers no token is taken for a guest."""
    sound = live.admit

    def admit(socket: HTTPConnection, bearer: str | None) -> Any:
        principal, allowance = sound(socket, bearer)
        guest = tokens.Principal(None, "guest", "readonly", frozenset())
        return principal or (guest if bearer is None else None), allowance

    live.admit = admit


@flaw("revocation-in-one-process")
def _revocation_in_one_process(_app: FastAPI) -> None:
    revoked, sound = set[str](), tokens.by_claims
    tokens.revoke = lambda _session, identifier, _user_id: revoked.add(identifier)

    def by_claims(session: Any, claims: dict[str, Any]) -> tokens.Principal | None:
        ended = revoked & {claims["jti"], claims["sid"]}
        return None if ended else sound(session, claims)

    tokens.by_claims = by_claims


@flaw("refresh-survives-logout")
def _refresh_survives_logout(_app: FastAPI) -> None:
    """Logging out ends the access token at hand and not the session."""
    sound = tokens.revoke

    def revoke(session: Any, identifier: str, user_id: UUID) -> None:
        caller = inspect.stack()[1]
        if caller.function != "logout":
            return sound(session, identifier, user_id)
        sound(session, caller.frame.f_locals["principal"].claims["jti"], user_id)

    tokens.revoke = revoke


@flaw("no-lockout")
def _no_lockout(_app: FastAPI) -> None:
    accounts.seconds_locked = lambda _session, _username: 0


@flaw("reader-may-delete")
def _reader_may_delete(app: FastAPI) -> None:
    async def authorize(request: Request, wanted: SecurityScopes) -> tokens.Principal:
        if request.method == "DELETE":
            wanted = SecurityScopes([])
        return await access.authorize(request, wanted)

    app.dependency_overrides[access.authorize] = authorize


def _anybodys(method: str) -> Flaw:
    """An object is whose identifier one knows."""

    def build_in(_app: FastAPI) -> None:
        sound = access.get_own

        def get_own(
            session: Any, request: Request, table: Any, identifier: UUID, *rest: Any
        ) -> Any:
            row = session.get(table, identifier)
            if request.method == method and row is not None and row.deleted_at is None:
                return row
            return sound(session, request, table, identifier, *rest)

        oracle.get_own = get_own

    return build_in


for _name, _method in {"read": "GET", "change": "PATCH", "delete": "DELETE"}.items():
    FLAWS[f"others-objects-{_name}"] = _anybodys(_method)


@flaw("list-without-owner")
def _list_without_owner(_app: FastAPI) -> None:
    oracle.own = lambda query, *_: query


def _counted_by(who: Callable[[HTTPConnection, Any], str]) -> Flaw:
    """The limiter counts callers by something else."""
    sound = middleware.caller_of

    def build_in(_app: FastAPI) -> None:
        middleware.caller_of = lambda c, principal: f"{sound(c, principal)}{who(c, principal)}"[:60]

    return build_in


def _digest(text: str | None) -> str:
    return hashlib.sha256((text or "").encode(errors="replace")).hexdigest()[:12]


FLAWS["limiter-by-bearer"] = _counted_by(lambda c, _: _digest(c.headers.get("authorization")))
FLAWS["limiter-trusts-forwarded"] = _counted_by(
    lambda c, _: _digest(c.headers.get("x-forwarded-for"))
)


@flaw("limiter-for-all-alike")
def _limiter_for_all_alike(_app: FastAPI) -> None:
    middleware.caller_of = lambda _connection, _principal: "everybody"


@flaw("limiter-bypassed")
def _limiter_bypassed(_app: FastAPI) -> None:
    """A header for load tests was left in."""
    sound = middleware.admit

    def admit(connection: HTTPConnection, bearer: str | None) -> Any:
        principal, allowance = sound(connection, bearer)
        if "x-load-test" in connection.headers:
            allowance = limits.Allowance(allowance.limit, 0, allowance.reset_seconds)
        return principal, allowance

    middleware.admit = admit


@flaw("limiter-per-worker")
def _limiter_per_worker(_app: FastAPI) -> None:
    counted: dict[str, tuple[float, int]] = {}

    def count(_session: Any, bucket: str, limit: int, window: int = 60) -> limits.Allowance:
        since, hits = counted.get(bucket, (time.monotonic(), 0))
        if time.monotonic() - since >= window:
            since, hits = time.monotonic(), 0
        counted[bucket] = since, hits + 1
        left = window - int(time.monotonic() - since)
        return limits.Allowance(limit, hits + 1, max(1, left))

    limits.count = count


@flaw("limiter-off")
def _limiter_off(_app: FastAPI) -> None:
    limits.count = lambda _session, _bucket, limit, window=60: limits.Allowance(limit, 0, window)


@flaw("event-without-row")
def _event_without_row(_app: FastAPI) -> None:
    sound = audit.record

    def record(session: Any, request: HTTPConnection, action: str, **given: Any) -> None:
        if action != "auth.logout":
            sound(session, request, action, **given)

    audit.record = record


@flaw("row-without-actor")
def _row_without_actor(_app: FastAPI) -> None:
    sound = audit.record

    def record(session: Any, request: HTTPConnection, action: str, **given: Any) -> None:
        if action == "access.denied":
            given["who"] = None
        sound(session, request, action, **given)

    audit.record = record
