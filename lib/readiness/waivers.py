"""Waivers: accepted failures. They change the decision, never the measurement.

A waiver counts only while it is approved, unexpired, for this environment, and for a check that
failed; every other one is ignored, and the report says which and why.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from .documents import ROOT, read_yaml
from .finding import Finding, Status
from .parameters import validated

FILE = ROOT / "params" / "waivers.yaml"


class Waiver(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    environment: str
    reason: str = Field(min_length=1)
    owner: str = Field(min_length=1)
    approver: str | None = None
    approved_at: AwareDatetime | None = None
    expires_at: AwareDatetime

    def __str__(self) -> str:
        until = self.expires_at.strftime("%Y-%m-%d %H:%M UTC")
        return f"{self.reason} (owner {self.owner}, approved by {self.approver}, until {until})"


class Waivers(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    waivers: list[Waiver] = []


def load(path: Path = FILE) -> list[Waiver]:
    """The waivers on file; raises ParameterError with every problem."""
    if not path.exists():
        return []
    return validated(Waivers, read_yaml(path) or {}, "params/waivers.yaml").waivers


def apply(
    findings: Sequence[Finding], waivers: Sequence[Waiver], environment: str, at: datetime
) -> tuple[list[Finding], list[str]]:
    """Findings with their waivers noted, and why each other waiver was ignored."""
    failed = {f.check for f in findings if f.status is Status.FAIL}
    in_force: dict[str, Waiver] = {}
    ignored = []
    for waiver in waivers:
        if waiver.environment != environment:
            continue
        if problem := _problem(waiver, failed, at):
            ignored.append(f"{waiver.check}: {problem}")
        else:
            in_force[waiver.check] = waiver
    waived = [
        f.model_copy(update={"waiver": str(in_force[f.check])}) if f.check in in_force else f
        for f in findings
    ]
    return waived, ignored


def _problem(waiver: Waiver, failed: set[str], at: datetime) -> str | None:
    if not waiver.approver or not waiver.approved_at:
        return "not approved"
    if waiver.approved_at > at:
        return "approved in the future"
    if waiver.expires_at <= at:
        return f"expired at {waiver.expires_at.isoformat()}"
    if waiver.check not in failed:
        return "the check did not fail"
    return None
