"""The audit log, for admins."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from app.access import GUARDED, Admin
from app.database import transaction
from app.models import AuditEntry
from app.schemas import AuditEntry as AuditEntryOut
from app.schemas import Limit, Offset

router = APIRouter(prefix="/api/audit", tags=["audit"])


@router.get("", responses=GUARDED)
def list_audit(
    principal: Admin,
    action: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z_.]+$")] = None,
    limit: Limit = 50,
    offset: Offset = 0,
) -> list[AuditEntryOut]:
    """Newest first, of one action or of all."""
    query = select(AuditEntry).order_by(AuditEntry.timestamp.desc(), AuditEntry.id.desc())
    if action:
        query = query.where(AuditEntry.action == action)
    with transaction() as session:
        rows = session.scalars(query.limit(limit).offset(offset)).all()
    return [AuditEntryOut.model_validate(row) for row in rows]
