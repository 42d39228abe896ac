"""The application: what is served, and in what order a request passes through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles

from app import __version__, flaws, observability
from app.config import cors_origins, docs_enabled, settings
from app.database import engine
from app.middleware import Admit, Observe, SecurityHeaders, describe_process, problem
from app.routes import administration, auth, health, live, oracle, stubs, users, vault
from app.services import security

FRONTEND = Path(__file__).parents[2] / "frontend" / "dist"


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Refuse to serve unsafely; derive the key now and not during somebody's request."""
    settings().check()
    security.field_key()
    describe_process()
    yield
    engine().dispose()
    observability.forget_process()


app = FastAPI(
    title="NPS reference API",
    version=__version__,
    lifespan=lifespan,
    docs_url="/docs" if docs_enabled() else None,
    redoc_url=None,
    redirect_slashes=False,
)
for module in (health, auth, users, oracle, live, stubs, vault, administration):
    app.include_router(module.router)

if FRONTEND.exists():  # in the containers, nginx serves it
    app.mount("/assets", StaticFiles(directory=FRONTEND / "assets"), name="assets")

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        """The one page there is."""
        return FileResponse(FRONTEND / "index.html")

    @app.get("/index.html", include_in_schema=False)
    async def by_its_file() -> RedirectResponse:
        """Old bookmarks name the file."""
        return RedirectResponse("/", 308)


@app.exception_handler(RequestValidationError)
async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Say what is wrong and where, without repeating the input: it may hold a password."""
    details = [{name: item[name] for name in ("loc", "msg", "type")} for item in error.errors()]
    return problem(422, details)


# Added last is outermost: headers are on everything, also on what the others answer themselves.
app.add_middleware(Admit)
app.add_middleware(
    CORSMiddleware,
    allow_origins=cors_origins(),
    allow_methods=["GET", "POST", "PATCH", "DELETE"],
    allow_headers=["Authorization", "Content-Type", "X-API-Key"],
)
app.add_middleware(Observe)
app.add_middleware(SecurityHeaders)

flaws.install(app)
