"""Each fault of the reference stack turns exactly the checks that it should turn, and no other.

Latency is left out of what may not turn where a fault has nothing to do with it: two cores shared
with PostgreSQL, two workers and the audit give an honest "inconclusive" now and then.
"""

import os

import pytest
import yaml
from plain import judge_all
from readiness import reference
from readiness.check import catalogue
from readiness.documents import ROOT
from readiness.parameters import load

pytestmark = pytest.mark.slow

FAULTS = {p.stem: yaml.safe_load(p.read_text()) for p in (ROOT / "reference/faults").glob("*.yaml")}
TIMED = {"PERF-BASELINE"}


@pytest.fixture(scope="module")
def stack():
    """The reference stack with its reports; left as it was found."""
    running = reference.stack()
    was_up = running.status()["up"]
    running.up()
    running.reports()
    running.clear_fault()
    yield running
    if not was_up:
        running.down()


def answers(stack, only=None):
    os.environ.update(stack.environment())
    judged = judge_all(load("demo"), only)
    return {check: (one.status, one.reason) for check, one in judged.items()}


@pytest.fixture(scope="module")
def sound(stack):
    return answers(stack)


def test_the_sound_stack_gives_the_picture_of_the_seed(sound):
    by_status = {}
    for check, (status, _) in sound.items():
        by_status.setdefault(str(status), set()).add(check)
    assert by_status.pop("FAIL") == {"DEP-COMPOSE-EXPOSURE", "DEP-CI", "TEST-E2E"}
    assert set(by_status) == {"PASS"}, by_status


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_fault(name, stack, sound):
    fault = FAULTS[name]
    known = set(catalogue())
    expected = set(fault["flips"]) & known
    if fault.get("needs"):
        pytest.skip(
            f"is only seen where the audit may {fault['needs']} to the stack's dependencies"
        )
    watched = None if expected & TIMED else known - TIMED
    with stack.fault(name):
        now = answers(stack, watched)
    turned = {check for check in now if now[check] != sound[check]}
    assert turned == expected, {check: (sound[check], now[check]) for check in turned ^ expected}


def test_undoing_a_fault_restores_every_answer(stack, sound):
    again = answers(stack, set(catalogue()) - TIMED)
    assert again == {check: sound[check] for check in again}
