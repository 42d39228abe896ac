"""Forgeries are never right by accident, and what was tried is told without secrets."""

from __future__ import annotations

import base64
import binascii
import json
import string
import time
from contextlib import suppress
from pathlib import Path

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness.checks.security.authn import forgeries_refused
from readiness.sources.authentication import attempts
from readiness.sources.default_secrets import SHIPPED, of_repository, shipped
from readiness.sources.forgery import (
    forged_opaque,
    forged_tokens,
    issued,
    no_credential,
    partly_kept,
    read_token,
)
from readiness.target import Repository

KEY = "a-signing-key-that-is-long-enough-for-every-digest-there-is-0123456789"
CLAIMS = st.fixed_dictionaries(
    {"sub": st.one_of(st.text(max_size=20), st.uuids().map(str), st.just("admin"))},
    optional={
        "exp": st.integers(4_000_000_000, 5_000_000_000),
        "role": st.sampled_from(["user", "admin", ""]),
        "scopes": st.lists(st.text(max_size=8), max_size=3),
        "is_admin": st.booleans(),
        "name": st.text(max_size=40),
    },
)


@settings(max_examples=60, deadline=None)
@given(CLAIMS)
def test_no_forged_token_is_accepted_by_a_sound_verifier(claims: dict[str, object]):
    text = jwt.encode(claims, KEY, "HS256")
    token = read_token(text)
    assert token is not None
    tried = [*no_credential(), *forged_tokens(token)]
    assert len({attempt.name for attempt in tried}) == len(tried)
    for attempt in tried:
        with pytest.raises(jwt.InvalidTokenError):
            jwt.decode(
                attempt.value or "", KEY, algorithms=["HS256"], options={"verify_sub": False}
            )


@given(st.text(string.ascii_letters, min_size=1), st.text(string.printable.strip(), min_size=2))
def test_no_altered_basic_credential_is_the_same_login(name: str, password: str):
    """As services read it: what follows the padding of base64 is dropped."""
    login = f"{name}:{password}".encode()
    for attempt in forged_opaque(base64.b64encode(login).decode()):
        said = base64.b64decode(attempt.value or "")
        assert said.startswith(f"{name}:".encode()), attempt.name
        assert said != login, attempt.name


@given(st.binary(min_size=9, max_size=60))
def test_no_altered_credential_in_base64_stands_for_the_same_bytes(secret: bytes):
    text = base64.b64encode(secret).decode()
    for attempt in forged_opaque(text):
        with suppress(binascii.Error):  # no base64 at all, which no service takes for the secret
            assert base64.b64decode(f"{attempt.value}==") != secret, attempt.name


@given(st.text(string.ascii_letters + string.digits + "-_.", min_size=12, max_size=200))
def test_no_altered_credential_is_the_valid_one(text: str):
    for attempt in [*forged_opaque(text), *partly_kept(text)]:
        assert attempt.value != text or attempt.name == "upper and lower case swapped"


@given(st.binary(min_size=9, max_size=60))
def test_a_changed_character_stands_for_other_bytes(raw: bytes):
    text = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    changed = {a.name: a.value for a in forged_opaque(text) if a.name.endswith("changed")}
    for value in changed.values():
        padded = (value or "") + "=" * (-len(value or "") % 4)
        assert base64.urlsafe_b64decode(padded) != raw


def test_a_token_signed_with_the_key_is_as_the_service_would_issue_it():
    token = read_token(jwt.encode({"sub": "x", "exp": 4_000_000_000}, KEY, "HS512", {"kid": "7"}))
    assert token is not None
    again = issued(token, token.payload, KEY)
    assert jwt.decode(again, KEY, algorithms=["HS512"]) == token.payload
    assert jwt.get_unverified_header(again)["kid"] == "7"


def test_what_is_no_token_is_read_as_none():
    for text in ("", "a.b", "a.b.c", "x" * 64, "e30.e30.", "e30.W10.c2ln", "a.b.c.d.e"):
        assert read_token(text) is None or text == "e30.e30."


def test_placeholders_are_found_and_named_by_their_variable(tmp_path: Path):
    (tmp_path / ".env.example").write_text(
        "# comment\nPORT=8000\nexport JWT_SECRET='change me' # now\nEMPTY_SECRET=\n"
        "DATABASE_URL=postgresql://app:placeholder-pw@db/app\nAPI_KEY=abc # short\nTOKEN=${OTHER}\n"
        'QUOTED_KEY="with # hash"\nbroken line\nDEBUG=true\nBAD_SECRET=\x07bell\n',
        encoding="utf-8",
    )
    (tmp_path / "compose.yml").write_text("a: ${PASSWORD:-changeme}\nb: ${TAG-latest}\n${X?no}")
    repository = Repository.model_validate(
        {"path": str(tmp_path), "compose": {"files": ["compose.yml"]}}
    )
    missing: list[str] = []
    found = {d.name: d.value for d in of_repository(repository, [".env.example", "no"], missing)}
    assert found == {
        ".env.example: JWT_SECRET": "change me",
        ".env.example: DATABASE_URL": "placeholder-pw",
        ".env.example: API_KEY": "abc",
        ".env.example: QUOTED_KEY": "with # hash",
        "compose.yml: PASSWORD": "changeme",
    }
    assert missing == ["no"]
    assert len({d.value for d in shipped([])}) == len(SHIPPED)


@pytest.mark.parametrize("name", ["sound", "placeholder-signing-key", "placeholder-bearer"])
def test_evidence_and_finding_hold_no_token_and_no_secret(name: str):
    specimen = next(s for s in forgeries_refused.specimens if s.name == name)
    with specimen.target() as target:
        evidence = attempts(target)
    judgement = forgeries_refused.assess([evidence], forgeries_refused.criteria())
    told = evidence.to_json() + json.dumps([list(judgement.offenders), judgement.observed])
    assert evidence.problem is None
    assert len(evidence.records) > 100
    for secret in (*SHIPPED[1:7], "replace-me-before-launch", "the-key-of-this", "its-password"):
        assert secret not in told.replace("default secret", "").replace("default_secrets", "")
    assert "eyJ" not in told  # how every JSON Web Token begins


def test_an_expired_token_is_tried_with_times_in_the_past():
    specimen = next(s for s in forgeries_refused.specimens if s.name == "expiry-ignored")
    with specimen.target() as target:
        evidence = attempts(target)
    got_in = {r["attempt"] for r in evidence.records if r["status"] == 200}
    assert got_in == {"expired yesterday"}
    assert evidence.facts["token"]["lifetime_minutes"] == 30
    assert evidence.collected_at.timestamp() <= time.time()
