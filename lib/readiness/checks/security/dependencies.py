"""What is publicly known to be wrong with the packages that the target is built from."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, counted, not_measured
from readiness.sources.dependencies import UNKNOWN, advisories

WORST_LAST = ("info", "low", "moderate", "medium", "high", "critical")


class Vulnerabilities(Criteria):
    tolerated: list[str] = ["info", "low"]  # severities
    accepted: list[str] = []  # advisories that were looked into and do not apply, by id or address


@check(
    "SEC-DEPENDENCIES",
    sources=[advisories],
    severity="high",
    strength="CONFIGURED",
    criteria=Vulnerabilities,
    references=["CWE-1395", "OWASP ASVS 5.0 15.2.1", "pip-audit", "npm audit"],
)
def no_known_vulnerability(found: Evidence, criteria: Vulnerabilities) -> Judgement:
    """Known vulnerabilities in dependencies

    Every locked manifest is looked up with pip-audit (strict) and npm audit. pip-audit tells no
    severity, so each of its advisories counts as high. Packages that are skipped, versions that
    nothing pins, and an advisory service that does not answer leave the check not measured, with
    their number.

    Why: a known hole needs no talent, only a list of who still has it.
    Bad: a package with a critical advisory; a report of "no vulnerabilities" made without a
    connection.
    Remedy: update to the version named; where an advisory does not apply, name it under the
    check's criteria (accepted) with the reason in a comment; keep lock files.
    """
    expected = "every package looked up, and no advisory worse than is tolerated"
    rows = found.records
    looked_up = sum(r["packages"] for r in rows if not r["gap"] or r["vulnerable"])
    offenders: list[dict[str, Any]] = [
        {"manifest": r["manifest"], **v}
        for r in rows
        for v in r["vulnerable"]
        if v["severity"] not in criteria.tolerated and v["advisory"] not in criteria.accepted
    ]
    if offenders:
        told = list(dict.fromkeys(f"{o['package']} ({o['advisory']})" for o in offenders))
        said = f"{counted(len(told), 'advisory').replace('advisorys', 'advisories')}: "
        said += "; ".join(told[:4])
        worst = max((_rank(o["severity"]) for o in offenders), default=0)
        weight = Severity.MEDIUM if worst < WORST_LAST.index("high") else None
        return Judgement(Status.FAIL, expected, said, looked_up, None, offenders, weight)
    gaps = [r for r in rows if r["gap"]]
    if gaps:
        reasons = [Reason(r["reason"]) for r in gaps]
        lost = sum(
            r["packages"] if r["reason"] == Reason.UNREACHABLE else r["skipped"] for r in gaps
        )
        said = f"{len(gaps)} of {counted(len(rows), 'manifest')} not looked up in full"
        said += f" ({counted(lost, 'package')})" if lost else ""
        said += f": {gaps[0]['manifest']}: {gaps[0]['gap']}"
        return not_measured(reasons[0], expected, said, looked_up)
    said = f"none in {counted(looked_up, 'package')} of {counted(len(rows), 'manifest')}"
    if others := found.facts["others"]:
        said += f"; not looked at: {', '.join(others[:3])}"
    return Judgement(Status.PASS, expected, said, looked_up)


def _rank(severity: str) -> int:
    return WORST_LAST.index("high" if severity == UNKNOWN else severity)
