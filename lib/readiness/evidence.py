"""What was collected to answer a check, and how a source of it is written.

A source is a function of the target that returns records (one flat row for each thing looked at)
and facts (what is said once). The decorator adds what every source owes: permission is asked
before anything is sent, time is taken, and a failure becomes a problem that a check turns into
NOT_MEASURED, never an exception that ends the notebook.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from . import progress
from .finding import NotMeasured, Reason, Status, now
from .target import Safety, Target
from .traffic import COLLECTING, Planned
from .variables import redact

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Problem:
    """Why evidence is missing: NOT_MEASURED with a reason, or ERROR when the source broke."""

    status: Status
    reason: Reason | None
    message: str


@dataclass
class Collected:
    """What a source hands back. Values must be JSON: text, numbers, booleans, lists, dicts."""

    records: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    tools: dict[str, str] = field(default_factory=dict)  # program or library -> version
    files: dict[str, bytes] = field(default_factory=dict)  # kept beside the evidence, e.g. Parquet


@dataclass
class Evidence:
    """Collected records and facts with their provenance.

    ``seal`` is the digest at the moment of collection: evidence that was edited afterwards can be
    explored but is not judged for the record.
    """

    source: str
    collected_at: datetime
    duration_s: float
    records: list[dict[str, Any]]
    facts: dict[str, Any]
    tools: dict[str, str]
    problem: Problem | None = None
    seal: str = ""
    files: dict[str, bytes] = field(default_factory=dict, repr=False)

    def table(self) -> pd.DataFrame:
        """The records as a data frame, for looking at them."""
        import pandas as pd

        return pd.DataFrame(self.records)

    @property
    def intact(self) -> bool:
        """Whether it still is what was collected."""
        return self.seal == self._digest()

    def _digest(self) -> str:
        said: list[object] = [self.source, self.records, self.facts, self.tools]
        said.append(asdict(self.problem) if self.problem else None)
        said.append(self._file_digests())
        return hashlib.sha256(_dump(said).encode()).hexdigest()

    def _file_digests(self) -> dict[str, str]:
        return {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}

    def to_json(self) -> str:
        """The evidence file's content; secrets that were resolved in this process are cut out.

        Of the files beside it stand the digests.
        """
        raw = {f.name: getattr(self, f.name) for f in fields(self)}
        raw["collected_at"] = self.collected_at.isoformat()
        raw["problem"] = asdict(self.problem) if self.problem else None
        return redact(_dump(raw | {"files": self._file_digests()}, indent=1))

    @classmethod
    def from_json(cls, text: str) -> Evidence:
        """Read an evidence file again, for judging a run offline."""
        raw = json.loads(text)
        problem = raw.pop("problem")
        raw["files"] = {}  # they stand beside it, and no judge asks for them
        if problem:
            reason = Reason(problem["reason"]) if problem["reason"] else None
            problem = Problem(Status(problem["status"]), reason, problem["message"])
        raw["collected_at"] = datetime.fromisoformat(raw["collected_at"])
        return cls(**raw, problem=problem)


def _dump(value: object, indent: int | None = None) -> str:
    """``value`` as JSON; without ``indent`` five times as fast, for what nobody reads."""
    said = json.dumps(value, indent=indent, ensure_ascii=False, sort_keys=True, default=str)
    return _whole(said)


def _whole(text: str) -> str:
    """``text`` without half characters (lone surrogates), which a target may send in JSON and
    which no file takes."""
    if text.isascii():
        return text
    return text.encode("utf-8", errors="replace").decode("utf-8")


# What a source would send to a target, given the operations of its API document.
Plan = Callable[[Target, list[str]], Iterable[Planned]]


@dataclass(frozen=True)
class Source:
    """A way to collect evidence: its name, what it may do to the target, and the function.

    ``plan`` tells, without sending anything, which requests it would send to the service at most;
    a source that sends none has none.
    """

    name: str
    safety: Safety
    collect: Callable[[Target], Collected]
    plan: Plan | None = None

    def __call__(self, target: Target) -> Evidence:
        started, clock = now(), time.perf_counter()
        collected, problem = Collected(), None
        sent, naming = len(target.traffic.entries), COLLECTING.set(self.name)
        try:
            if self.safety not in target.permit:
                raise NotMeasured(
                    Reason.NOT_PERMITTED,
                    f"{self.name} is {self.safety} and the environment permits only "
                    f"{', '.join(sorted(target.permit)) or 'nothing'}; add it under permit:",
                )
            with progress.shown(self.name):
                collected = self.collect(target)
        except NotMeasured as gap:
            problem = Problem(Status.NOT_MEASURED, gap.reason, redact(_whole(str(gap))))
        except Exception as broke:
            message = redact(_whole(f"{self.name} broke: {type(broke).__name__}: {broke}"))
            problem = Problem(Status.ERROR, None, message)
        finally:
            COLLECTING.reset(naming)
        collected.facts |= target.traffic.facts(sent)  # also of a source that found nothing out
        # Through JSON and back, so that what is judged now is what will be judged offline.
        text = redact(_dump(collected.records))
        collected.records = []  # 10,000 tables are 150 MB: not twice
        records = json.loads(text)
        del text
        facts = json.loads(redact(_dump(collected.facts)))
        took = round(time.perf_counter() - clock, 4)
        evidence = Evidence(self.name, started, took, records, facts, collected.tools, problem)
        evidence.files = collected.files
        evidence.seal = evidence._digest()
        return evidence


def source(
    safety: Safety = "passive", plan: Plan | None = None
) -> Callable[[Callable[[Target], Collected]], Source]:
    """Make a function of the target a source, e.g. ``@source("active", plan=planned)``."""

    def decorate(collect: Callable[[Target], Collected]) -> Source:
        module = collect.__module__.rsplit(".", 1)[-1]
        made = Source(f"{module}.{collect.__name__}", safety, collect, plan)
        object.__setattr__(made, "__doc__", collect.__doc__)
        return made

    return decorate
