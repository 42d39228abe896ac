"""Judging a run's evidence again, offline, with the checks of this version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ..check import Check, catalogue
from ..evidence import Evidence
from ..finding import Finding, Judgement, Reason, Status


@dataclass(frozen=True)
class Answer:
    """What can turn a colour: the status, why there is none, how grave, how directly seen."""

    status: Status
    reason: Reason | None
    severity: str
    strength: str

    def __str__(self) -> str:
        said = self.status.replace("_", " ")
        return f"{said} ({self.reason.replace('_', ' ')})" if self.reason else said


def answer_of(finding: Finding) -> Answer:
    return Answer(finding.status, finding.reason, finding.severity, finding.strength)


@dataclass
class Kept:
    """A finding with the evidence that its run holds."""

    check: Check
    finding: Finding
    evidence: list[Evidence]

    def judged(
        self, criteria: dict[str, Any] | None = None, evidence: list[Evidence] | None = None
    ) -> Judgement:
        """What this version's check says, by other criteria or of other evidence if given.

        Raises ValueError when the criteria are none that this version knows.
        """
        given = self.finding.criteria if criteria is None else criteria
        try:
            held = self.check.criteria.model_validate(given)
        except ValidationError as broke:
            raise ValueError(
                f"{self.check.id}: other criteria: {broke.errors()[0]['msg']}"
            ) from None
        return self.check.assess(self.evidence if evidence is None else evidence, held)

    def answer(
        self, criteria: dict[str, Any] | None = None, evidence: list[Evidence] | None = None
    ) -> Answer:
        said = self.judged(criteria, evidence)
        return Answer(
            said.status,
            said.reason,
            said.severity or self.check.severity,
            said.strength or self.check.strength,
        )


def kept(run: Path, finding: Finding) -> Kept | None:
    """A finding with its evidence, or None when there is no judging it again.

    This version lacks the check, or the files are not there or cannot be read. The evidence of a
    carried-over failure lies in the run that measured it.
    """
    check = catalogue().get(finding.check)
    if check is None:
        return None
    folder = (run.parent / finding.carried_over if finding.carried_over else run) / "evidence"
    files = [folder / finding.check / f"{name}.json" for name in check.inputs]
    try:
        evidence = [Evidence.from_json(f.read_text(encoding="utf-8")) for f in files]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    sources = [source.name for source in check.sources]
    return Kept(check, finding, evidence) if [e.source for e in evidence] == sources else None


def overruled(finding: Finding) -> bool:
    """Whether the run set the judge's answer aside: declared away, or not calibrated."""
    return finding.status is Status.NOT_APPLICABLE or finding.reason is Reason.UNCALIBRATED
