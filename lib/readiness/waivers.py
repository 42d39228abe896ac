"""Waivers: accepted failures. They change the decision, never the measurement.

A waiver counts only while it is approved by somebody else than its owner, unexpired, for this
environment, for a check that failed, and while the failure is no worse than the one that was
accepted. Every other one is ignored, and the report says which and why.

A failure is worse than the accepted one when it is of higher severity, when it has more offenders,
or when one of its offenders is not among the accepted ones.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from .documents import ROOT, read_yaml
from .finding import Finding, Severity, Status
from .parameters import validated
from .policy import STAGES, Policy, hint
from .standing import open_point

FILE = ROOT / "params" / "waivers.yaml"


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() != timedelta(0):
        raise ValueError("is not in UTC (2026-03-01T00:00:00Z)")
    return moment


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]


class Scope(BaseModel):
    """The failure that was accepted, as it was measured then; `readiness waive` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    severity: Severity
    offenders: int = Field(ge=0)
    offender_ids: list[str]


class Waiver(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    environment: str
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    approver: str | None = None
    approved_at: Moment | None = None
    expires_at: Moment
    scope: Scope

    def __str__(self) -> str:
        until = self.expires_at.strftime("%Y-%m-%d %H:%M UTC")
        return f"{self.reason} (owner {self.owner}, approved by {self.approver}, until {until})"


class Considered(Waiver):
    """A waiver as a run took it: in force, or ignored and why."""

    ignored: str = ""


class Waivers(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    waivers: list[Waiver] = []


def load(path: Path = FILE) -> list[Waiver]:
    """The waivers on file; raises ParameterError with every problem."""
    if not path.exists():
        return []
    return validated(Waivers, read_yaml(path) or {}, "params/waivers.yaml").waivers


def apply(
    findings: Sequence[Finding],
    waivers: Sequence[Waiver],
    environment: str,
    policy: Policy,
    at: datetime,
    environments: Collection[str] = (),
) -> tuple[list[Finding], list[Considered]]:
    """Findings with the waivers in force noted, and every waiver on file for this environment.

    A waiver for an environment that is not among ``environments`` (when they are given) is reported
    too: no run would ever use it.
    """
    by_check = {f.check: f for f in findings}
    in_force: dict[str, Waiver] = {}
    considered = []
    for waiver in waivers:
        if waiver.environment == environment:
            ignored = _why_ignored(waiver, by_check.get(waiver.check), policy, at)
            if not ignored and waiver.check in in_force:
                ignored = "another waiver of this check is in force"
            if not ignored:
                in_force[waiver.check] = waiver
        elif environments and waiver.environment not in environments:
            ignored = f"no such environment{hint(waiver.environment, environments)}"
        else:
            continue
        considered.append(Considered(**waiver.model_dump(), ignored=ignored))
    waived = [
        f.model_copy(update={"waiver": str(w) if (w := in_force.get(f.check)) else None})
        for f in findings
    ]
    return waived, considered


def _why_ignored(waiver: Waiver, finding: Finding | None, policy: Policy, at: datetime) -> str:
    """Why a waiver does not count; empty when it does."""
    if not waiver.approver or not waiver.approved_at:
        return "not approved"
    if waiver.approver.strip().casefold() == waiver.owner.strip().casefold():
        return "approved by its own owner"
    if waiver.approved_at > at:
        return "approved in the future"
    if waiver.expires_at <= at:
        return f"expired at {waiver.expires_at:%Y-%m-%d %H:%M} UTC"
    days = (waiver.expires_at - waiver.approved_at) / timedelta(days=1)
    if days > policy.waivers.max_days:
        return f"lasts {days:.0f} days, and policy allows {policy.waivers.max_days:g}"
    if waiver.check not in policy.checks:
        return f"policy expects no such check{hint(waiver.check, policy.checks)}"
    if finding is None or finding.status is not Status.FAIL:
        said = finding.status if finding else "not part of this run"
        return f"the check did not fail ({said})"
    if not any(open_point(finding, policy, stage) for stage in STAGES):
        return "needless: the failure is a minor gap"
    return worse(finding, waiver.scope)


def draft(
    finding: Finding, run: str, environment: str, reason: str, owner: str, until: datetime
) -> str:
    """A waiver of a failure as YAML, not yet approved; anything worse than this reopens it.

    Raises ValueError when the check did not fail.
    """
    if finding.status is not Status.FAIL:
        raise ValueError(f"{finding.check} did not fail in this run ({finding.status})")
    made = Waiver(
        check=finding.check,
        environment=environment,
        reason=reason,
        owner=owner,
        expires_at=until,
        scope=Scope(
            run=run,
            severity=finding.severity,
            offenders=finding.offenders_total,
            offender_ids=finding.offender_ids,
        ),
    )
    said = made.model_dump(mode="json")
    seen = "".join(c if c.isprintable() else " " for c in finding.observed)
    text: str = yaml.safe_dump([said], sort_keys=False, allow_unicode=True, width=100)
    return f"# accepts: {seen}\n{text}"


def worse(finding: Finding, accepted: Scope) -> str:
    """How a failure is worse than the accepted one; empty when it is not."""
    order = list(Severity)
    if order.index(finding.severity) < order.index(accepted.severity):
        return f"reopened: now {finding.severity}, accepted was {accepted.severity}"
    if finding.offenders_total > accepted.offenders:
        return f"reopened: {finding.offenders_total} offenders, accepted were {accepted.offenders}"
    if others := set(finding.offender_ids) - set(accepted.offender_ids):
        return f"reopened: {len(others)} of its offenders were not accepted"
    return ""
