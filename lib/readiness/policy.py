"""From findings to a decision: colours, confidence, the go/no-go matrix and the verdict.

Pure functions of findings and policy. What is expected is fixed by ``params/policy.yaml`` before
the run, so losing evidence never helps: an unknown stays in every denominator, and GO is given
only where the answer would be the same if every unknown failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from .documents import ROOT, read_yaml
from .finding import AREAS, Finding, Severity, Status, Strength, area_of
from .parameters import validated

Stage = Literal["staging", "production"]
STAGES: tuple[Stage, ...] = ("staging", "production")


class Colour(StrEnum):
    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class Verdict(StrEnum):
    GO = "GO"
    CONDITIONAL_GO = "CONDITIONAL GO"
    NO_GO = "NO-GO"


class Cell(StrEnum):
    """A criterion at a stage."""

    GO = "GO"
    GO_WITH_CONDITIONS = "GO*"
    NO_GO = "NO-GO"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedCheck(_Strict):
    """A check that every run must answer.

    ``title`` and ``severity`` stand here only for checks that the code does not have yet.
    ``required`` says with which strength it must PASS at a stage; a stage left out does not
    require it, but it still counts in confidence and in the worst case.
    """

    title: str = ""
    severity: Severity = Severity.MEDIUM
    weight: float = Field(default=1, gt=0)
    max_age_days: float = Field(default=7, gt=0)
    required: dict[Stage, Strength] = {}
    may_be_declared_away: bool = False


class Criterion(_Strict):
    """A row of the go/no-go matrix."""

    title: str
    checks: list[str] = Field(min_length=1)
    blocking: list[Stage]  # the stages that a NO-GO here closes
    accept: dict[Stage, str] = {}  # gaps are acceptable at this stage, under this condition


class Policy(_Strict):
    checks: dict[str, ExpectedCheck]
    criteria: list[Criterion]
    strength_factor: dict[Strength, float]

    @model_validator(mode="after")
    def _holds_together(self) -> Policy:
        rested_on = {identifier for criterion in self.criteria for identifier in criterion.checks}
        if unknown := rested_on - set(self.checks):
            raise ValueError(f"criteria name checks that are not expected: {_names(unknown)}")
        if idle := set(self.checks) - rested_on:
            raise ValueError(f"expected checks on no criterion: {_names(idle)}")
        if missing := set(Strength) - set(self.strength_factor):
            raise ValueError(f"strength_factor lacks {_names(missing)}")
        return self

    def expected(self, area: str | None = None) -> list[str]:
        """The ids that must be answered, in policy's order."""
        return [i for i in self.checks if area is None or area_of(i) == area]

    def check(self, identifier: str) -> ExpectedCheck:
        return self.checks.get(identifier, ExpectedCheck())


def _names(identifiers: Iterable[str]) -> str:
    return ", ".join(sorted(identifiers))


@cache
def load(path: Path = ROOT / "params" / "policy.yaml") -> Policy:
    """Read the policy; raises ParameterError with every problem."""
    return validated(Policy, read_yaml(path), "params/policy.yaml")


class AreaResult(_Strict):
    area: str
    colour: Colour
    colour_if_unknowns_pass: Colour
    colour_if_unknowns_fail: Colour
    confidence: float  # 0 to 1
    expected: int
    passed: int
    failed: int
    not_measured: int  # NOT_MEASURED and ERROR: the unknowns
    not_applicable: int


class Condition(_Strict):
    """Something that must be settled, and the criterion it would settle."""

    stage: Stage
    criterion: str
    check: str
    why: str


class CriterionResult(_Strict):
    criterion: str
    staging: Cell
    production: Cell
    checks: list[str]
    conditions: list[Condition]


class Decision(_Strict):
    criteria: list[CriterionResult]
    staging: Verdict
    production: Verdict
    without_waivers: dict[Stage, Verdict]
    conditions: list[Condition]


def carry_over(findings: Sequence[Finding], previous: Sequence[Finding], run: str) -> list[Finding]:
    """Keep the FAIL of a check that failed in the previous run and is unknown in this one."""
    failed = {f.check: f for f in previous if f.status is Status.FAIL}
    return [
        failed[f.check].model_copy(update={"carried_over": failed[f.check].carried_over or run})
        if f.status in (Status.NOT_MEASURED, Status.ERROR) and f.check in failed
        else f
        for f in findings
    ]


def assume(findings: Sequence[Finding], policy: Policy, status: Status) -> list[Finding]:
    """The findings as they would stand if every unknown had this status."""
    return [
        f.model_copy(update={"status": status, "reason": None, "waiver": None})
        if _unknown(f, policy)
        else f
        for f in findings
    ]


def _unknown(finding: Finding, policy: Policy) -> bool:
    if finding.status is Status.NOT_APPLICABLE:
        return not policy.check(finding.check).may_be_declared_away
    return not finding.status.known


def satisfied(finding: Finding, policy: Policy, stage: Stage) -> bool:
    """Whether a finding is what the stage requires of its check."""
    required = policy.check(finding.check).required.get(stage)
    if required is None or (
        finding.status is Status.NOT_APPLICABLE and not _unknown(finding, policy)
    ):
        return True
    return finding.status is Status.PASS and finding.strength.satisfies(required)


def grave(finding: Finding) -> bool:
    """A failure that no stage can live with unless it is waived."""
    return finding.status is Status.FAIL and finding.severity in (Severity.CRITICAL, Severity.HIGH)


def colour(findings: Sequence[Finding], policy: Policy, stage: Stage) -> Colour:
    """The colour of an area's findings, as DESIGN defines it, for a stage."""
    if any(grave(f) and not f.waiver for f in findings):
        return Colour.RED
    failed = any(f.status is Status.FAIL and f.severity is not Severity.LOW for f in findings)
    unmet = any(not satisfied(f, policy, stage) for f in findings)
    nothing_passed = not any(f.status is Status.PASS for f in findings)
    return Colour.YELLOW if failed or unmet or nothing_passed else Colour.GREEN


@dataclass(frozen=True)
class Term:
    """What one expected check adds to the confidence in its area."""

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
    if _unknown(finding, policy):
        return Term(rule.weight, 0.0, 0.0, 0.0)
    declared = finding.status is Status.NOT_APPLICABLE
    strength = policy.strength_factor[Strength.DECLARED if declared else finding.strength]
    age_days = max(0.0, (at - finding.measured_at).total_seconds() / 86_400)
    return Term(rule.weight, 1.0, strength, max(0.0, 1 - age_days / rule.max_age_days))


def confidence(findings: Sequence[Finding], policy: Policy, at: datetime) -> float:
    """Weighted mean over the expected checks of coverage x strength x freshness, 0 to 1."""
    terms = [term(finding, policy, at) for finding in findings]
    total = sum(one.weight for one in terms)
    return round(sum(one.reached for one in terms) / total, 4) if total else 0.0


def area_results(
    findings: Sequence[Finding], policy: Policy, stage: Stage, at: datetime
) -> list[AreaResult]:
    """One result for each area that policy expects or that has findings."""
    results = []
    for area in AREAS:
        own = [f for f in findings if f.area == area]
        if not own:
            continue
        best, worst = (assume(own, policy, s) for s in (Status.PASS, Status.FAIL))
        unknown = sum(f.status in (Status.NOT_MEASURED, Status.ERROR) for f in own)
        results.append(
            AreaResult(
                area=area,
                colour=colour(own, policy, stage),
                colour_if_unknowns_pass=colour(best, policy, stage),
                colour_if_unknowns_fail=colour(worst, policy, stage),
                confidence=confidence(own, policy, at),
                expected=len(own),
                passed=sum(f.status is Status.PASS for f in own),
                failed=sum(f.status is Status.FAIL for f in own),
                not_measured=unknown,
                not_applicable=sum(f.status is Status.NOT_APPLICABLE for f in own),
            )
        )
    return results


def decide(findings: Sequence[Finding], policy: Policy) -> Decision:
    """The matrix and the verdict for each stage, with and without waivers."""
    by_check = {f.check: f for f in findings}
    criteria = [_criterion(criterion, by_check, policy) for criterion in policy.criteria]
    unwaived = {i: f.model_copy(update={"waiver": None}) for i, f in by_check.items()}
    bare = [_criterion(criterion, unwaived, policy) for criterion in policy.criteria]
    conditions = [condition for result in criteria for condition in result.conditions]
    return Decision(
        criteria=criteria,
        staging=_verdict(criteria, policy, "staging"),
        production=_verdict(criteria, policy, "production"),
        without_waivers={stage: _verdict(bare, policy, stage) for stage in STAGES},
        conditions=conditions,
    )


def _criterion(
    criterion: Criterion, findings: Mapping[str, Finding], policy: Policy
) -> CriterionResult:
    cells: dict[Stage, Cell] = {}
    conditions = []
    for stage in STAGES:
        open_points = [
            (identifier, why, bars)
            for identifier in criterion.checks
            for why, bars in [_open_point(identifier, findings.get(identifier), policy, stage)]
            if why
        ]
        barred = any(
            bars == "always" or (bars == "unless accepted" and stage not in criterion.accept)
            for _, _, bars in open_points
        )
        cells[stage] = Cell.NO_GO if barred else Cell.GO
        if open_points and not barred:
            cells[stage] = Cell.GO_WITH_CONDITIONS
        conditions += [
            Condition(stage=stage, criterion=criterion.title, check=identifier, why=why)
            for identifier, why, _ in open_points
        ]
    return CriterionResult(
        criterion=criterion.title,
        staging=cells["staging"],
        production=cells["production"],
        checks=criterion.checks,
        conditions=conditions,
    )


def _open_point(
    identifier: str, finding: Finding | None, policy: Policy, stage: Stage
) -> tuple[str, str]:
    """Why a check is not settled at a stage, and whether that bars a GO there.

    Bars are "always" (a grave failure, not waived), "unless accepted" (a requirement unmet, a
    failure that is not minor), or "never" (it only keeps GO from being unconditional: an unknown
    that the stage does not require, which could yet turn out to be a failure).
    """
    if finding is None:
        return "no finding", "unless accepted"
    failed = finding.status is Status.FAIL
    if grave(finding):
        return ("waived failure", "never") if finding.waiver else ("failed", "always")
    minor = failed and finding.severity is Severity.LOW
    if failed and finding.waiver and not minor:  # waiving a minor gap makes it no larger
        return "waived failure", "never"
    if not satisfied(finding, policy, stage):
        return _state(finding, policy, stage), "unless accepted"
    if failed and not minor:
        return "failed", "unless accepted"
    if _unknown(finding, policy):
        return _state(finding, policy, stage), "never"
    return "", "never"


def _state(finding: Finding, policy: Policy, stage: Stage) -> str:
    if finding.status is Status.FAIL:
        return "failed"
    if finding.status is Status.PASS:
        required = policy.check(finding.check).required[stage]
        return f"only {finding.strength}, {required} is required"
    if finding.status is Status.NOT_APPLICABLE:
        return "declared not applicable, which policy does not allow"
    reason = finding.reason.replace("_", " ") if finding.reason else "the check broke"
    return f"not measured: {reason}"


def _verdict(criteria: Sequence[CriterionResult], policy: Policy, stage: Stage) -> Verdict:
    cells = {result.criterion: getattr(result, stage) for result in criteria}
    if any(cells[c.title] is Cell.NO_GO and stage in c.blocking for c in policy.criteria):
        return Verdict.NO_GO
    if all(cell is Cell.GO for cell in cells.values()):
        return Verdict.GO
    return Verdict.CONDITIONAL_GO
