"""Confidence: how much of what policy expects is known, how directly, and how freshly."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import BaseModel, ConfigDict

from .finding import Finding, Status, Strength
from .policy import Policy
from .standing import unknown


class Term(BaseModel):
    """What one expected check adds to the confidence in its area."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    check: str
    weight: float
    coverage: float
    strength: float
    freshness: float

    @property
    def reached(self) -> float:
        return self.weight * self.coverage * self.strength * self.freshness


def term(finding: Finding, policy: Policy, at: datetime) -> Term:
    """A check's term of ``confidence``.

    Coverage is 1 for PASS, FAIL and a permitted NOT_APPLICABLE (which a person declares), else 0;
    freshness falls linearly from 1 to 0 over the check's max_age_days.
    """
    rule = policy.check(finding.check)
    known = not unknown(finding, policy)
    declared = finding.status is Status.NOT_APPLICABLE
    strength = policy.strength_factor[Strength.DECLARED if declared else finding.strength]
    age_days = max(0.0, (at - finding.measured_at).total_seconds() / 86_400)
    freshness = max(0.0, 1 - age_days / rule.max_age_days)
    return Term(
        check=finding.check,
        weight=rule.weight,
        coverage=float(known),
        strength=strength if known else 0.0,
        freshness=round(freshness, 6) if known else 0.0,
    )


def confidence(terms: Sequence[Term]) -> float:
    """Weighted mean of coverage x strength x freshness, 0 to 1; an unknown stays in the divisor."""
    total = sum(one.weight for one in terms)
    return round(sum(one.reached for one in terms) / total, 4) if total else 0.0
