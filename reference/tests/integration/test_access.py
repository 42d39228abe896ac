"""Who gets in, and what they may do."""

from __future__ import annotations

import os
from uuid import uuid4

import httpx
import pytest

from .conftest import credentials

SIX = (
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
)


@pytest.mark.parametrize("path", ["/", "/assets/app.js", "/api/health", "/api/users", "/nowhere"])
def test_every_answer_has_the_security_headers(anonymous, path):
    answer = anonymous.get(path)
    assert [name for name in SIX if len(answer.headers.get_list(name)) != 1] == []
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/api/users", "/api/users/me", "/api/oracle/users", "/api/vault/findings", "/api/audit"],
)
def test_nobody_gets_nothing(anonymous, path):
    assert anonymous.get(path).status_code == 401


def test_a_wrong_password_is_refused(anonymous):
    wrong = {**credentials("moderator"), "password": "wrong"}
    assert anonymous.post("/api/auth/login", json=wrong).status_code == 401
    assert anonymous.post("/api/auth/login", json=credentials("moderator")).status_code == 200


def test_a_name_is_locked_after_five_failures(anonymous):
    guess = {"username": f"nobody-{uuid4().hex[:8]}", "password": "guess"}
    answers = [anonymous.post("/api/auth/login", json=guess) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [401] * 5 + [423]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_logout_holds_everywhere(anonymous):
    tokens = anonymous.post("/api/auth/login", json=credentials("user")).json()
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert anonymous.post("/api/auth/logout", headers=bearer).status_code == 204
    url = os.environ["NPS_BASE_URL"]  # a new connection each time meets either worker
    answers = [httpx.get(f"{url}/api/users/me", headers=bearer) for _ in range(10)]
    assert {answer.status_code for answer in answers} == {401}
    refresh = {"refresh_token": tokens["refresh_token"]}
    assert anonymous.post("/api/auth/refresh", json=refresh).status_code == 401


def test_a_refresh_token_works_once(anonymous):
    tokens = anonymous.post("/api/auth/login", json=credentials("user")).json()
    body = {"refresh_token": tokens["refresh_token"]}
    answers = [anonymous.post("/api/auth/refresh", json=body).status_code for _ in range(2)]
    assert answers == [200, 401]


@pytest.mark.parametrize("header", ["X-API-Key", "Authorization"])
def test_an_api_key_opens(anonymous, header):
    key = os.environ["NPS_API_KEY"]
    value = key if header == "X-API-Key" else f"Bearer {key}"
    assert anonymous.get("/api/users/me", headers={header: value}).status_code == 200
    assert anonymous.get("/api/users/me", headers={header: value[:-1]}).status_code == 401


def test_the_legacy_key_acts_as_admin(anonymous):
    bearer = {"Authorization": f"Bearer {os.environ['NPS_API_SECRET_KEY']}"}
    assert anonymous.get("/api/users", headers=bearer).status_code == 200


def test_a_reader_cannot_write(login):
    body = {"name": "X", "birthday": "2000-01-01"}
    assert login("readonly").post("/api/oracle/users", json=body).status_code == 403


def test_only_an_admin_sees_accounts_and_the_log(login):
    for path in ("/api/users", "/api/audit"):
        assert login("user").get(path).status_code == 403
        assert login("admin").get(path).status_code == 200


def test_a_failed_login_leaves_a_row(anonymous, login):
    name = f"stranger-{uuid4().hex[:8]}"
    anonymous.post("/api/auth/login", json={"username": name, "password": "x"})
    rows = login("admin").get("/api/audit?action=auth.login_failed&limit=20").json()
    row = next(row for row in rows if row["details"].get("username") == name)
    assert row["success"] is False
    assert row["ip_address"] == "127.0.0.1"


def test_a_costly_operation_is_limited_in_bursts(login):
    answers = [login("moderator").get("/api/oracle/daily") for _ in range(40)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert answers[0].status_code == 200
    assert refused
    assert 1 <= int(refused[0].headers["Retry-After"]) <= 3
    assert login("user").get("/api/oracle/daily").status_code == 200
