"""Passwords, and the lock that falls after repeated failures."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64decode, b64encode

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.config import settings

# About 30 ms and 8 MiB a try: what the target for logins, 50 ms, leaves room for.
COST, BLOCK, PARALLEL = 2**13, 8, 1


def hash_password(password: str) -> str:
    """A salted scrypt hash that carries its own parameters."""
    salt = os.urandom(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, n=COST, r=BLOCK, p=PARALLEL)
    return (
        f"scrypt${COST}${BLOCK}${PARALLEL}${b64encode(salt).decode()}${b64encode(digest).decode()}"
    )


def verify_password(password: str, hashed: str) -> bool:
    """Whether the password is the one that was hashed; takes the same time either way."""
    scheme, cost, block, parallel, salt, digest = hashed.split("$")
    if scheme != "scrypt":
        raise ValueError(f"unknown password hash {scheme!r}")
    n, r, p = int(cost), int(block), int(parallel)
    tried = hashlib.scrypt(password.encode(), salt=b64decode(salt), n=n, r=r, p=p)
    return hmac.compare_digest(tried, b64decode(digest))


# Compared against when the name is unknown, so that the time taken does not tell who exists.
NOBODY = hash_password(os.urandom(16).hex())


def seconds_locked(session: Session, username: str) -> int:
    """How long this name stays locked; 0 when it is not."""
    query = text(
        """SELECT ceil(extract(epoch FROM last_failure - now()) + :seconds)::int
           FROM login_failures WHERE username = :username AND failures >= :allowed"""
    )
    found = session.execute(
        query,
        {
            "username": username,
            "allowed": settings().lockout_failures,
            "seconds": settings().lockout_seconds,
        },
    ).scalar()
    return max(0, found or 0)


def count_failure(session: Session, username: str) -> None:
    """One more failure; the count starts again when the last is longer ago than the lock."""
    session.execute(
        text(
            """INSERT INTO login_failures AS f (username, failures, last_failure)
               VALUES (:username, 1, now())
               ON CONFLICT (username) DO UPDATE SET last_failure = now(), failures = CASE
                 WHEN f.last_failure < now() - make_interval(secs => :seconds) THEN 1
                 ELSE f.failures + 1 END"""
        ),
        {"username": username, "seconds": settings().lockout_seconds},
    )


def forget_failures(session: Session, username: str) -> None:
    """A login that worked wipes the slate."""
    session.execute(
        text("DELETE FROM login_failures WHERE username = :username"), {"username": username}
    )
