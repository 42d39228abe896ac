"""A dependency is taken away only with `write`, and comes back whatever becomes of the audit."""

import json
import subprocess
import sys
import time

import pytest
from readiness import loopback
from readiness.check import catalogue
from readiness.finding import Reason, Status, Strength
from readiness.parameters import validated
from readiness.sources import health, outage
from readiness.target import Target

READY = {"Content-Type": "application/json"}
HEALTH = [
    {"path": "/live", "kind": "liveness", "body": {"status": "ok"}},
    {"path": "/ready", "kind": "readiness", "body": {"status": "ok"}},
]


@pytest.fixture
def service(tmp_path):
    """A service that is ready as long as the file `database` is there."""
    (tmp_path / "database").touch()

    def answer(request):
        if request.path not in ("/live", "/ready"):
            return loopback.Response(404)
        well = request.path == "/live" or (tmp_path / "database").exists()
        body = json.dumps({"status": "ok" if well else "down"}).encode()
        return loopback.Response(200 if well else 503, list(READY.items()), body)

    with loopback.serve(answer) as url:
        yield url


def described(url, folder, **more):
    take, back = ["rm", f"{folder}/database"], ["touch", f"{folder}/database"]
    dependency = {"name": "database", "take_away": take, "give_back": back, **more}
    http = {"base_url": url, "requests_per_minute": 100000, "health": HEALTH}
    return {"name": "x", "http": {**http, "outages": [dependency]}}


def judged(raw, permit=("passive", "write")):
    target = validated(Target, raw, "test", {}).allowing(permit)
    evidence = outage.outages(target)
    check = catalogue()["OPS-HEALTH"]
    return evidence, check.assess([health.answers(target), evidence], check.criteria())


def test_readiness_that_turns_and_comes_back_is_measured(service, tmp_path):
    evidence, judgement = judged(described(service, tmp_path))
    assert judgement.status is Status.PASS
    assert judgement.strength is None  # as the check declares: MEASURED
    assert {r["phase"] for r in evidence.records} == {"before", "away", "back"}
    assert (tmp_path / "database").exists()
    assert len(outage.timeline(evidence)) == 3


def test_without_permission_nothing_is_touched_and_the_answer_counts_less(service, tmp_path):
    _, judgement = judged(described(service, tmp_path), permit=("passive", "active"))
    assert judgement.status is Status.PASS
    assert judgement.strength is Strength.CONFIGURED
    assert "not tried, as write is not permitted" in judgement.observed
    raw = described(service, tmp_path)
    del raw["http"]["outages"]
    _, judgement = judged(raw)
    assert judgement.strength is Strength.CONFIGURED
    assert "target.http.outages names none" in judgement.observed


def test_nothing_is_taken_from_a_service_that_is_not_ready(service, tmp_path):
    (tmp_path / "database").rename(tmp_path / "elsewhere")
    raw = described(service, tmp_path, take_away=["touch", f"{tmp_path}/taken"])
    _, judgement = judged(raw)
    assert judgement.status is Status.FAIL  # the endpoint itself is not as documented
    assert not (tmp_path / "taken").exists()


def test_a_dependency_that_is_taken_halfway_is_given_back(service, tmp_path):
    half = ["sh", "-c", f"rm {tmp_path}/database; exit 7"]
    evidence, judgement = judged(described(service, tmp_path, take_away=half))
    assert judgement.status is Status.NOT_MEASURED
    assert judgement.reason is Reason.INCONCLUSIVE
    assert "could not be taken away: exit 7" in judgement.observed
    assert evidence.facts["dependencies"][0]["recovered"]
    assert (tmp_path / "database").exists()


def test_what_is_not_given_back_is_said_first_of_all(service, tmp_path):
    raw = described(service, tmp_path, give_back=["false"], back_within_s=0.1)
    _, judgement = judged(raw)
    assert judgement.status is Status.FAIL
    assert "database WAS NOT GIVEN BACK: exit 1" in judgement.observed


def test_a_readiness_that_fails_on_purpose_does_not_stop_the_audit(service, tmp_path):
    raw = described(service, tmp_path, within_s=3)
    raw["http"]["outages"] *= 8  # 24 answers of 503
    evidence, _ = judged(raw)
    assert [one["recovered"] for one in evidence.facts["dependencies"]] == [True] * 8


DOOMED = """
import json, sys
from readiness.parameters import validated
from readiness.sources import outage
from readiness.target import Target
target = validated(Target, json.load(sys.stdin), "test", {})
outage.outages(target.allowing(("passive", "write")))
"""


def test_it_is_given_back_when_the_audit_is_killed_meanwhile(service, tmp_path):
    stays = ["sh", "-c", f"rm {tmp_path}/database; touch {tmp_path}/taken; sleep 5"]
    raw = described(service, tmp_path, take_away=stays)
    command = [sys.executable, "-c", DOOMED]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as audit:
        json.dump(raw, audit.stdin)
        audit.stdin.close()
        wait_for(tmp_path / "taken")
        assert not (tmp_path / "database").exists()
        audit.kill()
    wait_for(tmp_path / "database")


def wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()
