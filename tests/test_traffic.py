"""What the audit sends is written down, keeps to the service's limits, and stops in time."""

from __future__ import annotations

import json
import time

import pytest
from readiness.evidence import source
from readiness.finding import NotMeasured, Reason
from readiness.loopback import Response, serve
from readiness.sources import leaks, probes
from readiness.sources.client import client, hazardous
from readiness.sources.pace import Allowance, allowance
from readiness.traffic import Stopped
from test_http import target_at


@source("passive")
def asks_twice(target):
    with client(target) as http:
        http.send("GET", "/items/7", operation="GET /items/{id}")
        http.send("GET", "/items/7", operation="GET /items/{id}")
        http.send("GET", "/?token=a-secret")
        raise NotMeasured(Reason.INCONCLUSIVE, "found nothing out")


def test_the_ledger_is_in_the_evidence_also_of_a_source_that_found_nothing():
    with serve(lambda r: Response()) as url:
        evidence = asks_twice(target_at(url))
    items, root = evidence.facts["requests"]
    assert (items["operation"], items["path"], items["times"]) == (
        "GET /items/{id}",
        "/items/7",
        2,
    )
    assert (root["operation"], root["status"]) == ("GET /", 200)
    assert items["source"] == "test_traffic.asks_twice"
    assert evidence.facts["requests_sent"] == 3


def test_the_budget_is_shared_by_all_sources():
    with serve(lambda r: Response()) as url:
        target = target_at(url, max_requests=3)
        asks_twice(target)
        again = asks_twice(target)
    assert again.problem
    assert "max_requests" in again.problem.message
    assert len(target.traffic.entries) == 3


def ask(http, times, **how):
    return [http.send("GET", "/", **how).status for _ in range(times)]


def test_a_service_that_begins_to_fail_is_left_alone():
    asked = iter(range(1000))
    with serve(lambda r: Response(200 if next(asked) < 15 else 502)) as url:
        target = target_at(url)
        with client(target) as http, pytest.raises(Stopped, match="11 of the last 20"):
            ask(http, 100)
        assert len(target.traffic.entries) == 26
        with client(target) as http, pytest.raises(Stopped):  # nor does another source ask on
            http.send("GET", "/")


def test_errors_that_were_provoked_stop_nothing_but_silence_does():
    with serve(lambda r: Response(500)) as url, client(target_at(url)) as http:
        assert ask(http, 40, provoked=True) == [500] * 40
    with client(target_at("http://127.0.0.1:9")) as http, pytest.raises(Stopped):
        ask(http, 40, provoked=True)


def test_a_service_that_slows_down_is_left_alone_and_a_slow_one_is_not(monkeypatch):
    monkeypatch.setattr("readiness.traffic.SHORTEST_SLOWNESS_MS", 20.0)
    asked = iter(range(1000))
    with serve(lambda r: Response(delay_s=0.03 if next(asked) >= 8 else 0)) as url:
        with client(target_at(url, stop_at_slowdown=3)) as http, pytest.raises(Stopped, match="at"):
            ask(http, 30)
        with client(target_at(url, stop_at_slowdown=3)) as http:
            assert ask(http, 12) == [200] * 12


def test_declared_stubs_fail_by_design():
    stub = {"operation": "GET /later", "status": 503, "reason": "not built"}
    with (
        serve(lambda r: Response(503)) as url,
        client(target_at(url, stubs=[stub])) as http,
    ):
        assert {http.send("GET", "/later").status for _ in range(25)} == {503}


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "3", "x-ratelimit-reset": "9"}, 9),
        ({"ratelimit-limit": "60, 60;w=60", "ratelimit-remaining": "3", "ratelimit-reset": "9"}, 9),
        ({"ratelimit": '"default";r=3;t=9', "ratelimit-policy": '"default";q=60;w=60'}, 9),
        ({"ratelimit": "limit=60, remaining=3, reset=9"}, 9),
        ({"x-ratelimit-limit": "60", "x-ratelimit-remaining": "3", "x-ratelimit-reset": ""}, None),
        ({"x-ratelimit-remaining": "lots", "x-ratelimit-reset": "9"}, None),
        ({}, None),
    ],
)
def test_an_allowance_is_read_however_it_is_told(headers, told):
    expected = Allowance(60, 3, 9) if told else None
    assert allowance(headers.get) == expected


def test_a_reset_may_be_a_time():
    at = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0"}
    at["x-ratelimit-reset"] = str(int(time.time()) + 30)
    told = allowance(at.get)
    assert told
    assert 28 <= told.reset_s <= 30


def limited(header: int):
    """A service that allows so many requests in half a second and then refuses."""
    seen: list[float] = []

    def answer(_request):
        now = time.monotonic()
        seen[:] = [t for t in seen if now - t < 0.5] + [now]
        left = max(0, header - len(seen))
        sent = [("X-RateLimit-Limit", str(header)), ("X-RateLimit-Remaining", str(left))]
        return Response(200 if len(seen) <= header else 429, [*sent, ("X-RateLimit-Reset", "1")])

    return answer


def test_the_audit_keeps_under_the_limit_and_says_how_long_it_took():
    with serve(limited(5)) as url:
        target = target_at(url)
        with client(target) as http:
            assert {http.send("GET", "/").status for _ in range(8)} == {200}
    assert target.traffic.waited_s > 1
    assert target.traffic.limits == {"5 requests in a window"}


def test_a_burst_takes_the_limit_for_an_answer():
    with serve(limited(5)) as url, client(target_at(url)) as http:
        statuses = [http.send("GET", "/", burst=True).status for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3


def test_patience_has_an_end():
    with serve(limited(5)) as url, client(target_at(url, max_wait_s=0.1)) as http:
        started = time.monotonic()
        assert 429 in {http.send("GET", "/").status for _ in range(8)}
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("operation", "kept_away"),
    [
        ("POST /hub/api/shutdown", True),
        ("DELETE /users/{id}", True),
        ("POST /jobs/{id}/terminate", True),
        ("PUT /accounts/{id}/deactivate", True),
        ("GET /hub/api/shutdown", False),
        ("POST /users", False),
        ("PATCH /users/{id}", False),
    ],
)
def test_probes_keep_away_from_what_cannot_be_taken_back(operation, kept_away):
    assert hazardous(operation) is kept_away


def test_a_malformed_body_is_not_tried_on_a_shutdown():
    body = {"requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}}
    paths = {"/shutdown": {"post": body}, "/items": {"post": body}}
    document = json.dumps(
        {"openapi": "3.1.0", "info": {"title": "x", "version": "1"}, "paths": paths}
    )
    called = []

    def answer(request):
        called.append(f"{request.method} {request.path}")
        return Response(200, [("Content-Type", "application/json")], document.encode())

    with serve(answer) as url:
        leaks.provoked(target_at(url, openapi="/openapi.json").allowing(["passive", "active"]))
    assert "POST /items" in called
    assert "POST /shutdown" not in called


@pytest.mark.parametrize(
    ("operation", "reason"),
    [("GET /", Reason.NO_SAMPLES), ("GET /things/{id}", None)],
)
def test_probes_without_a_parameter_say_that_there_is_none(operation, reason):
    with serve(lambda _: Response(404 if operation == "GET /" else 200)) as url:
        target = target_at(url, permit=("passive", "active"), operations=[operation])
        probed = probes.parameters(target)
    assert (probed.problem and probed.problem.reason) == reason
    if reason:
        assert probed.problem.message.startswith(
            "no operation has a parameter to probe (operations"
        )


def test_probes_change_nothing_that_an_example_names():
    """A Jupyter server had its file renamed: PATCH took the path that was there for reading."""
    name = {"name": "path", "in": "path", "required": True, "schema": {"type": "string"}}
    schema = {"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    paths = {"/files/{path}": {"parameters": [name], "get": {}, "patch": body, "put": body}}
    document = json.dumps({"openapi": "3.1.0", "paths": paths}).encode()
    kind = [("Content-Type", "application/json")]
    called = []

    def answer(request):
        called.append((request.method, request.path))
        if request.path == "/openapi.json":
            return Response(200, kind, document)
        known = request.path == "/files/a.txt"
        return Response(200 if known else 404, kind, b'{"detail": "no such file"}')

    with serve(answer) as url:
        asked = {"openapi": "/openapi.json", "examples": {"path": "a.txt"}}
        probed = probes.parameters(target_at(url, permit=("passive", "active"), **asked))
    changed = {path for method, path in called if method in ("PATCH", "PUT")}
    assert ("GET", "/files/a.txt") in called
    assert changed
    assert not any("a.txt" in path for path in changed)
    bodies = {r["kept_out"] for r in probed.records if r["where"] == "body"}
    assert bodies == {"absent"}  # the service answers so, whatever is not there
