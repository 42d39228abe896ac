"""Whether what happened is written down, for good."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, not_measured
from readiness.sources.audit_trail import events

EVENTS = ("admin action", "failed login", "login", "denial", "logout")


class AuditTrail(Criteria):
    events: list[str] = list(EVENTS)  # that must have been provoked
    clock_s: float = Field(default=10, gt=0)  # by which a row's time may be off


@check(
    "SEC-AUDIT-LOG",
    sources=[events],
    severity="medium",
    criteria=AuditTrail,
    references=[
        "CWE-778",
        "CWE-223",
        "OWASP ASVS 5.0 16.2, 16.3, 16.4.2",
        "OWASP Top 10 2021: A09",
        "OWASP Cheat Sheet: Logging",
    ],
)
def events_are_logged(trail: Evidence, criteria: AuditTrail) -> Judgement:
    """Security events leave a row that says who, what, when, where

    An account of the audit's own is made by an admin, fails to log in, logs in, is denied an
    operation, and logs out. After each, the log is searched for rows that mention this account,
    for as long as the parameters allow. A row must name the actor, say what happened in words that
    tell the events apart, carry the time, and the address. Then the newest row is changed and
    removed as the application's own role, in a transaction that is rolled back; without such a
    login, its privileges are looked up.

    Why: after a break-in the log is all that tells what happened, and the first thing to be
    cleaned by whoever took the application over.
    Bad: a logout that leaves nothing; a denial without who was denied; a log that the application
    may rewrite.
    Remedy: write the row in the transaction of the event, with actor, action, time and address;
    grant the application INSERT and SELECT on the table and nothing else, and let another role own
    it.
    """
    expected = "a row for each event with who, what, when and where, which nobody may change"
    rows = [r for r in trail.records if r["happened"]]
    offenders = [o for row in rows if (o := _lacking(row, trail.facts, criteria))]
    offenders += _alike(rows)
    change = trail.facts["change"]
    if change["may"]:
        said = f"the application's role may {' and '.join(change['may'])} ({change['how']})"
        offenders.append({"event": "a row that was written", "problem": said})
    if offenders:
        shown = "; ".join(f"{o['event']}: {o['problem']}" for o in offenders[:4])
        return Judgement(Status.FAIL, expected, shown, len(rows), offenders=offenders)
    gaps = [
        f"{r['event']} was not to be had: answered {r['status'] or 'nothing'}"
        for r in trail.records
        if not r["happened"]
    ]
    tried = {r["event"] for r in trail.records}
    gaps += [f"{name} was not tried" for name in criteria.events if name not in tried]
    gaps += [change["said"]] if change["how"] is None else []
    if gaps:
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(gaps), len(rows))
    slowest = max(r["after_s"] for r in rows)
    said = (
        f"{len(rows)} events, each with its row within {max(slowest, 0.1):.1f} s; changing one as "
        f"the application: refused ({change['how']})"
    )
    said += f"; {trail.facts['left']}" if trail.facts["left"] else ""
    return Judgement(Status.PASS, expected, said, len(rows))


def _lacking(
    row: dict[str, Any], facts: dict[str, Any], criteria: AuditTrail
) -> dict[str, Any] | None:
    """What the log does not say of an event."""
    if not row["rows"]:
        said = f"no row names the account within {facts['within_s']:g} s"
        return {"event": row["event"], "problem": said}
    missing = []
    if not row["who"]:
        missing.append("who")
    if not row["what"]:
        missing.append("what")
    if row["when_off_s"] is None or row["when_off_s"] > criteria.clock_s:
        missing.append(f"when (off by {row['when_off_s']} s)")
    if not facts["says_where"] or not _is_address(row["where"]):
        missing.append("from where")
    if not missing:
        return None
    return {"event": row["event"], "problem": f"the row does not say {', '.join(missing)}"}


def _alike(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events that the log gives the same name, so that a failure looks like a success."""
    named: dict[str, list[str]] = {}
    for row in rows:
        if row["rows"] and row["what"]:
            named.setdefault(row["what"], []).append(row["event"])
    return [
        {"event": " and ".join(alike), "problem": f"are written down alike, as {what!r}"}
        for what, alike in named.items()
        if len(alike) > 1
    ]


def _is_address(text: str) -> bool:
    try:
        return bool(ip_address(text.split("/")[0].split("%")[0]))
    except ValueError:
        return False
