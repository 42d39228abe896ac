"""Stubs: what answers 501 or 503 by design is declared, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, counted, not_measured, verdict_of
from readiness.sources.stubs import UNAVAILABLE, operations

# A guard, a limiter or a validation answered in place of the operation.
NOT_THE_OPERATION = (None, 400, 401, 403, 415, 422, 429)
UNSEEN = (None, 401, 403, 429)
FEWEST_FOR_AN_OUTAGE = 3


class Stubs(Criteria):
    max_unseen: float = 0.1  # of the operations; beyond, a stub could hide among them


@check(
    "TEST-STUBS",
    sources=[operations],
    severity="medium",
    criteria=Stubs,
    references=["RFC 9110 15.6.2", "RFC 9110 15.6.4"],
)
def stubs(operations: Evidence, criteria: Stubs) -> Judgement:
    """What answers 501 or 503 by design is declared as a stub

    Every GET operation of the API is called, with credentials where a role has them, and every
    declared stub. A declared stub that answers as declared is a known limitation and is listed with
    its reason. One that is not declared fails; so does, less gravely, a declaration that is no
    longer true. 503 is repeated: an answer that changes, that says when to come back, or that half
    of the service gives is an outage, and not measured. Operations that may change something are
    called only when they are declared and `active` is permitted.

    Why: an interface that is not built yet looks finished in the documentation and in a demo;
    whoever decides must know what is missing, and whether the business depends on it.
    Bad: a route that answers 501 and stands on no list; a stub that was built long ago and still
    counts as missing.
    Remedy: build it, take it out of the API, or declare it under target.http.stubs with a reason,
    and with `critical: true` where the business depends on it.
    """
    expected = "501 and 503 only from declared stubs"
    records = operations.records
    declared = [r for r in records if r["declared"]]
    called = [r for r in records if not r["not_called"]]
    listed = [r for r in called if not r["declared"]]
    seen = [r for r in listed if r["status"] not in UNSEEN and not r["catch_all"]]
    down = [r for r in seen if r["status"] == 503]
    if len(down) >= FEWEST_FOR_AN_OUTAGE and 2 * len(down) >= len(seen):
        said = f"{len(down)} of {counted(len(seen), 'operation')} answer 503: the service is down"
        return not_measured(Reason.UNREACHABLE, expected, said, len(seen))
    true = [r for r in declared if r["status"] == r["declared"] and r["steady"]]
    unsure = [r for r in called if r["declared"] and r not in true and _not_the_operation(r)]
    outdated = [r for r in called if r["declared"] and r not in true and r not in unsure]
    alike = [r for r in listed if r["status"] in UNAVAILABLE and not r["health"]]
    outages = [r for r in alike if not r["steady"] or r["retry_after"]]
    undeclared = [r for r in alike if r not in outages]
    offenders = [_said(r, f"answers {r['status']} and is not declared") for r in undeclared]
    offenders += [
        _said(r, f"is declared to answer {r['declared']} and answers {r['status']}")
        for r in outdated
    ]
    judged = verdict_of(
        offenders,
        samples=len(seen) + len(true) + len(outdated),
        expected=expected,
        passed=_passed(declared, true, len(seen)),
        failed="; ".join(f"{o['operation']} {o['problem']}" for o in offenders[:3])
        + (f"; and {len(offenders) - 3} more" if len(offenders) > 3 else ""),
    )
    if seen and not true and all(r["status"] == 404 for r in seen):
        said = f"all {counted(len(seen), 'operation')} answered 404: is target.http.base_url right?"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(seen))
    if offenders:
        return judged if undeclared else replace(judged, severity=Severity.LOW)
    if gap := _gap(operations, unsure + outages, len(listed) - len(seen), len(listed), criteria):
        reason, said = gap
        return not_measured(reason, expected, said, judged.samples)
    return judged


def _not_the_operation(record: dict[str, Any]) -> bool:
    unsteady = record["status"] in UNAVAILABLE and not record["steady"]
    return unsteady or record["catch_all"] or record["status"] in NOT_THE_OPERATION


def _said(record: dict[str, Any], problem: str) -> dict[str, Any]:
    return {"operation": record["operation"], "status": record["status"], "problem": problem}


def _gap(
    operations: Evidence,
    unsure: list[dict[str, Any]],
    unseen: int,
    listed: int,
    criteria: Stubs,
) -> tuple[Reason, str] | None:
    """Why an answer without offenders is not to be relied on."""
    facts = operations.facts
    if facts["operations_gap"]:
        return Reason.NO_PARAMETER, f"no list of operations to search: {facts['operations_gap']}"
    if unsure:
        said = ", ".join(f"{r['operation']} ({r['status'] or r['error']})" for r in unsure[:3])
        return Reason.INCONCLUSIVE, f"neither a stub nor a sound answer: {said}"
    if listed and unseen / listed > criteria.max_unseen:
        said = (
            f"{unseen} of {counted(listed, 'operation')} gave no answer of their own but a login, "
        )
        said += "a rate limit or a catch-all page, behind which stubs could hide"
        if facts["credentials_gap"]:
            said += f"; {facts['credentials_gap'][0]}"
        return Reason.INCONCLUSIVE, f"{said} (target.http.roles: who may call them?)"
    return None


def _passed(declared: list[dict[str, Any]], true: list[dict[str, Any]], seen: int) -> str:
    said = f"none undeclared among {counted(seen, 'GET operation')} called"
    if true:
        named = ", ".join(
            f"{r['operation']} ({r['status']}{', critical' if r['critical'] else ''})" for r in true
        )
        said = f"{counted(len(true), 'stub')} as declared: {named}; {said}"
    if silent := [r for r in declared if r["not_called"]]:
        names = ", ".join(r["operation"] for r in silent)
        said += f"; declared and not called: {names}"
    return said
