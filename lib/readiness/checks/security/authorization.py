"""Who may do what: operations without credentials."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, not_measured
from readiness.sources.answers import READINGS, reading
from readiness.sources.authorization import anonymous


@check(
    "SEC-AUTHZ-ANON",
    sources=[anonymous],
    severity="critical",
    references=[
        "CWE-306",
        "CWE-862",
        "OWASP API Security Top 10 2023: API2, API5",
        "OWASP ASVS 5.0 8.3.1",
        "RFC 9110 15.5.2",
    ],
)
def refused_without_credentials(operations: Evidence, criteria: Criteria) -> Judgement:
    """No operation answers without credentials unless it is declared public

    Every operation of the API document is called without credentials, and again with one that
    nobody was given; its path also by the methods that the document does not list. 401, 403 and a
    redirect to the login are refusals. Success is not; neither is a 404 about the object or a 409,
    for which somebody had to look before asking who is calling. A request that is found faulty
    (400, 422) is repeated with the least that its schema asks for, as some services read before
    they ask. An answer from the rate limiter, from a catch-all page or from a path that is not
    there decides nothing, and so does a refusal when nothing shows that the service itself can be
    heard.

    Why: authorization is forgotten one route at a time, and nobody who holds a token notices.
    Bad: one forgotten route; a route that says 404 for an unknown id and would say 200 for a known
    one; a POST that finds fault with an empty body and takes a full one.
    Remedy: refuse by default, in one place for all routes; declare what is public under
    target.http.public. Where an operation could not be judged, give target.http.examples for its
    parameters, permit active, or take it out of the document if it is gone.
    """
    expected = "401, 403 or a redirect to the login, for every operation not declared public"
    judged = [r for r in operations.records if not r["public"] and reading(r) != "stub"]
    offenders = [_offender(r) for r in judged if reading(r) in ("open", "reached")]
    offenders += _by_other_ways(operations, {o["operation"] for o in offenders})
    refused = [r for r in judged if reading(r) == "refused"]
    unclear = [r for r in judged if reading(r) not in ("open", "reached", "refused")]
    asked = len(offenders) + len(refused)
    if offenders:
        opened = [o for o in offenders if o["answer"] == "open"]
        listed = ", ".join(f"{o['operation']} ({o['status']})" for o in offenders[:5])
        return Judgement(
            Status.FAIL,
            expected,
            f"{len(offenders)} of {len(judged)} protected operations not refused: {listed}",
            asked,
            offenders=offenders,
            severity=None if opened else Severity.HIGH,
        )
    if unclear or operations.facts["left_out"]:
        forbidden = all("not permitted" in (r["not_asked"] or "") for r in unclear)
        reason = Reason.NOT_PERMITTED if unclear and forbidden else Reason.INCONCLUSIVE
        return not_measured(reason, expected, _unclear(operations, unclear), asked)
    if refused and not operations.facts["control"]:
        return not_measured(
            Reason.INCONCLUSIVE,
            expected,
            f"all {asked} were refused, but nothing showed that it was the service and not a gate "
            "before it: declare a public operation, or target.http.authentication",
            asked,
        )
    said = f"all {asked} protected operations refused{_remarks(operations)}"
    return Judgement(Status.PASS, expected, said, asked)


ANSWER = ("status", "sent", "content_type", "bytes")


def _by_other_ways(operations: Evidence, known: set[str]) -> list[dict[str, Any]]:
    """What got in with a credential that nobody was given, or by a method that is not listed."""
    invalid, unlisted = operations.facts.get("invalid", []), operations.facts.get("unlisted", [])
    found = [r for r in invalid if reading(r) in ("open", "reached")]
    found = [r for r in found if r["operation"] not in known and r["stub"] is None]
    with_invalid = [{**_offender(r), "sent": "an invalid credential"} for r in found]
    hidden = [{**_offender(r), "sent": "a method that is not listed"} for r in unlisted]
    return with_invalid + [row for row in hidden if row["answer"] == "open"]


def _offender(row: dict[str, Any]) -> dict[str, Any]:
    last = row["answers"][-1] if row["answers"] else dict.fromkeys(ANSWER)
    said = reading(row)
    return {
        "operation": row["operation"],
        "status": last["status"],
        "answer": said,
        "problem": READINGS[said],
        "sent": last["sent"],
        "content_type": last["content_type"],
        "bytes": last["bytes"],
    }


def _unclear(operations: Evidence, unclear: list[dict[str, Any]]) -> str:
    """Why some operations could not be judged, grouped by what they answered."""
    if wrong := operations.facts.get("wrong_base"):
        return str(wrong)
    groups: dict[str, list[str]] = {}
    for row in unclear:
        why = row["not_asked"] or READINGS[reading(row)]
        groups.setdefault(why, []).append(row["operation"])
    if left_out := operations.facts["left_out"]:
        groups["no usable path in the document"] = left_out
    parts = [
        f"{len(names)} {why} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
        for why, names in groups.items()
    ]
    return f"none was open, but not all could be judged: {'; '.join(parts)}"


def _remarks(operations: Evidence) -> str:
    """What the reader should know about declarations that the check had to believe."""
    rows, remarks = operations.records, []
    if public := [r for r in rows if r["public"]]:
        remarks.append(f"{len(public)} are declared public")
    if closed := [r["operation"] for r in public if reading(r) == "refused"]:
        remarks.append(f"declared public and refused all the same: {', '.join(closed[:3])}")
    if unknown := operations.facts["declared_public_but_unknown"]:
        remarks.append(f"declared public and not in the document: {', '.join(unknown[:3])}")
    if stubs := [r for r in rows if not r["public"] and reading(r) == "stub"]:
        remarks.append(f"{len(stubs)} declared stubs answer anybody, with nothing behind them yet")
    if late := [r for r in rows if len(r["answers"]) > 1 and reading(r) == "refused"]:
        remarks.append(f"{len(late)} read the body before they asked who is calling")
    asked = sum(bool(r["answers"]) for r in operations.facts.get("unlisted", []))
    remarks.append(f"so were invalid credentials, and {asked} methods that are not listed")
    return f"; {'; '.join(remarks)}"
