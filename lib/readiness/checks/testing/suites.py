"""Test suites: what their reports say about the commit under assessment."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import (
    Judgement,
    Reason,
    Severity,
    Strength,
    counted,
    not_measured,
    verdict_of,
)
from readiness.sources.reports import e2e as e2e_reports
from readiness.sources.reports import integration as integration_reports
from readiness.sources.reports import unit as unit_reports
from readiness.sources.testreports import PASSED, RAN

SHORTEST_COMMIT = 7  # characters of a commit that are enough to name it
CLOCKS_APART_HOURS = 14.0  # a report without a time zone may seem to come from the future
REFERENCES = ["https://github.com/testmoapp/junitxml", "ISO/IEC/IEEE 29119-3"]


class Suite(Criteria):
    min_rate: float = 1.0  # of the tests that ran, declared failures left out
    max_skipped: float = 0.2  # of all tests; beyond, too little was run to tell
    max_excused: float = 0.25  # of the tests that ran; beyond, the declarations hide the suite
    flaky_counts_as_passed: bool = True


class EndToEnd(Suite):
    min_rate: float = 0.9


def _judge(reports: Evidence, criteria: Suite) -> Judgement:
    share = f"{criteria.min_rate:.0%}" if criteria.min_rate < 1 else "all"
    expected = f"{share} of the tests of this commit pass, declared failures left out"
    files = reports.facts["files"]
    if gap := _gap(reports, expected):
        return gap
    ran = [r for r in reports.records if r["outcome"] in RAN]
    passed = [r for r in ran if _passed(r, criteria)]
    if len(ran) < reports.facts["min_tests"]:
        said = f"{len(ran):,} of {counted(len(reports.records), 'test')} ran"
        said += f" in {counted(len(files), 'report')}"
        if ran:
            said += f"; at least {reports.facts['min_tests']} are expected"
        return not_measured(Reason.NO_SAMPLES, expected, said, len(ran))
    failed = [r for r in ran if not _passed(r, criteria)]
    today = reports.collected_at.astimezone(UTC).date()
    declared = reports.facts["expected_failures"]
    excused = {r["test"] for r in failed if _excuse(r["test"], declared, today)}
    left = len(ran) - len(excused)
    if not left:
        said = f"all {counted(len(ran), 'test')} that ran are declared to fail"
        return not_measured(Reason.NO_SAMPLES, expected, said, len(ran))
    skipped = len(reports.records) - len(ran)
    observed = _observed(reports, len(ran), len(passed), len(excused), skipped)
    offenders = [
        {"test": r["test"], "problem": _problem(r, declared, today)}
        for r in failed
        if r["test"] not in excused
    ]
    surprises = [
        {"test": r["test"], "problem": "passes, although it is declared to fail"}
        for r in passed
        if _excuse(r["test"], declared, today)
    ]
    short = len(passed) / left < criteria.min_rate
    hidden = len(excused) / len(ran) > criteria.max_excused
    if not short and not hidden and skipped / len(reports.records) > criteria.max_skipped:
        said = f"{observed}: too few ran to tell"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(ran))
    if short:
        observed += f"; for instance {offenders[0]['test']} {offenders[0]['problem']}"
    if hidden:
        observed += "; the declared failures are more than may be excused"
    if surprises:
        observed += f"; {len(surprises)} pass although declared to fail"
    of_this_commit = reports.facts["commit"] and all(f["commit"] for f in files)
    return verdict_of(
        [
            *(offenders if short else []),
            *surprises,
            *([{"excused": len(excused)}] if hidden else []),
        ],
        samples=len(ran),
        expected=expected,
        passed=observed,
        failed=observed,
        severity=None if short or hidden else Severity.LOW,
        strength=None if of_this_commit else Strength.CONFIGURED,
    )


def _gap(reports: Evidence, expected: str) -> Judgement | None:
    """Why the reports cannot answer: unreadable, cut off, old, or of another commit."""
    files, wanted = reports.facts["files"], reports.facts["commit"]
    oldest = reports.facts["max_age_hours"]
    unreadable = [f"{f['file']}: {f['unreadable']}" for f in files if f["unreadable"]]
    if unreadable:
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(unreadable[:3]))
    stale = [f for f in files if f["age_hours"] > oldest]
    if stale:
        said = ", ".join(f"{f['file']} is {f['age_hours']:,.0f} hours old" for f in stale[:3])
        return not_measured(
            Reason.STALE, expected, f"{said}; at most {oldest:g} are allowed: run the suite again"
        )
    if early := [f["file"] for f in files if f["age_hours"] < -CLOCKS_APART_HOURS]:
        said = f"{', '.join(early[:3])}: dated in the future"
        return not_measured(Reason.STALE, expected, said)
    others = [f for f in files if wanted and f["commit"] and not _same(f["commit"], wanted)]
    if others:
        said = ", ".join(f"{f['file']} is of {f['commit'][:12]}" for f in others[:3])
        return not_measured(
            Reason.STALE,
            expected,
            f"{said}, under assessment is {wanted[:12]}: run the suite again",
        )
    if lost := [f"{f['file']} {f['lost']}" for f in files if f["lost"]]:
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(lost[:3]))
    return None


def _same(commit: str, wanted: str) -> bool:
    """Whether two names of a commit, one perhaps short, mean the same."""
    one, other = commit.strip().lower(), wanted.strip().lower()
    shorter = min(len(one), len(other))
    return one == other or (shorter >= SHORTEST_COMMIT and one[:shorter] == other[:shorter])


def _passed(record: dict[str, Any], criteria: Suite) -> bool:
    if record["outcome"] == "flaky":
        return criteria.flaky_counts_as_passed
    return record["outcome"] in PASSED


def _excuse(test: str, declared: Sequence[dict[str, Any]], today: date) -> bool:
    """Whether a declaration that is still valid names the test."""
    return any(
        _names(one["test"], test) and date.fromisoformat(one["expires"]) >= today
        for one in declared
    )


def _names(pattern: str, test: str) -> bool:
    """``*`` and ``?`` stand for text; brackets, which test ids are full of, for themselves."""
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return bool(re.fullmatch("".join(parts), test, re.S))


def _problem(record: dict[str, Any], declared: Sequence[dict[str, Any]], today: date) -> str:
    outcome = {"error": "breaks", "flaky": "passes only sometimes"}.get(record["outcome"], "fails")
    ended = [one["expires"] for one in declared if _names(one["test"], record["test"])]
    return f"{outcome}; its declaration ended on {max(ended)}" if ended else str(outcome)


def _rate(passed: int, ran: int) -> str:
    """Rounded down: 1,870 of 1,871 are not 100.0 %."""
    return f"{math.floor(1000 * passed / ran) / 10:.1f} %"


def _observed(reports: Evidence, ran: int, passed: int, excused: int, skipped: int) -> str:
    said = f"{passed:,} of {counted(ran, 'test')} passed ({_rate(passed, ran)})"
    if excused:
        left = ran - excused
        said += (
            f"; without {counted(excused, 'declared failure')} {passed:,} of {left:,} "
            f"({_rate(passed, left)})"
        )
    outcomes = [record["outcome"] for record in reports.records]
    if skipped:
        in_code = outcomes.count("expected failure")
        said += f"; {skipped:,} not run" + (
            f", {in_code} of them expected failures" if in_code else ""
        )
    if flaky := outcomes.count("flaky"):
        said += f"; {flaky} flaky"
    files = reports.facts["files"]
    if not reports.facts["commit"]:
        said += "; not compared with a commit: target.commit is not set"
    elif silent := sum(not f["commit"] for f in files):
        said += f"; the commit is not said by {silent} of {counted(len(files), 'report')}"
    if any(f["dated_by"] == "file" for f in files):
        said += "; dated by the file, not by the report"
    return said


@check(
    "TEST-UNIT",
    sources=[unit_reports],
    severity="medium",
    criteria=Suite,
    references=REFERENCES,
)
def unit(reports: Evidence, criteria: Suite) -> Judgement:
    """The unit tests of this commit pass

    Every test is read from the suite's JUnit XML or Playwright JSON. Reports that are too old, of
    another commit or cut off answer nothing. Errors count as failures, skipped tests as not run; a
    test that is reported several times counts with its worst outcome, unless the runner itself
    calls it a retry. The rate is told raw, and without the failures that are declared with a reason
    and a date: a declared one that passes fails this check, and an expired one excuses nothing.

    Why: a number of passed tests says something only about the commit they ran on.
    Bad: last month's report; a report that was copied in; an empty one; a failure that was declared
    for good.
    Remedy: run the suite in the pipeline, let it write the commit as a property named `commit`
    (pytest: record_testsuite_property), and keep the report; repair or declare what fails under
    target.reports.expected_failures.
    """
    return _judge(reports, criteria)


@check(
    "TEST-INTEGRATION",
    sources=[integration_reports],
    severity="medium",
    criteria=Suite,
    references=REFERENCES,
)
def integration(reports: Evidence, criteria: Suite) -> Judgement:
    """The integration tests of this commit pass

    As for the unit tests: each test from its report, of this commit and recent, the rate raw and
    without declared failures.

    Why: parts that work alone fail where they meet; the database, the queue and the provider are
    where production differs from a laptop.
    Bad: a suite that was skipped because the database was not there; failures that a rate limiter
    caused and that everybody ignores.
    Remedy: run the suite against a real stack in the pipeline, and declare what is known to fail
    with a reason and a date.
    """
    return _judge(reports, criteria)


@check(
    "TEST-E2E",
    sources=[e2e_reports],
    severity="low",
    criteria=EndToEnd,
    references=[*REFERENCES, "https://playwright.dev/docs/test-reporters#json-reporter"],
)
def end_to_end(reports: Evidence, criteria: EndToEnd) -> Judgement:
    """The end-to-end tests of this commit pass

    As for the unit tests, over whole journeys in a browser; a test that passes on a retry is
    flaky, told, and counts as passed. Nine in ten must pass.

    Why: they are the only tests that see what a user sees.
    Bad: selectors that fell behind the pages, so that nobody looks at the failures any more, also
    not at the real ones.
    Remedy: repair or remove the tests that fail for their own reasons, then keep the rate.
    """
    return _judge(reports, criteria)
