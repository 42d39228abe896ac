"""What it takes: the smallest sets of checks whose passing reaches a goal, and what to do first.

Every goal (an area GREEN, a stage CONDITIONAL GO or GO) is reached exactly when no open point of a
certain weight is left, so its smallest set is the checks of those points, and there is only one.
The exception is an area in which nothing passed and nothing heavier is open: any one check will do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from .confidence import Term
from .finding import AREAS, Finding, Strength, area_of
from .policy import Criterion, Policy, Stage
from .standing import Bar, Open, colour, open_point

Aim = Literal["GREEN", "CONDITIONAL GO", "GO"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Goal(_Strict):
    """A goal and the smallest sets of checks that must pass, as the stage requires, to reach it.

    Reached goals have no set. The checks of a set stand in the order of ``steps``.
    """

    stage: Stage
    aim: Aim
    area: str | None = None  # of GREEN
    reached: bool
    smallest: list[list[str]]


class Step(_Strict):
    """One check that has to pass, and what that would move.

    ``moves`` is the sum over the rows of the matrix that bar the next better verdict of 1 / the
    number of checks that bar the row: 1 for a check that opens a row alone, 0.25 for one of four.
    ``moves_to_go`` is the same toward GO. ``confidence_gain`` is what the confidence in its area
    would gain (0 to 1), seen fresh and as the stage requires.
    """

    stage: Stage
    check: str
    moves: float
    moves_to_go: float
    opens: list[str]  # the criteria that it would move alone
    green: bool  # whether it keeps its area from GREEN
    confidence_gain: float


def holds_up(point: Open, criterion: Criterion, stage: Stage) -> bool:
    """Whether an open point makes its criterion NO-GO."""
    accepted = stage in criterion.accept
    return point.bar is Bar.BARRED or (point.bar is Bar.UNMET and not accepted)


class Way:
    """What is open at one stage, row by row, and the way from there."""

    def __init__(
        self,
        findings: Mapping[str, Finding],
        criteria: Sequence[Criterion],
        policy: Policy,
        stage: Stage,
        terms: Mapping[str, Term],
    ) -> None:
        self.stage, self._policy, self._findings, self._terms = stage, policy, findings, terms
        self.points = {i: p for i, f in findings.items() if (p := open_point(f, policy, stage))}
        self.open = [[self.points[c] for c in row.checks if c in self.points] for row in criteria]
        self.barring = [
            [p.check for p in points if holds_up(p, row, stage)]
            for row, points in zip(criteria, self.open, strict=True)
        ]
        self._weights: dict[str, float] = defaultdict(float)
        for check, term in terms.items():
            self._weights[area_of(check)] += term.weight
        self._titles = [row.title for row in criteria]
        self._blocking = [stage in row.blocking for row in criteria]
        self.steps = self._steps()
        self._rank = {step.check: n for n, step in enumerate(self.steps)}

    def _rows(self, aim: Aim) -> list[list[str]]:
        """Each row that keeps from a verdict, as the checks that have to pass for it."""
        if aim == "GO":
            return [[p.check for p in points] for points in self.open if points]
        return [b for b, blocks in zip(self.barring, self._blocking, strict=True) if b and blocks]

    def goals(self) -> list[Goal]:
        """GREEN for each area that has findings in it, then the verdicts."""
        found = [self._green(area) for area in AREAS]
        verdicts: tuple[Aim, ...] = ("CONDITIONAL GO", "GO")
        for aim in verdicts:
            needed = {check for row in self._rows(aim) for check in row}
            found.append(self._goal(aim, [needed] if needed else []))
        return [goal for goal in found if goal]

    def _green(self, area: str) -> Goal | None:
        own = [f for f in self._findings.values() if f.area == area]
        if not own:
            return None
        heavy = {f.check for f in own if f.check in self.points and self._keeps_from_green(f.check)}
        if not heavy and colour(own, self._policy, self.stage) != "GREEN":
            return self._goal("GREEN", [{f.check} for f in own], area)
        return self._goal("GREEN", [heavy] if heavy else [], area)

    def _goal(self, aim: Aim, sets: Iterable[set[str]], area: str | None = None) -> Goal:
        smallest = [sorted(s, key=lambda c: (self._rank.get(c, len(self._rank)), c)) for s in sets]
        return Goal(
            stage=self.stage, aim=aim, area=area, reached=not smallest, smallest=sorted(smallest)
        )

    def _keeps_from_green(self, check: str) -> bool:
        return self.points[check].bar > Bar.OPEN

    def _steps(self) -> list[Step]:
        toward_go = _shares(self._rows("GO"))
        toward_next = _shares(self._rows("CONDITIONAL GO")) or toward_go
        steps = [
            Step(
                stage=self.stage,
                check=check,
                moves=round(toward_next.get(check, 0.0), 4),
                moves_to_go=round(toward_go.get(check, 0.0), 4),
                opens=self._opens(check),
                green=self._keeps_from_green(check),
                confidence_gain=self._gain(check),
            )
            for check in self.points
        ]
        weight = {check: point.bar for check, point in self.points.items()}
        return sorted(
            steps,
            key=lambda s: (-s.moves, -s.moves_to_go, -weight[s.check], -s.confidence_gain, s.check),
        )

    def _opens(self, check: str) -> list[str]:
        """The criteria whose cell gets better when this check alone passes."""
        return [
            title
            for title, points, barring in zip(self._titles, self.open, self.barring, strict=True)
            if barring == [check] or (not barring and [p.check for p in points] == [check])
        ]

    def _gain(self, check: str) -> float:
        """What the confidence in its area gains when a check passes now, as the stage requires."""
        if check not in self._terms:
            return 0.0
        rule = self._policy.check(check)
        strength = rule.required.get(self.stage, Strength.MEASURED)
        best = rule.weight * self._policy.strength_factor[strength]
        gain = max(0.0, best - self._terms[check].reached)
        return round(gain / self._weights[area_of(check)], 4)


def _shares(rows: Iterable[Sequence[str]]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for row in rows:
        for check in row:
            shares[check] = shares.get(check, 0.0) + 1 / len(row)
    return shares
