"""A check: one question about the target, with its meaning, its sources and its specimens.

A check is a judge, a pure function of evidence and criteria, registered under a stable id. Its
docstring is its documentation: the first line is the title, then what is measured, then sections
``Why:``, ``Bad:`` and ``Remedy:``. It cannot be registered without specimens that must make it
FAIL, PASS and say NOT_MEASURED (see calibration).
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from .documents import ParameterError
from .evidence import Evidence, Source
from .finding import (
    Judgement,
    Reason,
    Severity,
    Status,
    Strength,
    area_of,
)
from .parameters import validated
from .specimen import Specimen, specimens_in
from .target import Safety
from .variables import redact

SAFETY_ORDER: tuple[Safety, ...] = ("passive", "active", "load", "write")
SECTIONS = ("Why", "Bad", "Remedy")


class Criteria(BaseModel):
    """What a check is judged by; a subclass declares the defaults, params may change them."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Judge = Callable[..., Judgement]
REGISTRY: dict[str, Check] = {}


@dataclass(frozen=True)
class Check:
    id: str
    judge: Judge
    sources: tuple[Source, ...]
    severity: Severity
    strength: Strength
    references: tuple[str, ...]
    criteria: type[Criteria]
    specimens: tuple[Specimen, ...]
    sections: dict[str, str]
    partial: bool = False  # judges what there is, when evidence from some sources is missing

    @property
    def area(self) -> str:
        return area_of(self.id)

    @property
    def title(self) -> str:
        return self.sections["Title"]

    @property
    def safety(self) -> Safety:
        """The most that collecting its evidence may do to the target."""
        return max((s.safety for s in self.sources), key=SAFETY_ORDER.index, default="passive")

    @property
    def inputs(self) -> list[str]:
        """The names of the judge's evidence parameters; its evidence files are called so."""
        return list(inspect.signature(self.judge).parameters)[: len(self.sources)]

    def assess(self, evidence: Sequence[Evidence], criteria: Criteria) -> Judgement:
        """Judge evidence; what is missing becomes NOT_MEASURED and a judge that breaks ERROR."""
        problems = [one.problem for one in evidence if one.problem]
        for problem in problems:
            if not self.partial or len(problems) == len(evidence) or problem.reason is None:
                return Judgement(
                    problem.status, self.title, problem.message, 0, reason=problem.reason
                )
        try:
            judgement = self.judge(*evidence, criteria)
        except Exception as broke:
            said = redact(f"the check broke: {type(broke).__name__}: {broke}")
            return Judgement(Status.ERROR, self.title, said)
        if judgement.severity and _graver(judgement.severity, self.severity):
            # The worst case of an unknown is a failure of the declared severity, so none is graver.
            said = f"the check broke: it judged {judgement.severity} and declares {self.severity}"
            return Judgement(Status.ERROR, self.title, said)
        if judgement.status is Status.PASS and judgement.samples == 0:
            return Judgement(
                Status.NOT_MEASURED,
                judgement.expected,
                "there was nothing to look at (zero samples)",
                reason=Reason.NO_SAMPLES,
            )
        return judgement


def check(
    identifier: str,
    *,
    sources: Sequence[Source],
    severity: str,
    strength: str = "MEASURED",
    references: Sequence[str] = (),
    criteria: type[Criteria] = Criteria,
    partial: bool = False,
) -> Callable[[Judge], Check]:
    """Register a judge as the check ``identifier``.

    The judge takes one evidence for each source, in their order, then the criteria. A ``partial``
    one is asked when any of its evidence is there: a fault that one source saw is a fault, and
    that nothing was seen is no PASS while another could not look.
    Raises TypeError when its docstring lacks a section or its specimens lack a case.
    """

    def decorate(judge: Judge) -> Check:
        sections = _sections(identifier, judge.__doc__ or "")
        module = Path(inspect.getfile(judge))
        folder = module.parent / "specimens" / module.stem
        specimens = tuple(s for s in specimens_in(folder) if s.expected(identifier))
        tried = {specimen.expected(identifier) for specimen in specimens if specimen.in_every_run}
        if missing := {Status.FAIL, Status.PASS, Status.NOT_MEASURED} - tried:
            raise TypeError(
                f"{identifier} cannot be registered: no specimen in specimens/{module.stem}/ "
                f"makes it {', '.join(sorted(missing))}"
            )
        made = Check(
            identifier,
            judge,
            tuple(sources),
            Severity(severity),
            Strength(strength),
            tuple(references),
            criteria,
            specimens,
            sections,
            partial,
        )
        if identifier in REGISTRY and REGISTRY[identifier].judge.__module__ != judge.__module__:
            raise TypeError(f"{identifier} is registered twice")
        REGISTRY[identifier] = made
        return made

    return decorate


def _graver(one: Severity, other: Severity) -> bool:
    order = list(Severity)
    return order.index(one) < order.index(other)


def _sections(identifier: str, doc: str) -> dict[str, str]:
    """Split a check's docstring into Title, What, Why, Bad and Remedy."""
    doc = inspect.cleandoc(doc)
    title, _, rest = doc.partition("\n")
    parts = re.split(rf"^({'|'.join(SECTIONS)}):\s*", rest, flags=re.M)
    found = {"Title": title.strip(), "What": _fold(parts[0])}
    found |= {name: _fold(text) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    for name in ("Title", "What", *SECTIONS):
        if not found.get(name):
            raise TypeError(f"{identifier} cannot be registered: its docstring has no {name!r}")
    return found


def _fold(text: str) -> str:
    return " ".join(text.split())


def catalogue(area: str | None = None) -> dict[str, Check]:
    """Every check of this version by id, or those of one area, which is quicker to read."""
    from . import checks

    for package in pkgutil.walk_packages(checks.__path__, f"{checks.__name__}."):
        if area is None or package.name.startswith(f"{checks.__name__}.{area}"):
            importlib.import_module(package.name)
    return {i: made for i, made in REGISTRY.items() if area in (None, made.area)}


def criteria_for(made: Check, given: dict[str, dict[str, Any]], where: str) -> Criteria:
    """The criteria in force for a check: its defaults, changed by ``given[id]``."""
    return validated(made.criteria, given.get(made.id, {}), f"{where}: criteria.{made.id}")


def criteria_problems(given: dict[str, dict[str, Any]], where: str) -> list[str]:
    """What is wrong with ``criteria:`` of a params file: unknown checks, keys, types."""
    problems: list[str] = []
    known = catalogue() if given else {}
    for identifier in given:
        if identifier not in known:
            problems.append(f"{where}: criteria.{identifier}: no such check")
            continue
        try:
            criteria_for(known[identifier], given, where)
        except ParameterError as broke:
            problems += broke.problems
    return problems
