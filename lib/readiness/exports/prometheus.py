"""Prometheus text metrics: colour, confidence, verdict and age, for alerts on readiness itself."""

from __future__ import annotations

from collections import Counter

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from ..decision import Verdict
from ..finding import Status
from ..policy import STAGES
from ..record import Record
from ..standing import Colour
from . import Export, each

COLOURS = {Colour.RED: 0, Colour.YELLOW: 1, Colour.GREEN: 2}
VERDICTS = {Verdict.NO_GO: 0, Verdict.CONDITIONAL_GO: 1, Verdict.GO: 2}


def export(record: Record, previous: Record | None = None) -> Export:
    """Gauges with the labels environment, area, stage and status.

    A run's age is ``time() - readiness_run_finished_timestamp_seconds``.
    """
    registry = CollectorRegistry()

    def gauge(name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"readiness_{name}", about, ["environment", *labels], registry=registry)

    colour = gauge("area_colour", "0 red, 1 yellow, 2 green", "area")
    confidence = gauge("area_confidence_ratio", "0 to 1", "area")
    for result in record.areas:
        colour.labels(record.environment, result.area).set(COLOURS[result.colour])
        confidence.labels(record.environment, result.area).set(result.confidence)
    verdict = gauge("verdict", "0 NO-GO, 1 CONDITIONAL GO, 2 GO", "stage")
    for stage in STAGES:
        said = VERDICTS[getattr(record.decision, stage)]
        verdict.labels(record.environment, stage).set(said)
    findings = gauge("findings", "Findings by status", "area", "status")
    placed, dropped = each(record.findings, lambda f: (f.area, Status(f.status)))
    counts = Counter(where for _, where in placed)
    for result in record.areas:
        for status in Status:
            number = counts[result.area, status]
            findings.labels(record.environment, result.area, status.value).set(number)
    finished = gauge("run_finished_timestamp_seconds", "When the run ended, Unix time")
    finished.labels(record.environment).set(record.finished.timestamp())
    expires = gauge("valid_until_timestamp_seconds", "When what it rests on expires, Unix time")
    expires.labels(record.environment).set(record.valid_until.timestamp())
    return Export(generate_latest(registry), dropped)
