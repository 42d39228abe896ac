"""The rules of a decision: what is expected, what each stage requires, who owns and signs it.

``params/policy.yaml`` is fixed before the run; ``decision`` applies it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .documents import ROOT, ParameterError, read_yaml, short_path
from .finding import AREAS, PREFIX_OF, Severity, Strength, area_of
from .parameters import validated

FILE = ROOT / "params" / "policy.yaml"
Stage = Literal["staging", "production"]
STAGES: tuple[Stage, ...] = ("staging", "production")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpectedCheck(_Strict):
    """A check that every run must answer.

    ``title`` and ``severity`` stand here only for checks that the code does not have yet.
    ``required`` says with which strength it must PASS at a stage; a stage left out does not
    require it, but it still counts in confidence and in the worst case. Evidence is fresh for
    ``max_age_days``; after that a sign-off which rests on it lapses.
    """

    title: str = ""
    severity: Severity = Severity.MEDIUM
    weight: float = Field(default=1, gt=0)
    max_age_days: float = Field(default=7, gt=0)
    required: dict[Stage, Strength] = {}
    may_be_declared_away: bool = False
    owner: str = ""


class Criterion(_Strict):
    """A row of the go/no-go matrix."""

    title: str = Field(min_length=1)
    checks: list[str] = Field(min_length=1)
    blocking: list[Stage]  # the stages that a NO-GO here closes
    accept: dict[Stage, str] = {}  # gaps are acceptable at this stage, under this condition
    owner: str = ""


class WaiverRules(_Strict):
    max_days: float = Field(default=90, gt=0)  # from approval to expiry


class SignOffRules(_Strict):
    """Who must sign: ``threshold`` people, each in another role, ``required_roles`` among them."""

    roles: list[str] = Field(min_length=1)
    threshold: int = Field(ge=1)
    required_roles: list[str] = []


class Retention(_Strict):
    """Which runs are kept: the newest ``keep_runs`` of an environment, and those younger than
    ``keep_days``. A signed run is always kept."""

    keep_runs: int = Field(default=50, ge=1)
    keep_days: float = Field(default=90, ge=0)


class Policy(_Strict):
    checks: dict[str, ExpectedCheck]
    criteria: list[Criterion] = Field(min_length=1)
    strength_factor: dict[Strength, float]
    owners: dict[str, str]  # by area, for the checks and criteria that name none
    sign_off: SignOffRules
    waivers: WaiverRules = WaiverRules()
    retention: Retention = Retention()

    def expected(self, area: str | None = None) -> list[str]:
        """The ids that must be answered, in policy's order."""
        return [i for i in self.checks if area is None or area_of(i) == area]

    def check(self, identifier: str) -> ExpectedCheck:
        return self.checks.get(identifier, ExpectedCheck())

    def owner(self, identifier: str, criterion: Criterion | None = None) -> str:
        """Who has to settle a check: its own owner, else the criterion's, else the area's."""
        of_criterion = criterion.owner if criterion else ""
        of_area = self.owners.get(area_of(identifier), "")
        return self.check(identifier).owner or of_criterion or of_area

    def digest(self) -> str:
        """SHA-256 of what the file says; its comments and order of keys do not count."""
        said = json.dumps(self.model_dump(mode="json", exclude_unset=True), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()


@cache
def load(path: Path = FILE) -> Policy:
    """Read the policy; raises ParameterError with every problem, each with file and key."""
    where = short_path(path)
    policy = validated(Policy, read_yaml(path), where)
    if found := [f"{where}: {problem}" for problem in problems(policy)]:
        raise ParameterError(found)
    return policy


def problems(policy: Policy) -> Iterator[str]:
    """What does not hold together within a policy, each with its key."""
    rested_on = {identifier for criterion in policy.criteria for identifier in criterion.checks}
    for identifier in policy.checks:
        if identifier.split("-", 1)[0] not in PREFIX_OF or "-" not in identifier:
            yield f"checks.{identifier}: no area has such ids (they begin with {_or(PREFIX_OF)})"
        elif identifier not in rested_on:
            yield f"checks.{identifier}: is on no criterion, so no verdict would rest on it"
        elif not policy.owner(identifier):
            yield f"owners.{area_of(identifier)}: is missing, and {identifier} names no owner"
    titles: set[str] = set()
    for n, criterion in enumerate(policy.criteria):
        for identifier in criterion.checks:
            if identifier not in policy.checks:
                said = f"{identifier} is not among checks{hint(identifier, policy.checks)}"
                yield f"criteria.{n}.checks: {said}"
        for identifier, times in Counter(criterion.checks).items():
            if times > 1:
                yield f"criteria.{n}.checks: {identifier} stands twice"
        if criterion.title in titles:
            yield f"criteria.{n}.title: {criterion.title!r} stands twice"
        titles.add(criterion.title)
    for stage in STAGES:
        if not any(stage in criterion.blocking for criterion in policy.criteria):
            yield f"criteria: none blocks {stage}, so it could never be NO-GO"
    for area in set(policy.owners) - set(AREAS):
        yield f"owners.{area}: no such area{hint(area, AREAS)}"
    yield from _factor_problems(policy)
    yield from _sign_off_problems(policy.sign_off)


def _factor_problems(policy: Policy) -> Iterator[str]:
    factors = [policy.strength_factor.get(strength, -1) for strength in Strength]
    for strength, factor in zip(Strength, factors, strict=True):
        if strength not in policy.strength_factor:
            yield f"strength_factor.{strength}: is missing"
        elif not 0 <= factor <= 1:
            yield f"strength_factor.{strength}: is not between 0 and 1"
    if factors != sorted(factors, reverse=True):
        yield "strength_factor: what is seen less directly must not count for more"


def _sign_off_problems(rules: SignOffRules) -> Iterator[str]:
    if len(set(rules.roles)) < len(rules.roles):
        yield "sign_off.roles: a role stands twice"
    for role in rules.required_roles:
        if role not in rules.roles:
            yield f"sign_off.required_roles: {role!r} is not among roles{hint(role, rules.roles)}"
    if rules.threshold > (number := len(set(rules.roles))):
        yield f"sign_off.threshold: {rules.threshold} of {number} roles can never be reached"
    if rules.threshold < len(set(rules.required_roles)):
        yield "sign_off.threshold: is lower than the number of required_roles"


def problems_with_code(policy: Policy, known: Mapping[str, Strength]) -> Iterator[str]:
    """What the checks of the code cannot meet, each with its key.

    ``known`` has the strength that each check of the code can show at most. A check that is yet to
    be written is named by its title in the policy; any other that the code lacks is a slip.
    """
    for identifier, rule in policy.checks.items():
        if identifier not in known:
            if not rule.title:
                yield f"checks.{identifier}: the code has no such check{hint(identifier, known)}"
            continue
        for stage, required in rule.required.items():
            if not known[identifier].satisfies(required):
                yield (
                    f"checks.{identifier}.required.{stage}: is {required}, and the check shows "
                    f"{known[identifier]} at most, so {stage} could never be reached"
                )
    for identifier in known:
        if identifier not in policy.checks:
            yield f"checks.{identifier}: is missing, and the code has it; expect it or remove it"


def hint(name: str, known: Iterable[str]) -> str:
    """``; did you mean X?`` when something known is spelt much like ``name``, else nothing."""
    close = get_close_matches(name, list(known), 1, 0.75)
    return f"; did you mean {close[0]}?" if close else ""


def _or(names: Iterable[str]) -> str:
    return ", ".join(f"{name}-" for name in names)
