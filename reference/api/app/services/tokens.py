"""Who is calling: JSON Web Tokens, API keys, and the legacy key.

A token says who someone is. What they may do is looked up each time, so that a changed role, a
disabled account or a logout takes effect with the next request, whichever worker answers it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.config import is_placeholder, settings

ALGORITHM = "HS256"
ACCESS_LIFETIME = timedelta(minutes=30)
REFRESH_LIFETIME = timedelta(days=1)
API_KEY_PREFIX = "nps_"

READ = ("oracle:read", "vault:read")
WRITE = (*READ, "oracle:write", "vault:write")
SCOPES: dict[str, tuple[str, ...]] = {
    "readonly": READ,
    "user": WRITE,
    "moderator": (*WRITE, "oracle:admin"),
    "admin": (*WRITE, "oracle:admin", "vault:admin", "admin"),
}


@dataclass(frozen=True)
class Principal:
    """The caller of a request, once proven."""

    user_id: UUID | None  # None: the legacy key, which stands for the installation itself
    username: str
    role: str
    scopes: frozenset[str]
    claims: dict[str, Any] | None = None  # of the token, when there is one

    def sees_all(self, area: str) -> bool:
        """Whether the caller sees everybody's objects in an area and not only their own."""
        return f"{area}:admin" in self.scopes


def issue(user_id: UUID, kind: str, session_id: UUID) -> str:
    """Sign a token. All tokens of one login share a session, so that logout ends them all."""
    now = datetime.now(UTC)
    lifetime = ACCESS_LIFETIME if kind == "access" else REFRESH_LIFETIME
    claims = {
        "sub": str(user_id),
        "typ": kind,
        "jti": str(uuid4()),
        "sid": str(session_id),
        "iat": now,
        "exp": now + lifetime,
    }
    return jwt.encode(claims, settings().jwt_secret, ALGORITHM)


def decode(token: str, kind: str) -> dict[str, Any]:
    """The claims of a valid token; `jwt.InvalidTokenError` for anything else."""
    claims = jwt.decode(
        token,
        settings().jwt_secret,
        algorithms=[ALGORITHM],  # never what the token itself proposes
        options={"require": ["exp", "iat", "sub", "jti", "sid", "typ"]},
    )
    if claims["typ"] != kind:
        raise jwt.InvalidTokenError(f"not a token for {kind}")
    return claims


def new_api_key() -> str:
    """A key with 256 random bits, recognisable by its prefix."""
    return API_KEY_PREFIX + secrets.token_urlsafe(32)


def hash_api_key(key: str) -> str:
    """What the database keeps of a key."""
    return hashlib.sha256(key.encode(errors="replace")).hexdigest()


def authenticate(session: Session, bearer: str | None, api_key: str | None) -> Principal | None:
    """The caller proven by these credentials; None when there are none or they are no good."""
    if api_key:
        return _by_api_key(session, api_key)
    if not bearer:
        return None
    if bearer.startswith(API_KEY_PREFIX):
        return _by_api_key(session, bearer)
    if is_legacy_key(bearer):
        return Principal(None, "legacy", "admin", frozenset(SCOPES["admin"]))
    try:
        claims = decode(bearer, "access")
    except jwt.InvalidTokenError:
        return None
    return by_claims(session, claims)


def is_legacy_key(bearer: str) -> bool:
    """Compare in constant time; a key that everybody knows is no key."""
    expected = settings().api_secret_key
    same = hmac.compare_digest(bearer.encode(errors="replace"), expected.encode())
    return same and not is_placeholder(expected)


def by_claims(session: Session, claims: dict[str, Any]) -> Principal | None:
    """The active user of a token that has not been revoked."""
    row = session.execute(
        text(
            """SELECT id, username, role FROM users WHERE id = :user_id AND is_active
               AND NOT EXISTS (SELECT FROM revoked_tokens WHERE id IN (:jti, :sid))"""
        ),
        {"user_id": UUID(claims["sub"]), "jti": UUID(claims["jti"]), "sid": UUID(claims["sid"])},
    ).first()
    if row is None:
        return None
    return Principal(row.id, row.username, row.role, frozenset(SCOPES[row.role]), claims)


def _by_api_key(session: Session, key: str) -> Principal | None:
    row = session.execute(
        text(
            """SELECT u.id, u.username, u.role, k.scopes FROM api_keys k JOIN users u
               ON u.id = k.user_id WHERE k.key_hash = :hash AND u.is_active
               AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())"""
        ),
        {"hash": hash_api_key(key)},
    ).first()
    if row is None:
        return None
    # A key never outgrows its user, whose role may have shrunk since.
    scopes = frozenset(row.scopes) & frozenset(SCOPES[row.role])
    return Principal(row.id, row.username, row.role, scopes)


def revoke(session: Session, identifier: str, user_id: UUID) -> None:
    """Refuse a token or a session from now on, and drop what would have expired by itself."""
    session.execute(text("DELETE FROM revoked_tokens WHERE expires_at < now()"))
    session.execute(
        text(
            """INSERT INTO revoked_tokens (id, user_id, expires_at)
               VALUES (:id, :user_id, :expires_at) ON CONFLICT (id) DO NOTHING"""
        ),
        {
            "id": UUID(identifier),
            "user_id": user_id,
            "expires_at": datetime.now(UTC) + REFRESH_LIFETIME,
        },
    )
