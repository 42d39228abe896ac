"""Is it alive, is it ready, how is it doing: for orchestrators and for Prometheus."""

from __future__ import annotations

import logging

from fastapi import APIRouter, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import __version__, observability
from app.access import PUBLIC
from app.config import settings
from app.database import engine
from app.schemas import Health, Readiness

router = APIRouter(tags=["health"])
log = logging.getLogger(__name__)


@router.get("/api/health", openapi_extra=PUBLIC)
async def health() -> Health:
    """Liveness: the process answers. Looks at nothing else, so that no outage restarts it."""
    return Health(status="ok", version=__version__, commit=settings().commit)


@router.get("/api/readiness", responses={503: {"model": Readiness}}, openapi_extra=PUBLIC)
def readiness(response: Response) -> Readiness:
    """Readiness: the database answers a query and holds the schema."""
    try:
        with engine().connect() as connection:
            connection.execute(text("SELECT FROM users LIMIT 1"))
    except SQLAlchemyError:
        log.exception("not ready")
        response.status_code = 503
        return Readiness(status="unavailable", checks={"database": "failed"})
    return Readiness(status="ready", checks={"database": "ok"})


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}},
    openapi_extra=PUBLIC,
)
def metrics() -> Response:
    """Prometheus' exposition; nginx serves it to nobody outside."""
    return Response(
        observability.exposition(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
