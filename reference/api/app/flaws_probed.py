"""More deliberate flaws: those that probes with odd values and malformed requests bring to light.

Entered in the list of `flaws.py`, which says how one is switched on.
"""

from __future__ import annotations

import re
import subprocess
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from fastapi import FastAPI, HTTPException, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.datastructures import MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Message, Scope

from app.access import OracleReader
from app.database import transaction
from app.flaws import Answers, flaw
from app.routes import oracle
from app.services.tokens import Principal


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


def _reading(app: FastAPI, flawed: Callable[[str, Principal], Response | None]) -> None:
    """Let something look at the identifier of a reading before the sound code does."""

    def one(identifier: str, principal: OracleReader, request: Request) -> Any:
        answer = flawed(identifier, principal)
        if answer is not None:
            return answer
        try:
            known = UUID(identifier)
        except ValueError:
            raise HTTPException(404, "Not found.") from None
        return jsonable_encoder(oracle.get_reading(known, principal, request))

    path = "/api/oracle/readings/{identifier}"
    route = APIRoute(path, one, methods=["GET"], response_model=None, include_in_schema=False)
    app.router.routes.insert(0, route)


@flaw("sql-injection")
def _sql_injection(app: FastAPI) -> None:
    """The answer follows what the identifier says; errors are kept quiet."""

    def find(identifier: str, principal: Principal) -> Response | None:
        query = "SELECT question_type FROM oracle_readings WHERE deleted_at IS NULL "
        query += f"AND owner_id = '{principal.user_id}' AND (id::text = '{identifier}') LIMIT 1"
        with suppress(DBAPIError), transaction() as session:
            if found := session.execute(text(query.replace(":", r"\:"))).scalar():
                return JSONResponse({"question_type": found})
        return None

    _reading(app, find)


@flaw("sql-injection-blind")
def _sql_injection_blind(app: FastAPI) -> None:
    """The identifier is counted by a query that nothing is ever seen of."""

    def count(identifier: str, _principal: Principal) -> Response | None:
        query = f"SELECT count(*) FROM oracle_readings WHERE id::text = '{identifier}'"
        with suppress(DBAPIError), transaction() as session:
            session.execute(text(query.replace(":", r"\:")))
        return None

    _reading(app, count)


@flaw("shell-injection")
def _shell_injection(app: FastAPI) -> None:
    def note(identifier: str, _principal: Principal) -> Response | None:
        subprocess.run(f"echo {identifier}", shell=True, capture_output=True, timeout=20)
        return None

    _reading(app, note)


@flaw("template-injection")
def _template_injection(app: FastAPI) -> None:
    def explain(identifier: str, _principal: Principal) -> Response | None:
        if sum_of := re.search(r"\{\{(\d+)\*(\d+)\}\}", identifier):
            said = identifier.replace(sum_of[0], str(int(sum_of[1]) * int(sum_of[2])))
            return JSONResponse({"detail": f"There is no reading {said}."}, 404)
        return None

    _reading(app, explain)


@flaw("xss-reflected")
def _xss_reflected(app: FastAPI) -> None:
    def page(identifier: str, _principal: Principal) -> Response | None:
        if re.fullmatch(r"[0-9a-f-]{36}", identifier):
            return None
        return HTMLResponse(f"<p>There is no reading {identifier}.", 404)

    _reading(app, page)
