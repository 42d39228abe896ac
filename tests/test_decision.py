"""The rules of the decision, as properties of random policies and runs.

Each property counts the cases on both sides of what it says, and fails when it saw only one: a
property over cases in which nothing happens would hold whatever the code does.
"""

from collections import Counter
from datetime import timedelta
from itertools import combinations

import pytest
from decisions import IDS, NOW, UNEXPECTED, Drawn, drawn, finding, stages
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from readiness import policy as policies
from readiness.confidence import confidence, term
from readiness.decision import Cell, Verdict, area_results, decide
from readiness.finding import Severity, Status, Strength, area_of
from readiness.policy import STAGES
from readiness.standing import (
    Colour,
    assume,
    carry_over,
    colour,
    complete,
    open_point,
    satisfied,
    unknown,
)

POLICY = policies.load()
COLOURS = [Colour.RED, Colour.YELLOW, Colour.GREEN]
VERDICTS = [Verdict.NO_GO, Verdict.CONDITIONAL_GO, Verdict.GO]
CELLS = [Cell.NO_GO, Cell.GO_WITH_CONDITIONS, Cell.GO]
PASSED = {"status": Status.PASS}
FAILED = {"status": Status.FAIL}


def holds(wanted, examples=80, **given_):
    """A property with a counter ``seen``; every one of the ``wanted`` cases must have been seen."""

    def decorate(prop):
        def test():
            seen = Counter(dict.fromkeys(wanted, 0))
            tried = settings(
                max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck)
            )(given(**given_)(lambda **case: prop(seen=seen, **case)))
            for _ in range(MOST_TRIES):  # what is rare may be missing from one try
                tried()
                if all(seen.values()):
                    return
            raise AssertionError(f"never seen: {[k for k, n in seen.items() if not n]}")

        test.__name__, test.__doc__ = prop.__name__, prop.__doc__
        return test

    return decorate


MOST_TRIES = 6
BOTH_SIDES = ("worse", "no worse")


def worth(case, findings, stage, confident=True):
    """What may not improve, by name: colours, cells, verdict, confidence. Larger is better."""
    decision = decide(findings, case.policy, NOW)
    results = area_results(findings, case.policy, stage, NOW)
    found = {r.area: COLOURS.index(r.colour) for r in results}
    found |= {f"worst {r.area}": COLOURS.index(r.colour_if_unknowns_fail) for r in results}
    found |= {c.criterion: CELLS.index(getattr(c, stage)) for c in decision.criteria}
    found["verdict"] = VERDICTS.index(getattr(decision, stage))
    found["without waivers"] = VERDICTS.index(decision.without_waivers[stage])
    if confident:
        found |= {f"confidence {r.area}": r.confidence for r in results}
    return found


def no_better(seen, after, before):
    both = after.keys() & before.keys()
    assert all(after[k] <= before[k] for k in both), (after, before)
    decided = [k for k in both if not k.startswith("confidence")]
    seen["worse" if any(after[k] < before[k] for k in decided) else "no worse"] += 1


# Losing evidence never helps.


@holds(BOTH_SIDES, case=drawn(), stage=stages)
def test_a_pass_that_is_lost_never_helps(case, stage, seen):
    passed = Drawn(case.policy, case.having(**PASSED), case.about)
    no_better(seen, worth(case, passed.lost(), stage), worth(case, passed.findings, stage))


@holds(BOTH_SIDES, case=drawn(), stage=stages)
def test_losing_anything_never_helps_the_worst_case(case, stage, seen):
    after, before = (
        worth(case, assume(f, case.policy, Status.FAIL), stage, confident=False)
        for f in (case.lost(), case.findings)
    )
    no_better(seen, after, before)


@holds(("GO", "no GO"), examples=150, case=drawn(), stage=stages)
def test_go_stands_exactly_where_the_worst_case_is_a_go(case, stage, seen):
    everything = list(complete(case.findings, case.policy, NOW).values())
    worst = decide(assume(everything, case.policy, Status.FAIL), case.policy, NOW)
    is_go = getattr(decide(case.findings, case.policy, NOW), stage) is Verdict.GO
    assert is_go is (getattr(worst, stage) is Verdict.GO)
    seen["GO" if is_go else "no GO"] += 1


@holds(BOTH_SIDES, case=drawn(), stage=stages)
def test_a_finding_that_is_missing_is_no_better_than_a_pass(case, stage, seen):
    without = [f for f in case.findings if f.check != case.about]
    no_better(seen, worth(case, without, stage), worth(case, case.having(**PASSED), stage))


@holds(("wide", "narrow"), case=drawn(), stage=stages)
def test_the_interval_holds_the_colour(case, stage, seen):
    for result in area_results(case.findings, case.policy, stage, NOW):
        worst, real, best = (
            COLOURS.index(c)
            for c in (
                result.colour_if_unknowns_fail,
                result.colour,
                result.colour_if_unknowns_pass,
            )
        )
        assert worst <= real <= best
        seen["wide" if worst < best else "narrow"] += 1


# Failures.


@holds((*BOTH_SIDES, "passed before", "unknown before"), examples=150, case=drawn(), stage=stages)
def test_a_failure_never_helps(case, stage, seen):
    """Whatever the check said before; what is known counts for confidence, so a failure may only
    raise it where nothing was known."""
    old = case.of(case.about)
    known = old is not None and not unknown(old, case.policy)
    age = {"measured_at": old.measured_at, "strength": old.strength} if known else {}
    declared_away = known and old.status is Status.NOT_APPLICABLE
    after = worth(case, case.having(**FAILED, **age), stage, known and not declared_away)
    no_better(seen, after, worth(case, case.findings, stage))
    seen["passed before"] += known and old.status is Status.PASS
    seen["unknown before"] += not known


@holds(BOTH_SIDES, case=drawn(), stage=stages, severity=st.sampled_from(Severity))
def test_a_failure_that_nobody_expects_never_helps(case, stage, severity, seen):
    without = [f for f in case.findings if f.check != UNEXPECTED]
    extra = finding(UNEXPECTED, Status.FAIL, severity=severity)
    no_better(seen, worth(case, [*without, extra], stage), worth(case, without, stage))


@holds(("carried", "answered", "declared away"), case=drawn(), now=st.sampled_from(Status))
def test_what_failed_and_is_unknown_now_still_fails(case, now, seen):
    before = case.having(**FAILED, waiver="accepted")
    after = carry_over(case.having(status=now), before, "20260101T000000Z", case.policy)
    (said,) = [f for f in after if f.check == case.about]
    if unknown(finding(case.about, now), case.policy):
        assert (said.status, said.carried_over) == (Status.FAIL, "20260101T000000Z")
        assert said.waiver is None  # whether one is in force is asked anew
        again = carry_over(case.lost(), after, "20260102T000000Z", case.policy)
        (said,) = [f for f in again if f.check == case.about]
        assert (said.status, said.carried_over) == (Status.FAIL, "20260101T000000Z")
        seen["carried"] += 1
    else:
        assert (said.status, said.carried_over) == (now, None)
        seen["declared away" if now is Status.NOT_APPLICABLE else "answered"] += 1


@holds(("unknown", "known"), case=drawn(), now=st.sampled_from(Status))
def test_what_did_not_fail_is_never_carried_over(case, now, seen):
    before = case.having(**PASSED)
    after = carry_over(case.having(status=now), before, "20260101T000000Z", case.policy)
    (said,) = [f for f in after if f.check == case.about]
    assert (said.status, said.carried_over) == (now, None)
    seen["known" if now.known else "unknown"] += 1


# Waivers.


@holds(("counts", "a minor gap", "waiver helps"), examples=150, case=drawn(), stage=stages)
def test_a_waived_failure_is_never_green_and_never_go(case, stage, seen):
    """A failure that keeps its area from GREEN does so waived too. (A minor gap keeps nothing from
    anything, waived or not.)"""
    severity = case.of(case.about).severity if case.of(case.about) else case.declared(case.about)
    failed = case.having(**FAILED, severity=severity)
    waived = case.having(**FAILED, severity=severity, waiver="accepted")
    (one,) = [f for f in failed if f.check == case.about]
    before, after = worth(case, failed, stage), worth(case, waived, stage)
    if open_point(one, case.policy, stage):
        assert after[one.area] < COLOURS.index(Colour.GREEN)
        assert after["verdict"] < VERDICTS.index(Verdict.GO)
        seen["counts"] += 1
    else:
        assert severity is Severity.LOW
        assert after == before
        seen["a minor gap"] += 1
    assert all(after[k] >= before[k] for k in before)  # nor does waiving ever hurt
    assert after["without waivers"] == before["without waivers"]
    seen["waiver helps"] += after != before


@holds(("differs", "is the same"), case=drawn(), stage=stages)
def test_the_verdict_without_waivers_is_the_one_of_a_run_without_them(case, stage, seen):
    bare = [f.model_copy(update={"waiver": None}) for f in case.findings]
    decision = decide(case.findings, case.policy, NOW)
    assert decision.without_waivers[stage] is getattr(decide(bare, case.policy, NOW), stage)
    results = area_results(case.findings, case.policy, stage, NOW)
    for one, other in zip(results, area_results(bare, case.policy, stage, NOW), strict=True):
        assert one.colour_without_waivers is other.colour
    same = decision.without_waivers[stage] is getattr(decision, stage)
    seen["is the same" if same else "differs"] += 1


# Everything else that could be better or worse.


@holds(BOTH_SIDES, case=drawn(), stage=stages)
def test_a_weaker_strength_never_helps(case, stage, seen):
    weak = case.having(**PASSED, strength=Strength.DECLARED)
    no_better(seen, worth(case, weak, stage), worth(case, case.having(**PASSED), stage))


@holds(("less confident", "as little"), case=drawn(), stage=stages, hours=st.sampled_from([0, 30]))
def test_age_lowers_confidence_and_nothing_else(case, stage, hours, seen):
    old = case.having(**PASSED, measured_at=NOW - timedelta(hours=hours))
    after, before = (worth(case, f, stage) for f in (old, case.having(**PASSED)))
    area = f"confidence {area_of(case.about)}"
    lower = after.pop(area) < before.pop(area)
    assert after == before
    assert lower is (hours > 0)
    seen["less confident" if lower else "as little"] += 1


@holds((*BOTH_SIDES, "allowed", "not allowed"), case=drawn(), stage=stages)
def test_declaring_away_is_no_better_than_passing_and_only_as_policy_allows(case, stage, seen):
    away, passed = case.having(status=Status.NOT_APPLICABLE), case.having(**PASSED)
    no_better(seen, worth(case, away, stage), worth(case, passed, stage))
    allowed = case.policy.check(case.about).may_be_declared_away
    if not allowed:
        same = case.having(status=Status.NOT_MEASURED)
        assert worth(case, away, stage) == worth(case, same, stage)
    seen["allowed" if allowed else "not allowed"] += 1


@holds(("reordered",), case=drawn(), random=st.randoms(), stage=stages)
def test_order_does_not_matter(case, random, stage, seen):
    shuffled = list(case.findings)
    random.shuffle(shuffled)
    assert worth(case, shuffled, stage) == pytest.approx(worth(case, case.findings, stage))
    one, other = (decide(f, case.policy, NOW) for f in (shuffled, case.findings))
    assert (one.goals, one.steps) == (other.goals, other.steps)
    seen["reordered"] += shuffled != case.findings


@holds(("some", "none"), case=drawn(), stage=stages)
def test_confidence_is_the_formula_over_the_expected_checks(case, stage, seen):
    for result in area_results(case.findings, case.policy, stage, NOW):
        assert [t.check for t in result.terms] == case.policy.expected(result.area)
        weights = sum(case.policy.check(c).weight for c in case.policy.expected(result.area))
        reached = sum(t.weight * t.coverage * t.strength * t.freshness for t in result.terms)
        assert result.confidence == (round(reached / weights, 4) if weights else 0)
        assert 0 <= result.confidence <= 1
        seen["some" if result.confidence else "none"] += 1


# What it takes.


def passing(case, checks):
    """The run if these checks passed, as directly as can be."""
    findings = list(complete(case.findings, case.policy, NOW).values())
    good = {"status": Status.PASS, "reason": None, "waiver": None, "strength": Strength.MEASURED}
    return [f.model_copy(update=good) if f.check in checks else f for f in findings]


def reached(case, checks, goal):
    findings = passing(case, checks)
    if goal.aim == "GREEN":
        own = [f for f in findings if f.area == goal.area]
        return colour(own, case.policy, goal.stage) is Colour.GREEN
    verdict = getattr(decide(findings, case.policy, NOW), goal.stage)
    return VERDICTS.index(verdict) >= VERDICTS.index(Verdict(goal.aim))


@holds(
    ("GREEN", "CONDITIONAL GO", "GO", "reached", "several sets", "several checks"),
    examples=60,
    case=drawn(),
)
def test_the_smallest_sets_are_those_that_trying_every_set_finds(case, seen):
    all_checks = [f.check for f in passing(case, ())]
    for goal in decide(case.findings, case.policy, NOW).goals:
        own = [c for c in all_checks if goal.area in (None, area_of(c))]
        sets = (set(s) for size in range(len(own) + 1) for s in combinations(own, size))
        first = next(s for s in sets if reached(case, s, goal))
        same_size = [set(s) for s in combinations(own, len(first))]
        smallest = [s for s in same_size if reached(case, s, goal)]
        assert goal.reached is (smallest == [set()])
        if not goal.reached:
            found = [set(s) for s in goal.smallest]
            assert sorted(map(sorted, found)) == sorted(map(sorted, smallest))
            seen[goal.aim] += 1
            seen["several sets"] += len(smallest) > 1
            seen["several checks"] += len(first) > 1
        seen["reached"] += goal.reached


@holds(("opens a row", "opens none"), case=drawn(), stage=stages)
def test_steps_say_what_each_check_would_move_alone(case, stage, seen):
    decision = decide(case.findings, case.policy, NOW)
    now = {c.criterion: CELLS.index(getattr(c, stage)) for c in decision.criteria}
    steps = [s for s in decision.steps if s.stage == stage]
    open_ = {c.check for c in decision.conditions if c.stage == stage}
    assert {s.check for s in steps} == open_
    for step in steps:
        alone = decide(passing(case, {step.check}), case.policy, NOW)
        then = {c.criterion: CELLS.index(getattr(c, stage)) for c in alone.criteria}
        assert step.opens == [title for title in now if then[title] > now[title]]
        seen["opens a row" if step.opens else "opens none"] += 1
    moves = [(s.moves, s.moves_to_go) for s in steps]
    assert moves == sorted(moves, reverse=True)


@holds(("GO", "GO*", "NO-GO", "accepted", "waived"), case=drawn(), stage=stages)
def test_every_cell_that_is_not_go_has_its_conditions_with_owner_and_check(case, stage, seen):
    for result in decide(case.findings, case.policy, NOW).criteria:
        conditions = [c for c in result.conditions if c.stage == stage]
        cell = getattr(result, stage)
        assert bool(conditions) is (cell is not Cell.GO)
        assert any(c.bars for c in conditions) is (cell is Cell.NO_GO)
        for condition in conditions:
            assert condition.owner
            assert condition.check in result.checks
            seen["accepted"] += condition.accepted == "with monitoring"
            seen["waived"] += condition.accepted == "accepted"
            assert not (
                condition.bars
                and condition.accepted == "with monitoring"
                and condition.why == "waived failure"
            )
        seen[str(cell)] += 1


# The policy on file.


def answered(status, **more):
    return [finding(check, status, **more) for check in POLICY.checks]


def test_nothing_found_is_never_green():
    assert colour([], POLICY, "staging") is not Colour.GREEN
    assert area_results([], POLICY, "staging", NOW) == []
    for status in (Status.NOT_APPLICABLE, Status.NOT_MEASURED, Status.ERROR):
        for stage in STAGES:
            for result in area_results(answered(status), POLICY, stage, NOW):
                assert result.colour is not Colour.GREEN
    decision = decide([], POLICY, NOW)
    assert (decision.staging, decision.production) == (Verdict.NO_GO, Verdict.NO_GO)
    assert decision.goals[0].smallest


def test_all_measured_and_passed_is_go():
    decision = decide(answered(Status.PASS), POLICY, NOW)
    assert (decision.staging, decision.production) == (Verdict.GO, Verdict.GO)
    assert decision.conditions == decision.steps == []
    assert all(goal.reached for goal in decision.goals)
    for result in area_results(answered(Status.PASS), POLICY, "production", NOW):
        assert (result.colour, result.confidence) == (Colour.GREEN, 1.0)


def test_one_grave_failure_is_no_go():
    findings = [
        finding(c, Status.FAIL if c == "SEC-AUTHN" else Status.PASS, severity=Severity.CRITICAL)
        for c in POLICY.checks
    ]
    decision = decide(findings, POLICY, NOW)
    assert (decision.staging, decision.production) == (Verdict.NO_GO, Verdict.NO_GO)
    assert [(c.check, c.owner) for c in decision.conditions if c.stage == "staging"] == [
        ("SEC-AUTHN", POLICY.owners["security"])
    ]
    assert decision.goal("staging", "GO").smallest == [["SEC-AUTHN"]]
    assert decision.steps[0].moves == 1.0
    assert decision.steps[0].opens == ["Security posture acceptable"]


COLOUR_OF = {
    (Severity.CRITICAL, None): Colour.RED,
    (Severity.HIGH, None): Colour.RED,
    (Severity.MEDIUM, None): Colour.YELLOW,
    (Severity.LOW, None): Colour.GREEN,
    (Severity.CRITICAL, "accepted"): Colour.YELLOW,
    (Severity.HIGH, "accepted"): Colour.YELLOW,
    (Severity.MEDIUM, "accepted"): Colour.YELLOW,
    (Severity.LOW, "accepted"): Colour.GREEN,
}


@pytest.mark.parametrize(("severity", "waiver"), COLOUR_OF)
def test_the_colour_of_one_failure_that_is_not_required(severity, waiver):
    failed = finding("SEC-WAF", Status.FAIL, severity=severity, waiver=waiver)
    beside = [f for f in answered(Status.PASS) if f.area == "security" and f.check != "SEC-WAF"]
    assert colour([*beside, failed], POLICY, "staging") is COLOUR_OF[severity, waiver]


def test_accepted_gaps_do_not_cover_a_grave_failure():
    for severity, verdict in (
        (Severity.MEDIUM, Verdict.CONDITIONAL_GO),
        (Severity.HIGH, Verdict.NO_GO),
    ):
        findings = [f for f in answered(Status.PASS) if f.check != "OPS-BACKUP"]
        failed = finding("OPS-BACKUP", Status.FAIL, severity=severity)
        decision = decide([*findings, failed], POLICY, NOW)
        assert decision.staging is verdict
        (condition,) = [c for c in decision.conditions if c.stage == "staging"]
        assert condition.bars is (verdict is Verdict.NO_GO)


def test_what_is_in_two_rows_moves_more_than_what_is_in_one():
    decision = decide(answered(Status.NOT_MEASURED), POLICY, NOW)
    assert {s.check for s in decision.steps[:2]} == {"TEST-UNIT", "TEST-INTEGRATION"}


def test_two_findings_of_one_check_are_refused():
    twice = [finding("SEC-AUTHN", Status.FAIL), finding("SEC-AUTHN", Status.PASS)]
    with pytest.raises(ValueError, match="two findings of SEC-AUTHN"):
        decide(twice, POLICY, NOW)


def test_confidence_falls_with_age():
    findings = [f for f in answered(Status.PASS) if f.area == "testing"]
    for days, left in ((3.5, 0.5), (30, 0.0)):
        terms = [term(f, POLICY, NOW + timedelta(days=days)) for f in findings]
        assert confidence(terms) == pytest.approx(left, abs=1e-4)


def test_the_generator_makes_what_the_properties_are_about():
    """Every status, severity, strength, waiver, age and gap occurs, in policies that differ."""
    wanted = {f"{s}" for s in Status} | {f"{s}" for s in Severity} | {f"{s}" for s in Strength}
    wanted |= {"waived", "carried over", "old", "missing", "unexpected", "accepting", "shared"}
    seen = set()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(drawn())
    def look(case):
        checks = {f.check for f in case.findings}
        seen.update(str(v) for f in case.findings for v in (f.status, f.severity, f.strength))
        seen.update("waived" for f in case.findings if f.waiver)
        seen.update("carried over" for f in case.findings if f.carried_over)
        seen.update("old" for f in case.findings if f.measured_at < NOW - timedelta(days=7))
        seen.update(["missing"] if set(case.policy.checks) - checks else [])
        seen.update(["unexpected"] if UNEXPECTED in checks else [])
        seen.update("accepting" for c in case.policy.criteria if c.accept)
        seen.update(["shared"] if len(case.policy.criteria) > 2 else [])
        assert all(satisfied(f, case.policy, s) or f for f in case.findings for s in STAGES)

    look()
    assert wanted <= seen, wanted - seen
    assert set(IDS) <= set(POLICY.checks)
