"""Reading a metrics page as Prometheus would: by its content type, with the parser made for it."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from collections.abc import ItemsView, Iterable
from dataclasses import dataclass, field
from typing import Any

from .http import Exchange

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = f"application/openmetrics-text;version=1.0.0,{TEXT};q=0.5"  # as Prometheus asks

Labels = tuple[tuple[str, str], ...]
Sample = tuple[str, Labels]


@dataclass(frozen=True)
class Scrape:
    """One scrape: what came back, and its samples by name and labels when it could be read."""

    asked_for: str
    exchange: Exchange
    problem: str | None = None  # why it is no exposition
    types: dict[str, str] = field(default_factory=dict)  # sample's name -> type of its family
    families: dict[str, str] = field(default_factory=dict)  # declared, with samples or without
    values: dict[Sample, float] = field(default_factory=dict)
    age_s: dict[str, float] = field(default_factory=dict)  # of samples that carry a time
    twice: tuple[str, ...] = ()
    round: int = 0  # scrapes of one round were under way at once

    def row(self) -> dict[str, Any]:
        return {
            "asked_for": self.asked_for.split(";")[0],
            "status": self.exchange.status,
            "content_type": self.exchange.header("content-type") or "",
            "bytes": len(self.exchange.body),
            "series": len(self.values),
            "problem": self.problem,
            "error": self.exchange.error,
        }


def read(exchange: Exchange, accept: str = TEXT) -> Scrape:
    """The samples of an answer, or why it is no exposition."""
    from prometheus_client.openmetrics import parser as openmetrics
    from prometheus_client.parser import text_string_to_metric_families

    if exchange.status != 200:
        return Scrape(accept, exchange, exchange.error or f"answers {exchange.status}")
    content_type = (exchange.header("content-type") or "").split(";")[0].strip().lower()
    if content_type not in ("text/plain", "application/openmetrics-text"):
        said = content_type or "no content type"
        return Scrape(accept, exchange, f"is {said}, which Prometheus does not read")
    parse = text_string_to_metric_families
    if content_type == "application/openmetrics-text":
        parse = openmetrics.text_string_to_metric_families
    try:
        return _samples(exchange, accept, list(parse(exchange.text)))
    except (ValueError, KeyError, IndexError, TypeError) as broke:  # what the parsers raise
        return Scrape(accept, exchange, f"is no exposition: {str(broke)[:120] or 'ill-formed'}")


def _samples(exchange: Exchange, accept: str, families: Iterable[Any]) -> Scrape:
    types: dict[str, str] = {}
    declared: dict[str, str] = {}
    values: dict[Sample, float] = {}
    ages: dict[str, float] = {}
    twice = []
    for family in families:
        declared[family.name] = family.type
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            twice += [sample.name] if key in values else []
            types[sample.name] = family.type
            values[key] = float(sample.value)
            if sample.timestamp is not None:
                age = time.time() - float(sample.timestamp)
                ages[sample.name] = max(age, ages.get(sample.name, age))
    problem = None if values else "holds no sample"
    return Scrape(accept, exchange, problem, types, declared, values, ages, tuple(twice))


def matching(scrape: Scrape, series: str) -> list[float]:
    """The values of a wanted series; a histogram may be named without its suffix."""
    name, labels = selector(series)
    return [
        value
        for (known, has), value in scrape.values.items()
        if known in (name, f"{name}_count", f"{name}_total") and labels <= dict(has).items()
    ]


def selector(series: str) -> tuple[str, ItemsView[str, str]]:
    from prometheus_client.parser import parse_labels

    name, brace, labels = series.partition("{")
    return name, (parse_labels(labels.rstrip("}")) if brace else {}).items()


def bad_histograms(scrape: Scrape) -> list[str]:
    """Histograms whose buckets do not add up."""
    buckets: dict[tuple[str, str], dict[float, float]] = defaultdict(dict)
    wrong = []
    for (name, labels), value in scrape.values.items():
        if scrape.types[name] == "histogram" and name.endswith("_bucket"):
            others = json.dumps([pair for pair in labels if pair[0] != "le"])
            try:
                bound = float(dict(labels).get("le", ""))
            except ValueError:
                wrong.append(f"{name} has a bucket whose bound is no number")
                continue
            buckets[name, others][bound] = value
    for (name, _), counts in buckets.items():
        ordered = [counts[bound] for bound in sorted(counts)]
        if math.inf not in counts:
            wrong.append(f"{name} has no bucket for +Inf")
        elif ordered != sorted(ordered):
            wrong.append(f"{name} counts fewer in a wider bucket")
    return wrong
