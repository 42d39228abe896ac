"""What stands before the service, which only those who run it can say."""

from __future__ import annotations

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import NOT_SET, Judgement, Reason, Status, not_measured
from readiness.sources.declarations import declared


@check(
    "SEC-WAF",
    sources=[declared],
    severity="low",
    strength="DECLARED",
    references=["OWASP ModSecurity Core Rule Set", "CIS Controls v8 13.10"],
)
def application_firewall(declarations: Evidence, criteria: Criteria) -> Judgement:
    """A web application firewall stands before it

    Nothing is sent to find out: a probe that a firewall would refuse is an attack, and one that it
    lets pass proves nothing. What counts is a declaration that names who made it and when, and that
    has not run out. It is never more than DECLARED.

    Why: it buys time when a hole becomes known before its correction is deployed.
    Bad: a declaration that it is not there; one of two years ago.
    Remedy: put one before the service, and say so under target.declarations.SEC-WAF with
    statement, by and stated; or say `holds: false`, and accept the gap.
    """
    expected = "declared to be there, by a named person, within the time it is believed"
    said = next((r for r in declarations.records if r["check"] == "SEC-WAF"), None)
    if said is None:
        why = f"target.declarations.SEC-WAF{NOT_SET}"
        return not_measured(Reason.NO_PARAMETER, expected, why)
    who = f"{said['by']} on {said['stated']}: {said['statement']}"
    if not said["holds"]:
        return Judgement(Status.FAIL, expected, f"declared not to be there, by {who}", 1)
    if not said["current"]:
        why = f"the declaration is not in force (until {said['valid_until']}), by {who}"
        return not_measured(Reason.STALE, expected, why, 1)
    return Judgement(Status.PASS, expected, f"declared by {who}", 1)
