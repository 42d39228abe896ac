"""Colours and verdicts that differ between two runs, and what turned them.

The earlier findings are decided again by the rules of this version, then by the later policy, then
as the later findings with the earlier waivers, and at last as they stand: the step that turns a
colour or a verdict is its cause.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from .. import decision
from .. import policy as policies
from ..documents import ParameterError
from ..finding import Finding
from ..policy import STAGES, Policy
from ..record import Record

Run = tuple[Path, Record]
RULES, POLICY, FINDINGS = "the rules of the tool changed", "the policy changed", "findings changed"
WAIVERS, UNTOLD = "waivers began or ended", "cannot be told: a run's policy cannot be read"


class Shift(BaseModel):
    """A colour of an area or a verdict of a stage, in the earlier and in the later run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    before: str
    after: str
    causes: list[str]
    checks: list[str] = []  # the flips that it may rest on


def shifts(before: Run, after: Run, flipped: Iterable[str]) -> list[Shift]:
    """Every colour and verdict that differs, with its causes."""
    old, new = _recorded(before[1]), _recorded(after[1])
    if old == new:
        return []
    steps = list(_steps(before, after))
    found = []
    for what in [*new, *(one for one in old if one not in new)]:
        if old.get(what) == new.get(what):
            continue
        values = [old.get(what), *(said.get(what) for _, said in steps), new.get(what)]
        names = [*(name for name, _ in steps), WAIVERS if steps else UNTOLD]
        turned = [n for n, (a, b) in zip(names, pairwise(values), strict=True) if a != b]
        own = [c for c in flipped if what in STAGES or _area(c, before, after) == what]
        found.append(
            Shift(
                what=what,
                before=old.get(what) or "absent",
                after=new.get(what) or "absent",
                causes=turned,
                checks=sorted(own) if turned not in ([RULES], [POLICY]) else [],
            )
        )
    return found


def _steps(before: Run, after: Run) -> Iterable[tuple[str, dict[str, str]]]:
    policy_before, policy_after = _policy(before[0]), _policy(after[0])
    if policy_before is None or policy_after is None:
        return
    old, new = before[1], after[1]
    waived = {f.check: f.waiver for f in old.findings}
    unchanged = [f.model_copy(update={"waiver": waived.get(f.check)}) for f in new.findings]
    yield RULES, _decided(old, old.findings, policy_before)
    yield POLICY, _decided(old, old.findings, policy_after)
    yield FINDINGS, _decided(new, unchanged, policy_after)


def _policy(run: Path) -> Policy | None:
    try:
        return policies.load(run / "params" / "policy.yaml")
    except ParameterError:
        return None


def _decided(record: Record, findings: Sequence[Finding], policy: Policy) -> dict[str, str]:
    areas = decision.area_results(findings, policy, record.stage, record.finished)
    made = decision.decide(findings, policy, record.finished)
    return _said(areas, made)


def _recorded(record: Record) -> dict[str, str]:
    return _said(record.areas, record.decision)


def _said(areas: Iterable[decision.AreaResult], made: decision.Decision) -> dict[str, str]:
    verdicts = {stage: str(getattr(made, stage)) for stage in STAGES}
    return verdicts | {result.area: str(result.colour) for result in areas}


def _area(check: str, *runs: Run) -> str:
    return next(f.area for _, record in runs for f in record.findings if f.check == check)
