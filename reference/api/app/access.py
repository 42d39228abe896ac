"""What a route may ask of its caller: a scope, and that an object is theirs."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import HTTPException, Request, Security
from fastapi.security import APIKeyHeader, HTTPBearer, SecurityScopes
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.models import Finding, OracleReading, OracleUser
from app.schemas import Problem
from app.services import audit
from app.services.tokens import Principal

# For the OpenAPI document: the credentials themselves were looked at by `middleware.Admit`.
BEARER = HTTPBearer(auto_error=False, description="JWT, API key, or the legacy key")
API_KEY = APIKeyHeader(name="X-API-Key", auto_error=False)

Row = TypeVar("Row", OracleUser, OracleReading, Finding)


async def authorize(
    request: Request,
    wanted: SecurityScopes,
    _bearer: Annotated[Any, Security(BEARER)] = None,
    _key: Annotated[Any, Security(API_KEY)] = None,
) -> Principal:
    """The caller, who has proven who they are (else 401) and holds the scopes (else 403)."""
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is None:
        raise HTTPException(401, "Authentication required.", {"WWW-Authenticate": "Bearer"})
    missing = set(wanted.scopes) - principal.scopes
    if missing:
        raise HTTPException(403, f"Scope required: {', '.join(sorted(missing))}.")
    return principal


Anyone = Annotated[Principal, Security(authorize)]
OracleReader = Annotated[Principal, Security(authorize, scopes=["oracle:read"])]
OracleWriter = Annotated[Principal, Security(authorize, scopes=["oracle:write"])]
VaultReader = Annotated[Principal, Security(authorize, scopes=["vault:read"])]
VaultWriter = Annotated[Principal, Security(authorize, scopes=["vault:write"])]
Admin = Annotated[Principal, Security(authorize, scopes=["admin"])]


def own(query: Select[Any], table: type[Any], principal: Principal, area: str) -> Select[Any]:
    """Narrow a query to what the caller may see."""
    return query if principal.sees_all(area) else query.where(table.owner_id == principal.user_id)


def get_own(
    session: Session,
    request: Request,
    table: type[Row],
    identifier: UUID,
    principal: Principal,
    area: str,
) -> Row:
    """One object of the caller's. Someone else's is 404 as well: its existence is theirs, too."""
    row = session.get(table, identifier)
    if row is None or getattr(row, "deleted_at", None) is not None:
        raise HTTPException(404, "Not found.")
    if not principal.sees_all(area) and row.owner_id != principal.user_id:
        what = (table.__tablename__, identifier)
        audit.record(session, request, "access.denied", success=False, who=principal, resource=what)
        session.commit()  # the denial stands although the request fails
        raise HTTPException(404, "Not found.")
    return row


def answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The errors that an operation documents, on top of those that every one may answer."""
    return {code: {"model": Problem} for code in (429, 503, *codes)}


GUARDED = answers(401, 403)

# Declared public: an operation without this asks who is calling.
PUBLIC: dict[str, Any] = {"security": []}
