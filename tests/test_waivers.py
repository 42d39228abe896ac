"""Waivers: what counts, what is ignored and why, and when a failure is worse than the accepted."""

from collections import Counter
from datetime import timedelta

import pytest
from decisions import NOW, finding
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness import policy as policies
from readiness import waivers
from readiness.documents import ParameterError
from readiness.finding import Severity, Status
from readiness.offenders import offender_ids
from readiness.waivers import Scope, Waiver

POLICY = policies.load()
CHECK = "OPS-BACKUP"
OFFENDERS = [
    {"table": "users", "problem": "12 rows differ"},
    {"table": "orders", "problem": "gone"},
]


def failed(offenders=OFFENDERS, severity=Severity.HIGH, check=CHECK, status=Status.FAIL):
    return finding(
        check,
        status,
        severity=severity,
        offenders=offenders[:1],
        offenders_total=len(offenders),
        offender_ids=offender_ids(offenders),
    )


def waiver(**more):
    values = {
        "check": CHECK,
        "environment": "demo",
        "reason": "moved next month",
        "owner": "operations",
        "approver": "L. Auditor",
        "approved_at": NOW - timedelta(days=1),
        "expires_at": NOW + timedelta(days=30),
        "scope": Scope(
            run="20251230T000000Z",
            severity=Severity.HIGH,
            offenders=2,
            offender_ids=offender_ids(OFFENDERS),
        ),
        **more,
    }
    return Waiver.model_validate(values)


def applied(one, finding_=None, environments=("demo", "staging")):
    """The finding after a waiver, and why the waiver was ignored."""
    (after,), considered = waivers.apply(
        [finding_ or failed()], [one], "demo", POLICY, NOW, environments
    )
    return after, considered[0].ignored if considered else None


def test_a_good_one_is_in_force_and_changes_nothing_else():
    before = failed()
    after, ignored = applied(waiver(), before)
    assert ignored == ""
    assert after.waiver == (
        "moved next month (owner operations, approved by L. Auditor, until 2026-01-31 00:00 UTC)"
    )
    assert after.model_copy(update={"waiver": None}) == before


IGNORED = {
    "not approved": ({"approver": None}, "not approved"),
    "approved at no time": ({"approved_at": None}, "not approved"),
    "by its owner": ({"approver": " Operations"}, "approved by its own owner"),
    "to come": ({"approved_at": NOW + timedelta(hours=1)}, "approved in the future"),
    "expired": ({"expires_at": NOW}, "expired at 2026-01-01 00:00 UTC"),
    "too long": (
        {"expires_at": NOW + timedelta(days=POLICY.waivers.max_days)},
        "lasts 91 days, and policy allows 90",
    ),
    "of no check": ({"check": "OPS-BACKUPS"}, "policy expects no such check; did you mean OPS-BAC"),
    "of another check": ({"check": "OPS-LOGS"}, "the check did not fail (not part of this run)"),
    "of no environment": ({"environment": "stagin"}, "no such environment; did you mean staging?"),
}


@pytest.mark.parametrize(("change", "why"), IGNORED.values(), ids=list(IGNORED))
def test_what_does_not_count_is_ignored_and_reported(change, why):
    after, ignored = applied(waiver(**change))
    assert ignored.startswith(why)
    assert after.waiver is None


def test_one_of_another_environment_is_none_of_this_runs_business():
    assert applied(waiver(environment="staging")) == (failed(), None)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.FAIL])
def test_only_a_failure_can_be_waived(status):
    after, ignored = applied(waiver(), failed(status=status))
    assert ignored == f"the check did not fail ({status})"
    assert after.waiver is None


def test_a_minor_gap_needs_none():
    minor = failed(severity=Severity.LOW, check="SEC-SCORE")
    assert applied(waiver(check="SEC-SCORE"), minor)[1] == "needless: the failure is a minor gap"


def test_an_expired_one_that_the_finding_brings_along_does_not_stay():
    carried = failed().model_copy(update={"waiver": "of an earlier run"})
    assert applied(waiver(expires_at=NOW), carried)[0].waiver is None
    assert waivers.apply([carried], [], "demo", POLICY, NOW)[0][0].waiver is None


def test_of_two_for_one_check_the_one_that_counts_counts():
    two = [waiver(expires_at=NOW), waiver(reason="a"), waiver(reason="b")]
    (after,), considered = waivers.apply([failed()], two, "demo", POLICY, NOW)
    assert after.waiver.startswith("a (")
    assert [bool(c.ignored) for c in considered] == [True, False, True]


# Getting worse.


def test_it_reopens_when_the_failure_gets_worse_and_not_when_its_figures_change():
    def ignored(*offenders, severity=Severity.HIGH):
        return applied(waiver(), failed(list(offenders), severity))[1]

    users, orders = OFFENDERS
    other = {"table": "payments", "problem": "gone"}
    assert ignored(users) == ""
    assert ignored({**users, "problem": "4,012 rows differ"}, orders) == ""
    assert ignored(users, orders, severity=Severity.MEDIUM) == ""
    assert ignored(users, orders, other) == "reopened: 3 offenders, accepted were 2"
    assert ignored(users, other) == "reopened: 1 of its offenders were not accepted"
    graver = ignored(users, orders, severity=Severity.CRITICAL)
    assert graver == "reopened: now critical, accepted was high"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("p95 is at least 812 ms, target 50 ms", "p95 is at least 1.2e+03 ms, target 50 ms", True),
        ("the newest backup is 30 h old", "the newest backup is 412 h old", True),
        ("12.5 % of requests fail", "99 % of requests fail", True),
        ("publishes 5432", "publishes 6379", False),
        ("GET /api/v1/users", "GET /api/v2/users", False),
        ("postgres:15.14 is not pinned", "postgres:16.1 is not pinned", False),
        ("gone", "differs", False),
    ],
)
def test_a_measurement_is_not_part_of_who_the_offender_is(one, other, same):
    ids = [offender_ids([{"problem": text, "n": n}]) for n, text in enumerate((one, other))]
    assert (ids[0] == ids[1]) is same


def test_worse_is_worse_whatever_the_offenders():
    """Fewer of the accepted ones never reopen it; one more, or another one, always does."""
    seen = Counter()
    names = st.lists(st.text(max_size=3), min_size=1, max_size=5, unique=True)

    @settings(max_examples=100, deadline=None)
    @given(names, st.data())
    def prop(accepted, data):
        offenders = [{"where": name} for name in accepted]
        scope = Scope(
            run="x",
            severity=Severity.HIGH,
            offenders=len(offenders),
            offender_ids=offender_ids(offenders),
        )
        kept = data.draw(st.lists(st.sampled_from(offenders), unique_by=lambda o: o["where"]))
        new = data.draw(st.lists(names, max_size=1))
        extra = [{"where": f"new {name}"} for some in new for name in some]
        said = waivers.worse(failed([*kept, *extra]), scope)
        assert bool(said) is bool(extra)
        seen[bool(extra)] += 1

    prop()
    assert seen[True] > 10
    assert seen[False] > 10


# The file.


def test_a_draft_counts_once_it_is_approved(tmp_path):
    hostile = failed().model_copy(update={"observed": "two differ\n- check: \x1b[31mSEC-AUTHN"})
    until = NOW + timedelta(days=30)
    text = waivers.draft(hostile, "20260101T000000Z", "demo", "because: x", "operations", until)
    assert "\x1b" not in text
    path = tmp_path / "waivers.yaml"
    path.write_text(f"waivers:\n{text}")
    (one,) = waivers.load(path)
    assert applied(one)[1] == "not approved"
    approved = {"approver": "L. Auditor", "approved_at": NOW}
    assert applied(one.model_copy(update=approved))[1] == ""
    with pytest.raises(ValueError, match="did not fail"):
        waivers.draft(failed(status=Status.PASS), "x", "demo", "r", "o", until)


@pytest.mark.parametrize(
    ("key", "line", "said"),
    [
        ("expires_at", None, "waivers.0.expires_at: is missing"),
        ("expires_at", "2026-03-01T00:00:00", "waivers.0.expires_at"),
        ("expires_at", "2026-03-01T00:00:00+01:00", "is not in UTC"),
        ("reason", "", "waivers.0.reason"),
        ("scope", None, "waivers.0.scope: is missing"),
        ("until", "x", "waivers.0.until: unknown key"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_with_its_key(tmp_path, key, line, said):
    import yaml

    raw = waiver().model_dump(mode="json")
    raw.pop(key, None)
    raw |= {} if line is None else {key: line}
    path = tmp_path / "waivers.yaml"
    path.write_text(yaml.safe_dump({"waivers": [raw]}))
    with pytest.raises(ParameterError, match=said):
        waivers.load(path)
