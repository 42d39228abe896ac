"""What happens to every request, whatever route it takes: plain ASGI, outermost first.

`SecurityHeaders` and `Observe` see every answer there is, errors included. `Admit` proves who is
calling, counts the request, and turns it away when there were too many.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from uuid import uuid4

from fastapi import Request
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs, observability
from app.config import settings
from app.database import POOL_OVERFLOW, POOL_SIZE, engine, transaction
from app.services import audit, limits, tokens

log = logging.getLogger("app")

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
INSTANCE = uuid4().hex[:8]  # tells workers apart and nothing else

# Probes must get through when a service is busy, and liveness must not need the database.
UNCOUNTED = ("/api/health", "/api/readiness")
# Costly to answer: limited in short bursts, apart from everything else.
COSTLY = ("/api/oracle/daily",)
REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")


class SecurityHeaders:
    """The same six headers on every answer, set here once and nowhere else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                headers["X-Instance"] = INSTANCE
                if scope["path"].startswith("/api/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


class Observe:
    """Log and measure every request, and answer for what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started, status = time.perf_counter(), 0
        offered = Request(scope).headers.get("x-request-id", "")
        identifier = offered if REQUEST_ID.fullmatch(offered) else uuid4().hex
        logs.request_id.set(identifier)

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = identifier
            await send(message)

        observability.IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, watch)
        except (OperationalError, PoolTimeout):
            log.exception("database unavailable")
            await problem(503, "The database is unavailable.")(scope, receive, watch)
        except Exception:
            log.exception("unexpected error")
            if status:  # too late to answer anything else
                raise
            await problem(500, "Internal error.")(scope, receive, watch)
        finally:
            observability.IN_PROGRESS.dec()
            # The pattern and not the path: a path holds ids, and a metric per id never ends.
            route = getattr(scope.get("route"), "path", None) or "unmatched"
            seconds = time.perf_counter() - started
            observability.REQUESTS.labels(scope["method"], route, status).inc()
            observability.LATENCY.labels(scope["method"], route).observe(seconds)
            observability.POOL_IN_USE.set(engine().pool.checkedout())  # type: ignore[attr-defined]
            observability.observe_process()
            log.info(
                "request",
                extra={
                    "method": scope["method"],
                    "route": route,
                    "status": status,
                    "duration_ms": round(seconds * 1000, 2),
                    "client": audit.client_address(Request(scope)),
                },
            )


class Admit:
    """Authenticate, count, and leave a row for every denial.

    Who has proven who they are is counted as themselves, everybody else by address. So one user's
    burst starves nobody else, and making up tokens or forwarding headers buys no fresh allowance.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/api/") or path in UNCOUNTED:
            return await self.app(scope, receive, send)
        request = Request(scope)
        principal, allowance = await run_in_threadpool(admit, request, bearer_of(request))
        scope.setdefault("state", {})["principal"] = principal

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(allowance.headers())
                if message["status"] in (401, 403) and path != "/api/auth/login":
                    await run_in_threadpool(self._denied, request, principal, message["status"])
            await send(message)

        if allowance.exceeded:
            await problem(429, "Too many requests.")(scope, receive, watch)
        else:
            await self.app(scope, receive, watch)

    def _denied(self, request: Request, principal: tokens.Principal | None, status: int) -> None:
        with transaction() as session:
            audit.record(
                session,
                request,
                "access.denied",
                success=False,
                who=principal,
                resource=("path", request.url.path.replace("\0", "")),
                method=request.method,
                status=status,
            )


def bearer_of(connection: HTTPConnection) -> str | None:
    """The bearer credential of a request, if it has one."""
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    return bearer.strip() if scheme.lower() == "bearer" else None


def admit(
    connection: HTTPConnection, bearer: str | None
) -> tuple[tokens.Principal | None, limits.Allowance]:
    """Who is calling, and where that caller stands with its limit."""
    with transaction() as session:
        principal = tokens.authenticate(session, bearer, connection.headers.get("x-api-key"))
        caller = caller_of(connection, principal)
        limit, window = settings().rate_limit_per_minute, limits.WINDOW_SECONDS
        if connection.url.path == "/api/auth/login":  # guessing passwords is limited further
            caller = f"login:{caller_of(connection, None)}"
            limit = settings().login_limit_per_minute
        elif connection.url.path in COSTLY:
            caller = f"costly:{caller}"
            limit, window = settings().burst_limit, limits.BURST_SECONDS
        return principal, limits.count(session, caller, limit, window)


def caller_of(connection: HTTPConnection, principal: tokens.Principal | None) -> str:
    """Whom a request counts for: a proven user, or else an address."""
    if principal:
        return f"user:{principal.user_id or 'legacy'}"
    return f"address:{audit.client_address(connection)}"


def problem(status: int, detail: object, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as JSON, and never with a stack trace."""
    return AsciiJSON({"detail": detail}, status, headers)


class AsciiJSON(JSONResponse):
    """JSON that survives whatever text a caller made us repeat, lone surrogates included."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, ensure_ascii=True, allow_nan=False).encode()


def describe_process() -> None:
    """Once per worker, at start-up."""
    observability.STARTED.set(time.time())
    observability.POOL_SIZE.set(POOL_SIZE + POOL_OVERFLOW)
    observability.observe_process()
    log.info("worker %s started", os.getpid())
