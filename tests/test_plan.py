"""The audit sends no more than its plan said, and the plan sends nothing."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import pytest
from conftest import own_stack
from readiness.check import catalogue
from readiness.finding import AREAS
from readiness.loopback import Response, serve
from readiness.parameters import load
from readiness.plan import known_operations, planned
from readiness.sources.client import client
from readiness.sources.openapi import read_api
from test_http import target_at


def test_the_plan_sends_nothing_and_knows_a_document_that_is_a_file():
    asked = []
    with serve(lambda request: asked.append(request) or Response()) as url:
        described = {
            "openapi": "examples/jupyterhub/rest-api.yml",
            "roles": {"user": {"login": "POST /login", "username": "x", "password": "xy"}},
            "authentication": {"protected": "GET /me"},
            "permissions": {"scopes": {"user": []}},
        }
        target = target_at(url, permit=("passive",), **described)
        operations, _ = known_operations(target, "nowhere")
        plan = planned(target, operations, AREAS)
    assert not asked
    assert len(operations) > 20
    by_name = {source.name: source for source in plan}
    assert by_name["authorization.anonymous"].most > len(operations)
    assert not by_name["permissions.matrix"].permitted


def test_what_cannot_be_counted_yet_is_said(monkeypatch, capsys):
    from readiness.cli import audit

    target = target_at("http://127.0.0.1:9", openapi="/openapi.json")
    described = type("Described", (), {"target": target})
    monkeypatch.setattr("readiness.parameters.load", lambda _environment: described)
    audit._print_plan("nowhere", ["security"])
    said = capsys.readouterr().out
    assert "for each operation of the API document" in said.splitlines()[-2]
    assert "unknown (/openapi.json is not known before the first run)" in said


def quickly(target):
    """The same with short measurements: the plan follows what is asked for."""
    sampling = target.http.latency_sampling.model_copy(update={"max_samples": 30, "max_seconds": 2})
    changed = {
        "http": target.http.model_copy(update={"latency_sampling": sampling}),
        "ai": target.ai.model_copy(update={"sampling": sampling}),
        "load": target.load.model_copy(
            update={"duration_s": 2, "warm_up_s": 0.5, "steps": [5], "step_s": 2}
        ),
        "frontend": target.frontend.model_copy(update={"loads": 5, "max_loads": 5}),
    }
    return target.model_copy(update=changed).allowing(["passive", "active", "load", "write"])


def served(log):
    """What the service itself says that it was asked, once it has written down all of it: how
    often by each method."""
    size = -1
    while size != (size := log.stat().st_size):
        time.sleep(0.3)
    lines = (json.loads(line) for line in log.read_text().splitlines() if '"method"' in line)
    return Counter(line["method"] for line in lines if line.get("message") == "request")


@pytest.mark.slow
def test_the_audit_of_the_reference_stack_sends_no_more_than_planned():
    """Every area and every source: by the service's own count, and by the audit's where it has one.

    What the pages of the front end load is the browser's business: only the pages are planned.
    """
    with own_stack():
        log, unplanned = Path(os.environ["NPS_LOG_FILE"]), set()
        parameters = load("demo")
        with client(parameters.target) as http_client:
            operations = [o.name for o in read_api(parameters.target, http_client).operations]
        for area in AREAS:
            target = quickly(load("demo").target)
            plan = {source.name: source for source in planned(target, operations, [area])}
            sources = {s.name: s for c in catalogue(area).values() for s in c.sources}
            for source in sources.values():
                before, known = served(log), len(target.traffic.entries)
                source(target)
                sent = served(log) - before
                said = Counter(entry["method"] for entry in target.traffic.entries[known:])
                if source.name == "frontend.loads":
                    assert sent
                    continue
                if source.name not in plan:
                    unplanned |= {source.name} if sent or said else set()
                    continue
                most = plan[source.name].by_method()
                over = {m: (n, most[m]) for m, n in (sent | said).items() if n > most[m]}
                assert not over, f"{source.name} sent more than planned: {over}"
        assert not unplanned
