"""What waits on an AI provider, against the reference stack's simulated one over real HTTP."""

import json
import subprocess
import sys
import time
import urllib.request

import pytest
from readiness import loopback, reference
from readiness.check import catalogue
from readiness.documents import ROOT
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.target import Target

KINDS = ("slow", "down", "hanging", "rate_limited")
PROVIDER = str(ROOT / "reference/provider.py")


@pytest.fixture(scope="module")
def ports():
    """The provider's own port and the one by which it is told."""
    free = reference.stack()._free_port
    port, control = free(), free()
    with subprocess.Popen([sys.executable, PROVIDER, "serve", str(port), str(control)]) as process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                tell(control, "calls")
                break
            except OSError:
                time.sleep(0.02)
        yield port, control
        process.kill()


def tell(control, word):
    request = urllib.request.Request(f"http://127.0.0.1:{control}/{word}", b"")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def judged(ports, kinds=KINDS, leave="normal", limits=False, permit=("active", "write"), others=0):
    """The answer on a service that waits half a second for the provider, then speaks for itself."""
    port, control = ports

    def answer(request):
        if request.path == "/health":
            return loopback.Response(body=b"ok")
        if limits and tell(control, "calls")["situation"] == "rate_limited":
            return loopback.Response(429)
        try:
            call = urllib.request.Request(f"http://127.0.0.1:{port}/", b"{}")
            with urllib.request.urlopen(call, timeout=0.8) as given:
                return loopback.Response(body=b"theirs " + given.read())
        except OSError:
            return loopback.Response(body=b"ours")

    def told(word):
        return [sys.executable, PROVIDER, "tell", str(control), word]

    count = told("calls")
    if others:  # a count that grows by itself
        count = ["date", "+%s%N"]
    situations = [
        {
            "kind": kind,
            "enter": told(kind),
            "leave": told(leave) if leave else ["false"],
            "slow_s": 0.5,
            "within_s": 1.2,
            "back_within_s": 0.2,
            "statuses": [200, 429] if limits else [200],
            "contains": "ours",
        }
        for kind in kinds
    ]
    with loopback.serve(answer) as url:
        endpoint = {"operation": "POST /ask", "p50_ms": 400, "contains": "theirs"}
        ai = {
            "endpoints": [{**endpoint, "p95_ms": 800, "json": {"question": "{unique}"}}],
            "sampling": {"warm_up": 1, "max_samples": 90, "quiet_within": 1000},
            "provider": {"calls": count, "url": f"http://127.0.0.1:{port}"},
            "meanwhile": [{"operation": "GET /health"}],
            "situations": situations,
        }
        raw = {"name": "x", "http": {"base_url": url, "requests_per_minute": 100000}, "ai": ai}
        target = validated(Target, raw, "test", {}).allowing(("passive", *permit))
        check = catalogue("performance")["PERF-AI"]
        evidence = [source(target) for source in check.sources]
    return evidence, check.assess(evidence, check.criteria(situations=list(kinds)))


@pytest.fixture(autouse=True)
def well(ports):
    yield
    tell(ports[1], "normal")


def test_a_service_that_outlasts_every_situation_passes(ports):
    (_, trials), judgement = judged(ports)
    assert judgement.status is Status.PASS, judgement.observed
    down = [r for r in trials.records if r["situation"] == "down" and r["phase"] == "entered"]
    assert "refused" in down[0]["error"]
    assert {r["status"] for r in trials.records if r["phase"] == "endpoint"} == {200}
    assert tell(ports[1], "calls")["situation"] == "normal"


def test_a_provider_that_is_not_put_back_is_said(ports):
    _, judgement = judged(ports, kinds=["down"], leave=None)
    assert judgement.status is Status.FAIL
    assert "THE PROVIDER WAS NOT PUT BACK" in judgement.observed


def test_a_429_of_the_services_own_limiter_tells_nothing_of_the_provider(ports):
    _, judgement = judged(ports, kinds=["rate_limited"], limits=True)
    assert judgement.status is Status.NOT_MEASURED
    assert "no call of POST /ask reached the provider" in judgement.observed
    assert "perhaps of the service's own limiter" in judgement.observed


def test_a_count_that_others_add_to_is_not_believed(ports):
    _, judgement = judged(ports, kinds=[], others=1)
    assert judgement.status is Status.NOT_MEASURED
    assert "somebody else calls the provider" in judgement.observed


def test_nothing_is_switched_without_permission(ports):
    (_, trials), judgement = judged(ports, kinds=["down"], permit=("active",))
    assert judgement.reason is Reason.NOT_PERMITTED
    assert trials.facts["state"] == "not permitted"
    _, judgement = judged(ports, kinds=["down"], permit=())
    assert judgement.reason is Reason.NOT_PERMITTED
