"""The security score: how many of the expected checks passed."""

from __future__ import annotations

from collections import Counter

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, not_measured
from readiness.sources.findings import of_area

SELF = "SEC-SCORE"


@check(
    SELF,
    sources=[of_area],
    severity="low",
    references=["OWASP ASVS 5.0: assessment and certification"],
)
def security_score(findings: Evidence, criteria: Criteria) -> Judgement:
    """Passed of expected in this area

    The findings of this run are counted against the checks that policy expects of the area, this
    one left out. What was not measured stays in the denominator. It passes only when every other
    check passed, or was declared not to apply where policy allows that.

    Why: "20/20, all checks pass" is only worth what its denominator is: a score over the checks
    that happened to work rises with every check that breaks.
    Bad: one failure; a check that was lost; one declared away though policy does not allow it.
    Remedy: settle the findings that are named; the score follows from them and nothing else.
    """
    rows = [row for row in findings.records if row["check"] != SELF]
    expected = f"every one of {len(rows)} expected checks passed"
    by_status: dict[str, list[str]] = {}
    for row in rows:
        by_status.setdefault(_standing(row), []).append(row["check"])
    passed = len(by_status.get("passed", []))
    samples = passed + len(by_status.get("failed", []))
    said = f"{passed}/{len(rows)} passed{_rest(by_status)}"
    if failed := by_status.get("failed"):
        offenders = [row for row in rows if row["check"] in failed]
        return Judgement(Status.FAIL, expected, said, samples, offenders=offenders)
    if by_status.get("unknown"):
        reasons = Counter(row["reason"] or row["status"] for row in rows if _unknown(row))
        why = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        return not_measured(Reason.INCONCLUSIVE, expected, f"{said} ({why})", samples)
    return Judgement(Status.PASS, expected, said, samples)


def _standing(row: dict[str, str]) -> str:
    if _unknown(row):
        return "unknown"
    return {"PASS": "passed", "FAIL": "failed"}.get(row["status"], "not applicable")


def _unknown(row: dict[str, str]) -> bool:
    """Whether nothing is known; what may not be declared away stays unknown."""
    if row["status"] == Status.NOT_APPLICABLE:
        return not row["may_be_declared_away"]
    return row["status"] not in (Status.PASS, Status.FAIL)


def _rest(by_status: dict[str, list[str]]) -> str:
    parts = []
    if failed := by_status.get("failed"):
        parts.append(f"{len(failed)} failed: {', '.join(failed)}")
    if declared := by_status.get("not applicable"):
        parts.append(f"{len(declared)} declared not to apply")
    if unknown := by_status.get("unknown"):
        parts.append(f"{len(unknown)} not known")
    return f"; {'; '.join(parts)}" if parts else ""
