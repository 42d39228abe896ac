"""What a check can answer: statuses, reasons, strengths, and the finding that carries them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

AREAS = ("deployment", "security", "performance", "operations", "data_integrity", "testing")
PREFIX_OF = {"DEP": 0, "SEC": 1, "PERF": 2, "OPS": 3, "DAT": 4, "TEST": 5}


def area_of(check: str) -> str:
    """The area of a check id: ``SEC-HEADERS-CSP`` belongs to ``security``."""
    return AREAS[PREFIX_OF[check.split("-", 1)[0]]]


class Status(StrEnum):
    PASS = "PASS"
    FAIL = "FAIL"
    NOT_MEASURED = "NOT_MEASURED"
    NOT_APPLICABLE = "NOT_APPLICABLE"
    ERROR = "ERROR"

    @property
    def known(self) -> bool:
        """Whether something was measured: PASS or FAIL."""
        return self in (Status.PASS, Status.FAIL)


class Reason(StrEnum):
    """Why nothing was measured."""

    NO_PARAMETER = "no_parameter"
    NOT_PERMITTED = "not_permitted"
    UNREACHABLE = "unreachable"
    NO_SAMPLES = "no_samples"
    INCONCLUSIVE = "inconclusive"
    STALE = "stale"
    TOOL_MISSING = "tool_missing"
    UNCALIBRATED = "uncalibrated"
    NO_CHECK = "no_check"


NOT_SET = " is not set in the parameters"  # what is said of a key that is missing


class NotMeasured(Exception):
    """Raised while collecting: nothing can be measured; says why and what would fix it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Strength(StrEnum):
    """How directly something was seen, strongest first."""

    MEASURED = "MEASURED"  # on the running target
    CONFIGURED = "CONFIGURED"  # an artefact says so
    DECLARED = "DECLARED"  # a person says so

    def satisfies(self, required: Strength) -> bool:
        order = list(Strength)
        return order.index(self) <= order.index(required)


class Severity(StrEnum):
    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Judgement:
    """A judge's answer about evidence, before the audit adds identity, receipt and time.

    ``samples`` counts what was looked at (rows, requests, files, queries); a PASS over zero
    samples becomes NOT_MEASURED. ``offenders`` is the complete list; the report cuts it.
    ``severity`` and ``strength`` lower what the check declares, when this answer is weaker.
    """

    status: Status
    expected: str
    observed: str
    samples: int = 0
    reason: Reason | None = None
    offenders: Sequence[dict[str, Any]] = field(default=())
    severity: Severity | None = None
    strength: Strength | None = None


def verdict_of(
    offenders: Sequence[dict[str, Any]],
    *,
    samples: int,
    expected: str,
    passed: str,
    failed: str,
    severity: Severity | None = None,
    strength: Strength | None = None,
) -> Judgement:
    """FAIL when there are offenders, else PASS: the shape of most checks.

    ``failed`` and ``passed`` are the sentences observed; ``{n}`` in ``failed`` is the number of
    offenders.
    """
    if offenders:
        observed = failed.replace("{n}", str(len(offenders)))
        return Judgement(
            Status.FAIL, expected, observed, samples, None, offenders, severity, strength
        )
    return Judgement(Status.PASS, expected, passed, samples, strength=strength)


def first_of(sentences: list[str], most: int = 3) -> str:
    """The first few sentences in one, and how many more there are."""
    more = f"; and {len(sentences) - most} more" if len(sentences) > most else ""
    return "; ".join(sentences[:most]) + more


def counted(number: int, noun: str) -> str:
    """``1 service``, ``2 services``, ``1,871 tests``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def not_measured(reason: Reason, expected: str, observed: str, samples: int = 0) -> Judgement:
    """Nothing was measured; ``observed`` says why and what would fix it."""
    return Judgement(Status.NOT_MEASURED, expected, observed, samples, reason)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpecimenResult(_Strict):
    """What a check said about one specimen."""

    specimen: str
    shows: str
    expected: Status
    status: Status
    observed: str
    duration_s: float

    @property
    def as_expected(self) -> bool:
        return self.status == self.expected


class Calibration(_Strict):
    """The receipt that a check can tell bad from good from unreachable, in this run."""

    known_bad: list[SpecimenResult]
    known_good: list[SpecimenResult]
    unreachable: list[SpecimenResult]

    def results(self) -> list[SpecimenResult]:
        return [*self.known_bad, *self.known_good, *self.unreachable]

    @property
    def holds(self) -> bool:
        """Every kind was tried and every specimen got the answer it must get."""
        tried = self.known_bad and self.known_good and self.unreachable
        return bool(tried) and all(r.as_expected for r in self.results())


class EvidenceFile(_Strict):
    path: str
    sha256: str


class Finding(_Strict):
    """A check's answer in one run, as it stands in findings.json."""

    check: str
    area: str
    title: str
    severity: Severity
    status: Status
    reason: Reason | None = None
    strength: Strength = Strength.MEASURED
    expected: str = ""
    observed: str = ""
    samples: int = 0
    offenders: list[dict[str, Any]] = []
    offenders_total: int = 0
    offender_ids: list[str] = []  # who all of them are, see offenders.py
    why: str = ""
    remedy: str = ""
    references: list[str] = []
    evidence: list[EvidenceFile] = []
    calibration: Calibration | None = None
    criteria: dict[str, Any] = {}
    measured_at: datetime
    duration_s: float = 0.0
    waiver: str | None = None
    carried_over: str | None = None
    exploratory: bool = False

    @model_validator(mode="after")
    def _says_why(self) -> Finding:
        if (self.status is Status.NOT_MEASURED) != (self.reason is not None):
            raise ValueError("a reason code belongs to NOT_MEASURED, and only to it")
        if self.area != area_of(self.check):
            raise ValueError(f"{self.check} does not belong to {self.area}")
        return self


def now() -> datetime:
    """The present, in UTC, to the millisecond."""
    present = datetime.now(UTC)
    return present.replace(microsecond=present.microsecond // 1000 * 1000)
