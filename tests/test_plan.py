"""The audit sends no more than its plan said, and the plan sends nothing."""

from __future__ import annotations

import inspect
import os
from collections import Counter

import pytest
from readiness import reference
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


def asks_the_service(source):
    """Whether its module has a client at all: what reads files or a database has none."""
    return source.plan is not None or hasattr(inspect.getmodule(source.collect), "client")


def test_what_cannot_be_counted_yet_is_said(monkeypatch, capsys):
    from readiness.cli import audit

    target = target_at("http://127.0.0.1:9", openapi="/openapi.json")
    described = type("Described", (), {"target": target})
    monkeypatch.setattr("readiness.parameters.load", lambda _environment: described)
    audit._print_plan("nowhere", ["security"])
    said = capsys.readouterr().out
    assert "for each operation of the API document" in said.splitlines()[-2]
    assert "unknown (/openapi.json is not known before the first run)" in said


@pytest.mark.slow
def test_the_audit_of_the_reference_stack_sends_no_more_than_planned():
    """Security and operations: the areas that ask a service other things than how fast it is."""
    running = reference.stack()
    was_up = running.status()["up"]
    running.up()
    running.clear_fault()
    os.environ.update(running.environment())
    try:
        parameters = load("demo")
        with client(parameters.target) as http_client:
            operations = [o.name for o in read_api(parameters.target, http_client).operations]
        for area in ("security", "operations"):
            target = load("demo").target.allowing(["passive", "active"])
            plan = {source.name: source for source in planned(target, operations, [area])}
            sources = {s.name: s for c in catalogue(area).values() for s in c.sources}
            for source in filter(asks_the_service, sources.values()):
                before = len(target.traffic.entries)
                source(target)
                sent = target.traffic.entries[before:]
                if not sent:
                    continue
                assert source.name in plan, f"{source.name} sends requests and plans none"
                methods = Counter(entry["method"] for entry in sent)
                most = plan[source.name].by_method()
                over = {m: (n, most[m]) for m, n in methods.items() if n > most[m]}
                assert not over, f"{source.name} sent more than planned: {over}"
    finally:
        if not was_up:
            running.down()
