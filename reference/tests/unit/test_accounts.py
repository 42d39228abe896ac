"""Passwords, tokens, settings: what decides who gets in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import jwt
import pytest
from app import config
from app.services import accounts, limits, tokens

GOOD = "b64d0c6b1f0e4f6e9a7c2d5e8f1a3b4c"


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    values = dict.fromkeys(config.Settings.__dataclass_fields__, "x")
    values |= {"jwt_secret": GOOD, "api_secret_key": GOOD[::-1], "commit": "none"}
    settings = config.Settings(**values)
    monkeypatch.setattr(tokens, "settings", lambda: settings)
    return settings


def test_a_password_is_known_again():
    hashed = accounts.hash_password("correct horse")
    assert accounts.verify_password("correct horse", hashed)
    assert not accounts.verify_password("correct hors", hashed)


def test_one_password_hashes_differently_each_time():
    assert accounts.hash_password("same") != accounts.hash_password("same")


def test_an_unknown_hash_is_an_error():
    with pytest.raises(ValueError, match="unknown password hash"):
        accounts.verify_password("x", "md5$1$1$1$AA==$AA==")


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_a_token_is_good_for_its_kind(kind):
    user, session = uuid4(), uuid4()
    claims = tokens.decode(tokens.issue(user, kind, session), kind)
    assert claims["sub"] == str(user)
    assert claims["sid"] == str(session)


def test_a_refresh_token_is_no_access_token():
    with pytest.raises(jwt.InvalidTokenError):
        tokens.decode(tokens.issue(uuid4(), "refresh", uuid4()), "access")


def test_an_access_token_is_short_lived():
    claims = tokens.decode(tokens.issue(uuid4(), "access", uuid4()), "access")
    assert claims["exp"] - claims["iat"] == 30 * 60


def forged(key: str = GOOD, algorithm: str = "HS256", without: str = "", **changes) -> str:
    now = datetime.now(UTC)
    claims = {"sub": "s", "jti": "j", "sid": "i", "typ": "access", "iat": now}
    claims |= {"exp": now + timedelta(minutes=5), **changes}
    claims.pop(without, None)
    return jwt.encode(claims, key if algorithm != "none" else None, algorithm)


def test_the_forger_can_make_a_good_one():
    assert tokens.decode(forged(), "access")["sub"] == "s"


@pytest.mark.parametrize(
    "token",
    [
        forged(key="another" + GOOD),
        forged(algorithm="none"),
        forged(algorithm="HS512", key=GOOD * 2),
        forged(exp=datetime.now(UTC) - timedelta(seconds=1)),
        *(forged(without=claim) for claim in ("exp", "iat", "sub", "jti", "sid", "typ")),
        "no.token.atall",
    ],
)
def test_a_forged_token_is_refused(token):
    with pytest.raises((jwt.InvalidTokenError, KeyError)):
        tokens.decode(token, "access")


def test_roles_are_ordered():
    reader, user, moderator, admin = (
        set(tokens.SCOPES[role]) for role in ("readonly", "user", "moderator", "admin")
    )
    assert reader < user < moderator < admin


def test_an_api_key_is_kept_as_a_hash():
    key = tokens.new_api_key()
    assert key.startswith("nps_")
    assert key not in tokens.hash_api_key(key)


def test_the_legacy_key_is_compared_whole():
    assert tokens.is_legacy_key(GOOD[::-1])
    assert not tokens.is_legacy_key(GOOD[::-1][:-1])
    assert not tokens.is_legacy_key("")


@pytest.mark.parametrize("secret", ["", "brief", "change-me-jwt-secret", "Changeme" * 8])
def test_a_secret_that_anyone_could_know_is_refused(settings, secret):
    assert config.is_placeholder(secret)
    unsafe = config.Settings(**{**settings.__dict__, "jwt_secret": secret})
    with pytest.raises(config.UnsafeSettings, match="NPS_JWT_SECRET") as error:
        unsafe.check()
    assert not secret or secret not in str(error.value)


@pytest.mark.parametrize(("hits", "remaining"), [(1, "59"), (60, "0"), (61, "0")])
def test_an_allowance_tells_where_one_stands(hits, remaining):
    allowance = limits.Allowance(60, hits, 30)
    assert allowance.headers()["X-RateLimit-Remaining"] == remaining
    assert ("Retry-After" in allowance.headers()) == allowance.exceeded == (hits > 60)
