"""Logging in and out, and keys for machines."""

from __future__ import annotations

from uuid import UUID, uuid4

import jwt
from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.access import GUARDED, PUBLIC, Admin, Anyone, answers
from app.database import transaction
from app.models import ApiKey, User
from app.schemas import ApiKey as ApiKeyOut
from app.schemas import CreatedApiKey, Login, NewApiKey, NewUser, Refresh, Tokens
from app.schemas import User as UserOut
from app.services import accounts, audit, tokens

router = APIRouter(prefix="/api/auth", tags=["auth"])


def pair(user_id: UUID, session_id: UUID) -> Tokens:
    """An access token and the token that renews it."""
    return Tokens(
        access_token=tokens.issue(user_id, "access", session_id),
        refresh_token=tokens.issue(user_id, "refresh", session_id),
        expires_in=int(tokens.ACCESS_LIFETIME.total_seconds()),
    )


@router.post("/login", responses=answers(401, 423), openapi_extra=PUBLIC)
def login(body: Login, request: Request) -> Tokens:
    """Exchange a password for tokens. After repeated failures the name is locked for a while."""
    with transaction() as session:
        user = session.scalar(select(User).where(User.username == body.username))
        locked = accounts.seconds_locked(session, body.username)
        if locked:
            audit.record(
                session, request, "auth.locked", success=False, who=user.id if user else None
            )
    if locked:
        raise HTTPException(423, "Locked after failed logins.", {"Retry-After": str(locked)})
    # Outside of the transaction: hashing takes 30 ms, and a connection is too dear to hold.
    good = accounts.verify_password(body.password, user.password_hash if user else accounts.NOBODY)
    with transaction() as session:
        if user and good and user.is_active:
            accounts.forget_failures(session, body.username)
            audit.record(session, request, "auth.login", who=user.id, resource=("user", user.id))
            return pair(user.id, uuid4())
        accounts.count_failure(session, body.username)
        audit.record(
            session,
            request,
            "auth.login_failed",
            success=False,
            who=user.id if user else None,
            username=body.username,
        )
    raise HTTPException(401, "Wrong user name or password.", {"WWW-Authenticate": "Bearer"})


@router.post("/refresh", responses=answers(401), openapi_extra=PUBLIC)
def refresh(body: Refresh, request: Request) -> Tokens:
    """Renew the tokens. A refresh token works once."""
    refused = HTTPException(401, "Invalid token.", {"WWW-Authenticate": "Bearer"})
    try:
        claims = tokens.decode(body.refresh_token, "refresh")
    except jwt.InvalidTokenError:
        raise refused from None
    with transaction() as session:
        principal = tokens.by_claims(session, claims)
        if principal is None or principal.user_id is None:
            raise refused
        tokens.revoke(session, claims["jti"], principal.user_id)
        audit.record(session, request, "auth.refresh", who=principal)
        return pair(principal.user_id, UUID(claims["sid"]))


@router.post("/logout", status_code=204, responses=GUARDED)
def logout(principal: Anyone, request: Request) -> None:
    """End the session: all its tokens are refused from now on, by every worker."""
    with transaction() as session:
        if principal.claims and principal.user_id:
            tokens.revoke(session, principal.claims["sid"], principal.user_id)
        audit.record(session, request, "auth.logout", who=principal)


@router.post("/register", status_code=201, responses=GUARDED | answers(409))
def register(body: NewUser, principal: Admin, request: Request) -> UserOut:
    """Make a user; for admins."""
    user = User(
        username=body.username,
        password_hash=accounts.hash_password(body.password),
        role=body.role,
    )
    try:
        with transaction() as session:
            session.add(user)
            session.flush()
            session.refresh(user)
            audit.record(session, request, "user.create", who=principal, resource=("user", user.id))
    except IntegrityError:
        raise HTTPException(409, "That user name is taken.") from None
    return UserOut.model_validate(user)


@router.get("/api-keys", responses=GUARDED)
def list_api_keys(principal: Anyone) -> list[ApiKeyOut]:
    """The caller's own keys, without the keys themselves."""
    with transaction() as session:
        rows = session.scalars(select(ApiKey).where(ApiKey.user_id == principal.user_id))
        return [ApiKeyOut.model_validate(row) for row in rows]


@router.post("/api-keys", status_code=201, responses=GUARDED)
def create_api_key(body: NewApiKey, principal: Anyone, request: Request) -> CreatedApiKey:
    """Make a key that can do no more than its maker."""
    if principal.user_id is None or not set(body.scopes) <= principal.scopes:
        raise HTTPException(403, "A key cannot do more than its maker.")
    key = tokens.new_api_key()
    row = ApiKey(
        user_id=principal.user_id,
        name=body.name,
        key_hash=tokens.hash_api_key(key),
        scopes=list(body.scopes),
    )
    with transaction() as session:
        session.add(row)
        session.flush()
        session.refresh(row)
        what = ("api_key", row.id)
        audit.record(session, request, "api_key.create", who=principal, resource=what)
    return CreatedApiKey(**ApiKeyOut.model_validate(row).model_dump(), key=key)


@router.delete("/api-keys/{key_id}", status_code=204, responses=GUARDED | answers(404))
def revoke_api_key(key_id: UUID, principal: Anyone, request: Request) -> None:
    """Refuse one of the caller's keys from now on."""
    with transaction() as session:
        row = session.get(ApiKey, key_id)
        if row is None or row.user_id != principal.user_id:
            raise HTTPException(404, "Not found.")
        row.revoked_at = func.now()
        audit.record(
            session, request, "api_key.revoke", who=principal, resource=("api_key", key_id)
        )
