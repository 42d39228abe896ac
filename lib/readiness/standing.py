"""How findings stand against the policy at a stage: what is open, and how much it holds up.

Everything that is decided is a maximum over open points, so no finding can make up for another,
and a finding that gets worse never makes anything better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

from .finding import Finding, Severity, Status, area_of
from .policy import Policy, Stage

ABSENT = "no finding"


class Colour(StrEnum):
    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class Bar(IntEnum):
    """What an open point holds up, the lightest first."""

    OPEN = 1  # an unknown that is not required, but whose failure would count: no unconditional GO
    WAIVED = 2  # a failure that counts and is waived: no GREEN and no unconditional GO
    UNMET = 3  # no GREEN, and NO-GO unless the criterion accepts gaps at this stage
    BARRED = 4  # RED, and NO-GO


@dataclass(frozen=True)
class Open:
    """A check that is not settled at a stage."""

    check: str
    why: str
    bar: Bar


def complete(findings: Iterable[Finding], policy: Policy, at: datetime) -> dict[str, Finding]:
    """The findings by check in policy's order, with an unknown for each expected one without any.

    Raises ValueError when a check has two findings: which one counted would be chance.
    """
    by_check: dict[str, Finding] = {}
    for finding in findings:
        if finding.check in by_check:
            raise ValueError(f"two findings of {finding.check}")
        by_check[finding.check] = finding
    completed = {
        identifier: by_check.get(identifier) or _absent(identifier, policy, at)
        for identifier in policy.checks
    }
    return completed | {c: by_check[c] for c in sorted(by_check) if c not in completed}


def _absent(identifier: str, policy: Policy, at: datetime) -> Finding:
    rule = policy.check(identifier)
    return Finding(
        check=identifier,
        area=area_of(identifier),
        title=rule.title,
        severity=rule.severity,
        status=Status.ERROR,
        observed=ABSENT,
        measured_at=at,
    )


def carry_over(
    findings: Sequence[Finding], previous: Sequence[Finding], run: str, policy: Policy
) -> list[Finding]:
    """Keep the FAIL of a check that failed in the previous run and is unknown in this one.

    A waiver is not carried: whether one is in force is asked anew.
    """
    failed = {f.check: f for f in previous if f.status is Status.FAIL}
    return [
        old.model_copy(update={"carried_over": old.carried_over or run, "waiver": None})
        if unknown(f, policy) and (old := failed.get(f.check))
        else f
        for f in findings
    ]


def assume(findings: Sequence[Finding], policy: Policy, status: Status) -> list[Finding]:
    """The findings as they would stand if every unknown had this status."""
    return [
        f.model_copy(update={"status": status, "reason": None, "waiver": None})
        if unknown(f, policy)
        else f
        for f in findings
    ]


def unknown(finding: Finding, policy: Policy) -> bool:
    """Whether nothing was measured, and nobody who may has declared that nothing can be."""
    if finding.status is Status.NOT_APPLICABLE:
        return not policy.check(finding.check).may_be_declared_away
    return not finding.status.known


def satisfied(finding: Finding, policy: Policy, stage: Stage) -> bool:
    """Whether a finding is what the stage requires of its check."""
    required = policy.check(finding.check).required.get(stage)
    declared_away = finding.status is Status.NOT_APPLICABLE and not unknown(finding, policy)
    if required is None or declared_away:
        return True
    return finding.status is Status.PASS and finding.strength.satisfies(required)


def grave(finding: Finding) -> bool:
    """A failure that no stage can live with unless it is waived."""
    return finding.status is Status.FAIL and finding.severity in (Severity.CRITICAL, Severity.HIGH)


def open_point(finding: Finding, policy: Policy, stage: Stage) -> Open | None:
    """What is open about a finding at a stage; None when it is settled there.

    A failure of low severity that the stage does not require away is a minor gap and settled, with
    or without a waiver; so is an unknown that could at worst turn out to be one.
    """
    failed, minor = finding.status is Status.FAIL, finding.severity is Severity.LOW
    met = satisfied(finding, policy, stage)
    if failed and not (minor and met):
        if finding.waiver:
            return Open(finding.check, "waived failure", Bar.WAIVED)
        return Open(finding.check, "failed", Bar.BARRED if grave(finding) else Bar.UNMET)
    if not met:
        return Open(finding.check, _unmet(finding, policy, stage), Bar.UNMET)
    if unknown(finding, policy) and not minor:
        return Open(finding.check, _unmet(finding, policy, stage), Bar.OPEN)
    return None


def _unmet(finding: Finding, policy: Policy, stage: Stage) -> str:
    if finding.status is Status.PASS:
        required = policy.check(finding.check).required[stage]
        return f"only {finding.strength}, {required} is required"
    if finding.status is Status.NOT_APPLICABLE:
        return "declared not applicable, which policy does not allow"
    if finding.reason:
        return f"not measured: {finding.reason.replace('_', ' ')}"
    return f"not measured: {ABSENT if finding.observed == ABSENT else 'the check broke'}"


def colour(findings: Sequence[Finding], policy: Policy, stage: Stage) -> Colour:
    """The colour of an area's findings, as DESIGN defines it, for a stage."""
    bars = [point.bar for f in findings if (point := open_point(f, policy, stage))]
    if Bar.BARRED in bars:
        return Colour.RED
    nothing_passed = not any(f.status is Status.PASS for f in findings)
    return Colour.YELLOW if nothing_passed or max(bars, default=0) > Bar.OPEN else Colour.GREEN
