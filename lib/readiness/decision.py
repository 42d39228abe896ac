"""From findings to a decision: colours, confidence, the go/no-go matrix and the verdict.

Pure functions of findings and policy. What is expected is fixed by ``params/policy.yaml`` before
the run, so losing evidence never helps: an unknown stays in every denominator, and GO is given
only where the answer would be the same if every unknown failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from .confidence import Term, confidence, term
from .finding import AREAS, Finding, Status
from .goals import Goal, Step, Way, holds_up
from .policy import STAGES, Criterion, Policy, Stage
from .standing import Bar, Colour, Open, assume, colour, complete, open_point

UNEXPECTED = "Checks that policy does not expect"


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


class AreaResult(_Strict):
    """An area: its colour, the interval it could move in, and what the confidence is made of."""

    area: str
    colour: Colour
    colour_if_unknowns_pass: Colour
    colour_if_unknowns_fail: Colour
    colour_without_waivers: Colour
    confidence: float  # 0 to 1
    expected: int
    passed: int
    failed: int
    not_measured: int  # NOT_MEASURED and ERROR: the unknowns
    not_applicable: int
    terms: list[Term]  # one for each expected check


class Condition(_Strict):
    """Something that must be settled, by whom, and the criterion it would settle."""

    stage: Stage
    criterion: str
    check: str
    why: str
    owner: str
    bars: bool  # whether it makes the criterion NO-GO
    accepted: str = ""  # under what it is accepted meanwhile: policy's condition, or the waiver


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
    goals: list[Goal]
    steps: list[Step]  # for each stage, what moves its verdict most first

    def goal(self, stage: Stage, aim: str, area: str | None = None) -> Goal | None:
        """A goal of a stage: an area's GREEN, or the verdict's CONDITIONAL GO or GO."""
        wanted = (stage, aim, area)
        return next((g for g in self.goals if (g.stage, g.aim, g.area) == wanted), None)


def area_results(
    findings: Sequence[Finding], policy: Policy, stage: Stage, at: datetime
) -> list[AreaResult]:
    """One result for each area that has findings; an area that was not run at all has none."""
    run = {f.area for f in findings}
    completed = complete(findings, policy, at).values()
    return [
        _area_result(area, [f for f in completed if f.area == area], policy, stage, at)
        for area in AREAS
        if area in run
    ]


def _area_result(
    area: str, own: Sequence[Finding], policy: Policy, stage: Stage, at: datetime
) -> AreaResult:
    best, worst = (assume(own, policy, s) for s in (Status.PASS, Status.FAIL))
    bare = [f.model_copy(update={"waiver": None}) for f in own]
    terms = [term(f, policy, at) for f in own if f.check in policy.checks]
    count = [f.status for f in own].count
    return AreaResult(
        area=area,
        colour=colour(own, policy, stage),
        colour_if_unknowns_pass=colour(best, policy, stage),
        colour_if_unknowns_fail=colour(worst, policy, stage),
        colour_without_waivers=colour(bare, policy, stage),
        confidence=confidence(terms),
        expected=len(own),
        passed=count(Status.PASS),
        failed=count(Status.FAIL),
        not_measured=count(Status.NOT_MEASURED) + count(Status.ERROR),
        not_applicable=count(Status.NOT_APPLICABLE),
        terms=terms,
    )


def decide(findings: Iterable[Finding], policy: Policy, at: datetime) -> Decision:
    """The matrix and the verdict for each stage, with and without waivers, and the way on."""
    by_check = complete(findings, policy, at)
    rows = _rows(by_check, policy)
    criteria = [_criterion(row, by_check, policy) for row in rows]
    unwaived = {i: f.model_copy(update={"waiver": None}) for i, f in by_check.items()}
    bare = [_criterion(row, unwaived, policy) for row in rows]
    terms = {i: term(f, policy, at) for i, f in by_check.items() if i in policy.checks}
    ways = [Way(by_check, rows, policy, stage, terms) for stage in STAGES]
    return Decision(
        criteria=criteria,
        staging=_verdict(criteria, rows, "staging"),
        production=_verdict(criteria, rows, "production"),
        without_waivers={stage: _verdict(bare, rows, stage) for stage in STAGES},
        conditions=[condition for result in criteria for condition in result.conditions],
        goals=[goal for way in ways for goal in way.goals()],
        steps=[step for way in ways for step in way.steps],
    )


def _rows(findings: Mapping[str, Finding], policy: Policy) -> list[Criterion]:
    """Policy's criteria, and one more when there are findings that it does not expect."""
    unexpected = [check for check in findings if check not in policy.checks]
    if not unexpected:
        return policy.criteria
    return [*policy.criteria, Criterion(title=UNEXPECTED, checks=unexpected, blocking=[*STAGES])]


def _criterion(row: Criterion, findings: Mapping[str, Finding], policy: Policy) -> CriterionResult:
    cells: dict[Stage, Cell] = {}
    conditions = []
    for stage in STAGES:
        points = [p for c in row.checks if (p := open_point(findings[c], policy, stage))]
        cells[stage] = Cell.GO_WITH_CONDITIONS if points else Cell.GO
        if any(holds_up(point, row, stage) for point in points):
            cells[stage] = Cell.NO_GO
        conditions += [
            Condition(
                stage=stage,
                criterion=row.title,
                check=point.check,
                why=point.why,
                owner=policy.owner(point.check, row),
                bars=holds_up(point, row, stage),
                accepted=_accepted(point, row, stage, findings[point.check]),
            )
            for point in points
        ]
    return CriterionResult(
        criterion=row.title,
        staging=cells["staging"],
        production=cells["production"],
        checks=row.checks,
        conditions=conditions,
    )


def _accepted(point: Open, row: Criterion, stage: Stage, finding: Finding) -> str:
    if point.bar is Bar.WAIVED:
        return finding.waiver or ""
    return row.accept.get(stage, "") if point.bar is Bar.UNMET else ""


def _verdict(
    criteria: Sequence[CriterionResult], rows: Sequence[Criterion], stage: Stage
) -> Verdict:
    cells = [getattr(result, stage) for result in criteria]
    if any(c is Cell.NO_GO and stage in r.blocking for c, r in zip(cells, rows, strict=True)):
        return Verdict.NO_GO
    return Verdict.GO if all(cell is Cell.GO for cell in cells) else Verdict.CONDITIONAL_GO
