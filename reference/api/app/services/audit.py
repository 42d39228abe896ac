"""The audit log: who did what, to which object, from where, and whether it was allowed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session
from starlette.requests import HTTPConnection

from app.models import AuditEntry
from app.services.tokens import Principal


def client_address(request: HTTPConnection) -> str:
    """The peer's address. Forwarding headers are uvicorn's to judge, never believed here."""
    return request.client.host if request.client else "unknown"


def record(
    session: Session,
    request: HTTPConnection,
    action: str,
    *,
    success: bool = True,
    who: Principal | UUID | None = None,
    resource: tuple[str, object] | None = None,
    **details: Any,
) -> None:
    """Add an entry to the caller's transaction: it stands if and only if the action does."""
    user_id = who.user_id if isinstance(who, Principal) else who
    if isinstance(who, Principal) and who.user_id is None:
        details["actor"] = who.username
    session.add(
        AuditEntry(
            user_id=user_id,
            action=action,
            resource_type=resource[0] if resource else None,
            resource_id=str(resource[1])[:64] if resource else None,
            success=success,
            ip_address=client_address(request),
            details=details,
        )
    )
