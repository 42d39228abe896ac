"""Deliberate flaws, so that an audit can be seen to notice them.

One at a time, only when NPS_FLAW names it, never in a deployment: `reference/faults/*.yaml` switch
them on in the demo. Everything flawed is in this file and those beside it; the sound code knows
nothing of it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import jwt
from fastapi import FastAPI, HTTPException, Request
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import middleware, models, observability
from app.access import Anyone
from app.config import settings
from app.database import transaction
from app.routes import oracle
from app.services import audit, tokens

Flaw = Callable[[FastAPI], None]
FLAWS: dict[str, Flaw] = {}


def install(app: FastAPI) -> None:
    """Build in the flaw that NPS_FLAW names; an unknown name is an error, not a sound service."""
    name = os.environ.get("NPS_FLAW", "")
    if name:
        from app import (  # noqa: F401  (they enter more)
            flaws_access,
            flaws_probed,
            flaws_provider,
            flaws_under_load,
        )

        FLAWS[name](app)


def flaw(name: str) -> Callable[[Flaw], Flaw]:
    """Enter a flaw in the list."""

    def enter(function: Flaw) -> Flaw:
        FLAWS[name] = function
        return function

    return enter


def _dropped(header: str) -> Flaw:
    return lambda _app: middleware.SECURITY_HEADERS.pop(header, None) and None


for _name, _header in {
    "header-csp-dropped": "Content-Security-Policy",
    "header-hsts-dropped": "Strict-Transport-Security",
    "header-xcto-dropped": "X-Content-Type-Options",
    "header-xfo-dropped": "X-Frame-Options",
    "header-referrer-dropped": "Referrer-Policy",
    "header-permissions-dropped": "Permissions-Policy",
}.items():
    FLAWS[_name] = _dropped(_header)


@flaw("csp-unsafe-inline")
def _csp_unsafe_inline(_app: FastAPI) -> None:
    policy = middleware.SECURITY_HEADERS["Content-Security-Policy"]
    middleware.SECURITY_HEADERS["Content-Security-Policy"] = policy.replace(
        "script-src 'self'", "script-src 'self' 'unsafe-inline'"
    )


class Answers:
    """Let a function change the opening of every answer."""

    def __init__(self, app: ASGIApp, change: Callable[[Scope, Message], None]) -> None:
        self.app, self.change = app, change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.change(scope, message)
            await send(message)

        await self.app(scope, receive, changed)


def _missing_on(status: int) -> Flaw:
    def strip(_scope: Scope, message: Message) -> None:
        if message["status"] == status:
            for name in middleware.SECURITY_HEADERS:
                del MutableHeaders(scope=message)[name]

    return lambda app: app.add_middleware(Answers, change=strip)


for _name, _status in {"404": 404, "redirect": 308, "429": 429}.items():
    FLAWS[f"headers-missing-on-{_name}"] = _missing_on(_status)


@flaw("headers-missing-when-cached")
def _headers_missing_when_cached(app: FastAPI) -> None:
    """The page is kept, and its headers are not."""
    known = set[str]()

    def keep(scope: Scope, message: Message) -> None:
        if scope["path"] != "/":
            return
        if "page" in known:
            for name in middleware.SECURITY_HEADERS:
                del MutableHeaders(scope=message)[name]
            MutableHeaders(scope=message)["X-Cache"] = "HIT"
        known.add("page")

    app.add_middleware(Answers, change=keep)


@flaw("cors-reflected")
def _cors_reflected(app: FastAPI) -> None:
    def reflect(scope: Scope, message: Message) -> None:
        origin = Request(scope).headers.get("origin")
        if origin:
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Allow-Credentials"] = "true"

    app.add_middleware(Answers, change=reflect)


def trusting(**options: Any) -> Callable[[str, str], dict[str, Any]]:
    def decode(token: str, kind: str) -> dict[str, Any]:
        claims = jwt.decode(
            token,
            settings().jwt_secret,
            algorithms=[tokens.ALGORITHM],
            options=options,  # type: ignore[arg-type]
        )
        if claims["typ"] != kind:
            raise jwt.InvalidTokenError
        return claims

    return decode


@flaw("jwt-expired-accepted")
def _jwt_expired_accepted(_app: FastAPI) -> None:
    tokens.decode = trusting(verify_exp=False)


@flaw("jwt-none-accepted")
def _jwt_none_accepted(_app: FastAPI) -> None:
    sound = tokens.decode

    def decode(token: str, kind: str) -> dict[str, Any]:
        if jwt.get_unverified_header(token).get("alg", "").lower() == "none":
            return trusting(verify_signature=False, verify_exp=True)(token, kind)
        return sound(token, kind)

    tokens.decode = decode


@flaw("jwt-cache-prefix")
def _jwt_cache_prefix(_app: FastAPI) -> None:
    """The cache knows a token by its first part, and the signature is the last."""
    sound, known = tokens.decode, dict[str, dict[str, Any]]()

    def decode(token: str, kind: str) -> dict[str, Any]:
        prefix = kind + token.rpartition(".")[0]
        if prefix not in known:
            known[prefix] = sound(token, kind)
        return known[prefix]

    tokens.decode = decode


@flaw("default-secret-accepted")
def _default_secret_accepted(_app: FastAPI) -> None:
    sound = tokens.is_legacy_key
    tokens.is_legacy_key = lambda bearer: bearer == "change-me-api-secret-key" or sound(bearer)


def _replace(app: FastAPI, path: str, endpoint: Callable[..., Any]) -> None:
    """Serve a path by something else, with nothing asked of the caller."""
    app.router.routes.insert(0, APIRoute(path, endpoint, methods=["GET"], response_model=None))


@flaw("route-without-auth")
def _route_without_auth(app: FastAPI) -> None:
    async def findings() -> list[dict[str, str]]:
        with transaction() as session:
            rows = session.query(models.Finding).limit(20)
            return [{"id": str(row.id), "address": row.address} for row in rows]

    _replace(app, "/api/vault/findings", findings)


@flaw("slow-endpoint")
def _slow_endpoint(app: FastAPI) -> None:
    class Slow:
        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope.get("path") == "/api/oracle/users" and scope["method"] == "GET":
                await asyncio.sleep(0.15)
            await self.app(scope, receive, send)

    app.add_middleware(Slow)


@flaw("health-html")
def _health_html(app: FastAPI) -> None:
    async def page() -> Response:
        return HTMLResponse("<!doctype html><title>NPS</title><div id=root></div>")

    _replace(app, "/api/readiness", page)


@flaw("readiness-always-ok")
def _readiness_always_ok(app: FastAPI) -> None:
    async def fine() -> Response:
        return JSONResponse({"status": "ready", "checks": {"database": "ok"}})

    _replace(app, "/api/readiness", fine)


@flaw("metrics-json")
def _metrics_json(app: FastAPI) -> None:
    async def numbers() -> Response:
        return JSONResponse({"requests": 0, "errors": 0})

    _replace(app, "/metrics", numbers)


@flaw("metrics-per-worker")
def _metrics_per_worker(_app: FastAPI) -> None:
    """Each worker tells what it has counted itself."""
    observability.exposition = lambda: observability.generate_latest(observability.REGISTRY)


@flaw("metrics-missing-series")
def _metrics_missing_series(_app: FastAPI) -> None:
    sound = observability.exposition
    observability.exposition = lambda: b"\n".join(
        line for line in sound().splitlines() if b"http_request_duration_seconds" not in line
    )


@flaw("plaintext-copied-to-json")
def _plaintext_copied_to_json(app: FastAPI) -> None:
    """What was sealed in its column is written beside it in clear, for debugging."""
    sound = audit.record

    def record(session: Any, request: Request, action: str, **details: Any) -> None:
        row = next((r for r in session if isinstance(r, models.OracleUser)), None)
        if row is not None:
            details["mother_name"] = oracle.unseal(row.mother_name)
        sound(session, request, action, **details)

    audit.record = record


@flaw("stub-undeclared")
def _stub_undeclared(app: FastAPI) -> None:
    async def export(principal: Anyone) -> None:
        raise HTTPException(501, "Not implemented.")

    app.add_api_route("/api/oracle/export", export, methods=["GET"])
