"""The decision rules, as properties over random findings."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readiness import decision as decisions
from readiness import policy as policies
from readiness import standing
from readiness.confidence import confidence, term
from readiness.decision import Cell, Verdict
from readiness.finding import Finding, Reason, Severity, Status, Strength, area_of
from readiness.standing import Colour

POLICY = policies.load()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
COLOURS = [Colour.RED, Colour.YELLOW, Colour.GREEN]
VERDICTS = [Verdict.NO_GO, Verdict.CONDITIONAL_GO, Verdict.GO]


def finding(check, status, severity=Severity.MEDIUM, strength=Strength.MEASURED, **more):
    reason = Reason.NO_SAMPLES if status is Status.NOT_MEASURED else None
    return Finding(
        check=check,
        area=area_of(check),
        title=check,
        severity=severity,
        status=status,
        reason=reason,
        strength=strength,
        measured_at=NOW,
        **more,
    )


CHECKS = ["DEP-CI", "SEC-AUTHN", "SEC-CORS", "SEC-WAF", "OPS-HEALTH", "OPS-BACKUP", "TEST-UNIT"]
stages = st.sampled_from(policies.STAGES)
requirements = st.dictionaries(stages, st.sampled_from(list(Strength)))


@st.composite
def policies_and_runs(draw):
    """A small policy, a finding for every check it expects, and the position of one of them."""
    names = draw(st.lists(st.sampled_from(CHECKS), min_size=2, max_size=6, unique=True))
    checks = {
        name: policies.ExpectedCheck(
            weight=draw(st.integers(1, 4)),
            required=draw(requirements),
            may_be_declared_away=draw(st.booleans()),
        )
        for name in names
    }
    cut = draw(st.integers(1, len(names) - 1))
    criteria = [
        policies.Criterion(
            title=str(number),
            checks=part,
            blocking=draw(st.lists(stages, unique=True)),
            accept=dict.fromkeys(draw(st.lists(stages, unique=True)), "with monitoring"),
        )
        for number, part in enumerate((names[:cut], names[cut:]))
    ]
    policy = policies.Policy(
        checks=checks,
        criteria=criteria,
        strength_factor=POLICY.strength_factor,
        owners=POLICY.owners,
        sign_off=POLICY.sign_off,
    )
    findings = []
    for name in names:
        status = draw(st.sampled_from(list(Status)))
        waiver = draw(st.sampled_from([None, "accepted"])) if status is Status.FAIL else None
        severity, strength = draw(st.sampled_from(Severity)), draw(st.sampled_from(Strength))
        findings.append(finding(name, status, severity, strength, waiver=waiver))
    return policy, findings, draw(st.integers(0, len(names) - 1))


def replaced(findings, index, **update):
    changed = findings[index].model_copy(update=update)
    return [*findings[:index], changed, *findings[index + 1 :]]


def lost(findings, index):
    unknown = {"status": Status.NOT_MEASURED, "reason": Reason.UNREACHABLE, "waiver": None}
    return replaced(findings, index, **unknown)


def worth(policy, findings, stage, confidence=True):
    """What may not improve: colours, verdict, cells and confidence (each larger is better)."""
    decision = decisions.decide(findings, policy, NOW)
    results = decisions.area_results(findings, policy, stage, NOW)
    cells = [Cell.NO_GO, Cell.GO_WITH_CONDITIONS, Cell.GO]
    found = [COLOURS.index(r.colour) for r in results]
    found.append(VERDICTS.index(getattr(decision, stage)))
    found += [cells.index(getattr(c, stage)) for c in decision.criteria]
    return found + [r.confidence for r in results if confidence]


def no_better(after, before):
    return all(a <= b for a, b in zip(after, before, strict=True))


@given(policies_and_runs(), stages)
def test_losing_a_pass_never_helps(drawn, stage):
    policy, findings, index = drawn
    passed = replaced(findings, index, status=Status.PASS, reason=None, waiver=None)
    after, before = (worth(policy, f, stage) for f in (lost(passed, index), passed))
    assert no_better(after, before)


@given(policies_and_runs(), stages)
def test_losing_anything_never_helps_the_worst_case(drawn, stage):
    policy, findings, index = drawn
    before, after = (
        worth(policy, standing.assume(f, policy, Status.FAIL), stage, confidence=False)
        for f in (findings, lost(findings, index))
    )
    assert no_better(after, before)


@given(policies_and_runs(), stages)
def test_go_rests_on_the_worst_case(drawn, stage):
    policy, findings, _ = drawn
    if getattr(decisions.decide(findings, policy, NOW), stage) is Verdict.GO:
        worst = standing.assume(findings, policy, Status.FAIL)
        assert getattr(decisions.decide(worst, policy, NOW), stage) is Verdict.GO


@given(policies_and_runs(), stages)
def test_a_failure_never_helps(drawn, stage):
    policy, findings, index = drawn
    passed = replaced(findings, index, status=Status.PASS, reason=None, waiver=None)
    failed = replaced(findings, index, status=Status.FAIL, reason=None, waiver=None)
    after, before = (worth(policy, f, stage) for f in (failed, passed))
    assert no_better(after, before)


@given(policies_and_runs(), stages)
def test_a_waiver_never_turns_a_failure_into_a_pass(drawn, stage):
    policy, findings, index = drawn
    strong = replaced(findings, index, strength=Strength.MEASURED)
    waived = replaced(strong, index, status=Status.FAIL, reason=None, waiver="accepted")
    passed = replaced(strong, index, status=Status.PASS, reason=None, waiver=None)
    assert no_better(worth(policy, waived, stage), worth(policy, passed, stage))
    if waived[index].severity is not Severity.LOW:  # a minor gap, waived or not
        assert getattr(decisions.decide(waived, policy, NOW), stage) is not Verdict.GO


@given(policies_and_runs(), stages)
def test_a_waiver_never_makes_a_failure_weigh_more(drawn, stage):
    policy, findings, index = drawn
    failed = replaced(findings, index, status=Status.FAIL, reason=None, waiver=None)
    waived = replaced(failed, index, waiver="accepted")
    assert no_better(worth(policy, failed, stage), worth(policy, waived, stage))


@given(policies_and_runs(), st.randoms(), stages)
def test_order_does_not_matter(drawn, random, stage):
    policy, findings, _ = drawn
    shuffled = list(findings)
    random.shuffle(shuffled)
    assert worth(policy, shuffled, stage) == pytest.approx(worth(policy, findings, stage))


@given(policies_and_runs())
def test_what_failed_and_is_lost_still_fails(drawn):
    policy, findings, index = drawn
    before = replaced(findings, index, status=Status.FAIL, reason=None)
    after = standing.carry_over(lost(findings, index), before, "20260101T000000Z", policy)
    assert after[index].status is Status.FAIL
    assert after[index].carried_over == "20260101T000000Z"


@pytest.mark.parametrize("severity", [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM])
def test_a_waived_failure_never_leaves_an_area_green(severity):
    findings = [finding("OPS-HEALTH", Status.PASS), finding("OPS-LOGS", Status.PASS)]
    waived = finding("OPS-BACKUP", Status.FAIL, severity, waiver="accepted")
    assert standing.colour([*findings, waived], POLICY, "staging") is Colour.YELLOW


def test_nothing_found_is_never_green():
    assert standing.colour([], POLICY, "staging") is not Colour.GREEN
    everything_away = [finding(c, Status.NOT_APPLICABLE) for c in POLICY.checks]
    for result in decisions.area_results(everything_away, POLICY, "staging", NOW):
        assert result.colour is not Colour.GREEN
    assert decisions.decide([], POLICY, NOW).staging is Verdict.NO_GO


def test_all_measured_and_passed_is_go():
    findings = [finding(check, Status.PASS) for check in POLICY.checks]
    decision = decisions.decide(findings, POLICY, NOW)
    assert (decision.staging, decision.production) == (Verdict.GO, Verdict.GO)
    assert all(
        r.colour is Colour.GREEN and r.confidence == 1.0
        for r in decisions.area_results(findings, POLICY, "production", NOW)
    )


def test_one_grave_failure_is_no_go():
    findings = [
        finding(c, Status.FAIL if c == "SEC-AUTHN" else Status.PASS, Severity.CRITICAL)
        for c in POLICY.checks
    ]
    decision = decisions.decide(findings, POLICY, NOW)
    assert (decision.staging, decision.production) == (Verdict.NO_GO, Verdict.NO_GO)
    assert [c.check for c in decision.conditions if c.stage == "staging"] == ["SEC-AUTHN"]


def test_confidence_falls_with_age():
    findings = [
        finding(check, Status.PASS) for check in POLICY.checks if area_of(check) == "testing"
    ]
    old = confidence([term(f, POLICY, NOW + timedelta(days=3.5)) for f in findings])
    assert old == pytest.approx(0.5, abs=1e-4)
    assert confidence([term(f, POLICY, NOW + timedelta(days=30)) for f in findings]) == 0.0
