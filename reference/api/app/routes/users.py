"""Accounts: oneself, and all of them for admins."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import select

from app.access import GUARDED, Admin, Anyone, answers
from app.database import transaction
from app.models import User
from app.schemas import Limit, Me, Offset, UserChange
from app.schemas import User as UserOut
from app.services import audit

router = APIRouter(prefix="/api/users", tags=["users"])


@router.get("", responses=GUARDED)
def list_users(principal: Admin, limit: Limit = 50, offset: Offset = 0) -> list[UserOut]:
    """All accounts."""
    with transaction() as session:
        rows = session.scalars(select(User).order_by(User.username).limit(limit).offset(offset))
        return [UserOut.model_validate(row) for row in rows]


@router.get("/me", responses=GUARDED)
async def me(principal: Anyone) -> Me:
    """Who the service thinks is calling, and what they may do."""
    return Me(
        id=principal.user_id,
        username=principal.username,
        role=principal.role,
        scopes=sorted(principal.scopes),
    )


@router.patch("/{user_id}", responses=GUARDED | answers(404))
def change_user(user_id: UUID, body: UserChange, principal: Admin, request: Request) -> UserOut:
    """Change a role, or shut an account. Takes effect with that user's next request."""
    changes = body.model_dump(exclude_none=True)
    with transaction() as session:
        user = session.get(User, user_id)
        if user is None:
            raise HTTPException(404, "Not found.")
        for name, value in changes.items():
            setattr(user, name, value)
        what = ("user", user_id)
        audit.record(session, request, "user.change", who=principal, resource=what, **changes)
        session.flush()
        return UserOut.model_validate(user)
