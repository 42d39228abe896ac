"""Whether what was revoked is over."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, counted, not_measured
from readiness.sources.login import opened
from readiness.sources.revocation import counts, revoked


@check(
    "SEC-AUTHN-LOGOUT",
    sources=[revoked],
    severity="high",
    references=[
        "CWE-613",
        "OWASP ASVS 5.0 7.4.1, 7.4.2",
        "OWASP Cheat Sheet: Session Management",
        "RFC 7009",
    ],
)
def revoked_is_refused(credentials: Evidence, criteria: Criteria) -> Judgement:
    """A revoked credential is refused everywhere

    The audit logs in (or lets a key be issued to itself), sees that the credential opens, revokes
    it, and presents it again by several callers at once, as often as it takes to meet every process
    that answers with the probability that the parameters ask for. What renews the credential is
    presented as well. Where the service names its processes in a header, they are counted. A
    balancer that sends one client always to one process is not seen through.

    Why: after a logout, a stolen token is all that the thief has; it must be worth nothing.
    Bad: a logout that only the browser knows of; revocation held in the memory of one process of
    two; an access token that ends and a refresh token that brings the next one.
    Remedy: keep revocations where every process looks (the database, Redis), check them with each
    request, and end refresh tokens with the session.
    """
    expected = "once revoked, the credential and what renews it refused by every process"
    rows = credentials.records
    samples = sum(len(r["after"]) + len(r["refreshed"]) for r in rows)
    offenders = [o for row in rows for o in _taken(row)]
    if offenders:
        said = "; ".join(f"{o['credential']}: {o['problem']}" for o in offenders[:3])
        return Judgement(Status.FAIL, expected, said, samples, offenders=offenders)
    gaps = [gap for row in rows if (gap := _gap(row))]
    if gaps:
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(gaps), samples)
    return Judgement(Status.PASS, expected, _passed(credentials), samples)


def _taken(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a credential that was revoked still opened; only if revoking it was answered well."""
    found = []
    if not _was_revoked(row):
        return []
    for what, statuses in (("accepted", row["after"]), ("renewed", row["refreshed"])):
        times = sum(opened(status) for status in statuses)
        if times:
            problem = f"{what} {times} of {counted(len(statuses), 'time')} after it was revoked"
            found.append({"credential": row["credential"], "problem": problem})
    return found


def _was_revoked(row: dict[str, Any]) -> bool:
    status = row["revoked"]
    return status is not None and 200 <= status < 400 and any(map(opened, row["before"]))


def _gap(row: dict[str, Any]) -> str:
    """Why the refusals of one credential are not the whole answer."""
    name = row["credential"]
    if row["problem"]:
        return f"{name}: {row['problem']}"
    if not all(map(opened, row["before"])):
        return f"{name} did not open {row['protected']} before: {counts(row['before'])}"
    if not _was_revoked(row):
        return f"{name}: {row['revoke']} answered {row['revoked'] or 'nothing'}"
    answers = [*row["after"], *row["refreshed"]]
    if unclear := [s for s in answers if s not in (400, 401, 403, 404, 422)]:
        return f"{name}: not refused and not accepted after: {counts(unclear)}"
    if missed := set(row["workers_before"]) - set(row["workers_after"]):
        return f"{name}: {counted(len(missed), 'worker')} seen before was not met after"
    return ""


def _passed(credentials: Evidence) -> str:
    facts = credentials.facts
    said = (
        f"{counted(len(credentials.records), 'credential')} refused, at least {facts['presented']} "
        f"times each by several callers at once: each of up to {facts['workers']} processes was "
        f"met with a probability of {facts['probability']:g}, if they take equal shares"
    )
    met = {name for row in credentials.records for name in row["workers_after"]}
    said += f"; {counted(len(met), 'worker')} named themselves" if met else ""
    renewed = sum(bool(row["refreshed"]) for row in credentials.records)
    return said + ("; refresh tokens ended with it" if renewed else "; no refresh token was tried")
