"""More deliberate flaws: those that probes with odd values and malformed requests bring to light.

Entered in the list of `flaws.py`, which says how one is switched on.
"""

from __future__ import annotations

import traceback

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import Message, Scope

from app.flaws import Answers, flaw


@flaw("server-version-told")
def _server_version_told(app: FastAPI) -> None:
    def tell(_scope: Scope, message: Message) -> None:
        MutableHeaders(scope=message)["Server"] = "nps-api/4.1.0"

    app.add_middleware(Answers, change=tell)


@flaw("error-with-trace")
def _error_with_trace(app: FastAPI) -> None:
    async def explain(_request: Request, error: RequestValidationError) -> JSONResponse:
        try:
            raise error
        except RequestValidationError:
            return JSONResponse({"detail": traceback.format_exc(limit=3)}, 422)

    app.add_exception_handler(RequestValidationError, explain)  # type: ignore[arg-type]


@flaw("docs-served-though-off")
def _docs_served_though_off(app: FastAPI) -> None:
    async def docs() -> HTMLResponse:
        return HTMLResponse("<!doctype html><title>API</title><div id=swagger-ui></div>")

    app.add_api_route("/docs", docs, include_in_schema=False)


@flaw("session-cookie-bare")
def _session_cookie_bare(app: FastAPI) -> None:
    def set_cookie(scope: Scope, message: Message) -> None:
        if scope["path"] == "/api/auth/login" and message["status"] == 200:
            MutableHeaders(scope=message).append("Set-Cookie", "session=opaque; Path=/")

    app.add_middleware(Answers, change=set_cookie)
