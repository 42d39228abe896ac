"""How long a decision holds: until evidence or a waiver it rests on expires, or policy changes.

Asked of a record alone, at any moment, offline.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from .finding import Finding
from .policy import Policy
from .waivers import Considered


def evidence_expires(finding: Finding, policy: Policy) -> datetime | None:
    """When a finding's evidence is too old to rest on; None when nothing rests on it.

    A failure that was carried over is old already, and stands until it is measured again.
    """
    if not finding.status.known or finding.carried_over:
        return None
    return finding.measured_at + timedelta(days=policy.check(finding.check).max_age_days)


def until(
    findings: Sequence[Finding], waivers: Sequence[Considered], policy: Policy, at: datetime
) -> datetime:
    """When the first of what a decision made ``at`` that moment rests on expires."""
    moments = [m for f in findings if (m := evidence_expires(f, policy))]
    moments += [w.expires_at for w in waivers if not w.ignored]
    return min(moments, default=at)


def lapses(
    findings: Sequence[Finding],
    waivers: Sequence[Considered],
    policy: Policy,
    in_force: Policy,
    at: datetime,
) -> Iterator[str]:
    """Why a sign-off under ``policy`` no longer holds ``at`` a moment; nothing while it does."""
    if policy.digest() != in_force.digest():
        yield "params/policy.yaml: the policy in force is not the one that was signed"
    for waiver in waivers:
        if not waiver.ignored and waiver.expires_at <= at:
            yield f"{waiver.check}: its waiver expired at {waiver.expires_at:%Y-%m-%d %H:%M} UTC"
    for finding in findings:
        expires = evidence_expires(finding, policy)
        if expires and expires <= at:
            yield f"{finding.check}: its evidence expired at {expires:%Y-%m-%d %H:%M} UTC"
