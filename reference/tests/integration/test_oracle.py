"""People, readings, findings, stubs, and health."""

from __future__ import annotations

from uuid import uuid4

import pytest


@pytest.fixture
def person(login):
    body = {"name": f"Test {uuid4().hex[:8]}", "birthday": "1990-05-15", "mother_name": "مریم 🌙"}
    answer = login("user").post("/api/oracle/users", json=body)
    assert answer.status_code == 201
    yield answer.json()
    login("user").delete(f"/api/oracle/users/{answer.json()['id']}")


def test_a_person_is_kept_as_given(login, person):
    found = login("user").get(f"/api/oracle/users/{person['id']}").json()
    assert found["mother_name"] == "مریم 🌙"


def test_a_change_leaves_the_rest(login, person):
    path = f"/api/oracle/users/{person['id']}"
    changed = login("user").patch(path, json={"mother_name": "Zoë"}).json()
    assert changed["mother_name"] == "Zoë"
    assert changed["name"] == person["name"]


def test_another_user_sees_nothing(login, person):
    path = f"/api/oracle/users/{person['id']}"
    other = login("user2")
    assert other.get(path).status_code == 404
    assert other.patch(path, json={"name": "Mine"}).status_code == 404
    assert other.delete(path).status_code == 404
    assert person["id"] not in [p["id"] for p in other.get("/api/oracle/users?limit=100").json()]


def test_what_is_deleted_is_not_served(login, person):
    path = f"/api/oracle/users/{person['id']}"
    assert login("user").delete(path).status_code == 204
    assert login("user").get(path).status_code == 404


def test_a_question_is_answered(login):
    answer = login("user").post("/api/oracle/question", json={"question": "چرا؟"})
    assert answer.status_code == 201
    assert answer.json()["question"] == "چرا؟"
    assert answer.json()["ai_interpretation"] is None


def test_an_interpretation_is_asked_for(login):
    body = {"question": "Why?", "interpret": True}
    answer = login("user").post("/api/oracle/question", json=body).json()
    assert answer["ai_interpretation"]
    assert answer["reading_result"]["worded_by"] == "provider"


def test_a_moment_is_read(login):
    body = {"moment": "2026-02-16T22:00:00Z"}
    answer = login("user").post("/api/oracle/time", json=body)
    assert answer.json()["reading_result"]["number"] == 5


def test_secrets_of_findings_are_never_served(login):
    address = uuid4().hex
    body = {"chain": "btc", "address": address, "private_key": "not to be seen"}
    answer = login("user").post("/api/vault/findings", json=body)
    assert answer.json()["secrets"] == ["private_key"]
    assert "not to be seen" not in answer.text
    assert login("user").delete(f"/api/vault/findings/{answer.json()['id']}").status_code == 204


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"question": 1}', b'{"question": "\\ud800"}'])
def test_a_malformed_body_is_no_accident(login, content):
    headers = {"Content-Type": "application/json"}
    answer = login("user").post("/api/oracle/question", content=content, headers=headers)
    assert answer.status_code == 422
    assert "Traceback" not in answer.text


def test_stubs_say_so(login):
    assert login("user").post("/api/oracle/multi-user").status_code == 503
    assert login("user").get("/api/scanner/status").status_code == 501


def test_health_and_metrics(anonymous):
    assert anonymous.get("/api/health").json()["status"] == "ok"
    assert anonymous.get("/api/readiness").json()["checks"] == {"database": "ok"}
    assert "http_request_duration_seconds_bucket" in anonymous.get("/metrics").text
