"""What the service shows to Prometheus: scraped several times, with requests in between."""

from __future__ import annotations

import math
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Metrics, Target, need
from ..traffic import Planned
from ..variables import Deferred
from .callers import AT_ONCE, together
from .http import Client, client
from .prometheus import configuration
from .scrape import OPENMETRICS, TEXT, Sample, Scrape, bad_histograms, matching, read, selector

BEFORE, AFTER = 1, 2  # rounds of scrapes around the requests, each of several at once
TIMES = 3  # that each request is sent
# Ends of the names whose values may only grow, by type of the family.
CUMULATIVE: dict[str, tuple[str, ...]] = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count"),
    "summary": ("_count",),
}


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None or http.metrics is None:
        return
    yield Planned(f"GET {http.metrics.path}", 1 + (BEFORE + AFTER + 1) * AT_ONCE)
    for path in (*(endpoint.path for endpoint in http.health), "/", "/*"):
        yield Planned(f"GET {path}", TIMES)
    yield from (Planned(f"GET (metrics of {job})", 3) for job in http.metrics.reachable)


@source("passive", plan=_planned)
def exposition(target: Target) -> Collected:
    """The metrics page, scraped before and after some requests to the service.

    A row a metric: its type, how many series it has, and their sum at each scrape. Label values,
    which may name users, stay out. Scrapes come in rounds of several at once, so that each worker
    gets its turn. ``facts`` holds the scrapes, the wanted series, and Prometheus' configuration.
    """
    http = need(target.http, "target.http")
    metrics = need(http.metrics, "target.http.metrics")
    with client(_at(target, metrics.base_url or http.base_url)) as pages:
        headers = {name: value.value() for name, value in metrics.headers.items()}
        asking = {**headers, "Accept": OPENMETRICS}
        page = pages.send("GET", metrics.path, headers=asking, fresh=True)
        scrapes = [read(page, OPENMETRICS)]
        if scrapes[0].exchange.status is None:
            raise NotMeasured(Reason.UNREACHABLE, f"{metrics.path}: {scrapes[0].exchange.error}")
        headers |= {"Accept": TEXT}
        for _ in range(BEFORE):
            scrapes += _round(pages, metrics.path, headers, scrapes)
        sent = _requests(target)
        for _ in range(AFTER):
            scrapes += _round(pages, metrics.path, headers, scrapes)
        if not any(_moved(_sums(scrapes, name)) for name in metrics.series):
            time.sleep(metrics.settle_s)
            scrapes += _round(pages, metrics.path, headers, scrapes)
    facts: dict[str, Any] = {
        "path": metrics.path,
        "scrapes": [scrape.row() for scrape in scrapes],
        "wanted": [_wanted(scrapes, name) for name in metrics.series],
        "requests_between": sent,
        "truncated": any(len(s.exchange.body) >= http.max_body_bytes for s in scrapes),
        "twice": sorted({name for scrape in scrapes for name in scrape.twice}),
        "histograms": sorted({said for scrape in scrapes for said in bad_histograms(scrape)}),
    }
    tools = {"httpx": httpx.__version__, "prometheus_client": version("prometheus-client")}
    if metrics.prometheus_config:
        found, programs = configuration(target, metrics.prometheus_config)
        facts["configuration"] = {**found, "pages": jobs_pages(target, metrics, found["jobs"])}
        tools |= programs
    return Collected(_rows(scrapes[1:]), facts, tools)


def _round(
    pages: Client, path: str, headers: dict[str, str], earlier: Sequence[Scrape]
) -> list[Scrape]:
    """Scrapes at once: which of them came first nobody knows, but all came after the earlier."""
    answers = together(pages, "GET", path, AT_ONCE, headers=headers)
    return [replace(read(answer, TEXT), round=earlier[-1].round + 1) for answer in answers]


def _at(target: Target, base_url: Deferred) -> Target:
    """The target at another address, within the same bounds."""
    http = need(target.http, "target.http").model_copy(update={"base_url": base_url})
    return target.model_copy(update={"http": http})


def jobs_pages(
    target: Target, metrics: Metrics, jobs: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """What the targets of Prometheus' jobs really serve, where parameters say how to get there."""
    rows = []
    for job in jobs:
        for address in job["targets"]:
            if there := metrics.reachable.get(address):
                with client(_at(target, there)) as pages:
                    page = read(pages.send("GET", job["path"], headers={"Accept": OPENMETRICS}))
                rows.append(
                    {"job": job["job"], "target": address, "path": job["path"], **page.row()}
                )
    return rows


def _requests(target: Target) -> dict[str, int]:
    """Requests that ought to be counted: health, the root, and a path that does not exist."""
    http = need(target.http, "target.http")
    paths = [*(endpoint.path for endpoint in http.health), "/", f"/{secrets.token_hex(8)}"]
    with client(target) as http_client:
        answered = [http_client.send("GET", path).status for path in paths * TIMES]
    return {"sent": len(answered), "answered": sum(status is not None for status in answered)}


def _sums(scrapes: Sequence[Scrape], series: str) -> list[float | None]:
    """The sum of a series at each scrape for text, None where it has no number."""
    found = [matching(scrape, series) for scrape in scrapes[1:] if not scrape.problem]
    return [_number(sum(values)) if values else None for values in found]


def _moved(sums: Sequence[float | None]) -> bool:
    return len({value for value in sums if value is not None}) > 1


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _wanted(scrapes: Sequence[Scrape], series: str) -> dict[str, Any]:
    name = selector(series)[0]
    readable = [scrape for scrape in scrapes if not scrape.problem]
    last = readable[-1] if readable else scrapes[-1]
    samples = matching(last, series)
    sums = _sums(scrapes, series)
    kinds = [last.types.get(n) for n in (name, f"{name}_count", f"{name}_total")]
    return {
        "series": series,
        "samples": len(samples),
        "declared": name in last.families or name.removesuffix("_total") in last.families,
        "type": next((kind for kind in kinds if kind), None),
        "not_a_number": bool(samples) and all(math.isnan(value) for value in samples),
        "age_s": round(last.age_s.get(name, 0.0), 1),
        "sums": sums,
        "rounds": [scrape.round for scrape in scrapes[1:] if not scrape.problem],
        "moved": _moved(sums),
    }


def _rows(scrapes: Sequence[Scrape]) -> list[dict[str, Any]]:
    """One row a metric over all scrapes, with how many of its series fell where none may: below
    what a scrape of an earlier round told."""
    readable = [scrape for scrape in scrapes if not scrape.problem]
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0] * len(readable))
    series: Counter[str] = Counter()
    fell: Counter[str] = Counter()
    before: dict[Sample, float] = {}  # the most that rounds before this one told
    latest: dict[Sample, float] = {}
    for number, scrape in enumerate(readable):
        if number and scrape.round != readable[number - 1].round:
            before = dict(latest)
        for sample, value in scrape.values.items():
            name = sample[0]
            sums[name][number] += value
            series[name] += sample not in latest
            cumulative = name.endswith(CUMULATIVE.get(scrape.types[name], ()))
            fell[name] += cumulative and value < before.get(sample, -math.inf)
            latest[sample] = max(value, latest.get(sample, -math.inf))
    kinds = {name: kind for scrape in readable for name, kind in scrape.types.items()}
    return [
        {
            "metric": name,
            "type": kinds[name],
            "series": series[name],
            "sums": [_number(value) for value in values],
            "moved": _moved([_number(value) for value in values]),
            "fell": fell[name],
        }
        for name, values in sorted(sums.items())
    ]


def overview(evidence: Evidence) -> Any:
    """A data frame: the scrapes, those alike in one row, with the most that came back."""
    import pandas as pd

    told = ["asked_for", "status", "content_type", "problem"]
    frame = pd.DataFrame(evidence.facts.get("scrapes", []), columns=[*told, "bytes", "series"])
    alike = frame.fillna("—").groupby(told, sort=False)
    frame = alike.agg(scrapes=("status", "size"), bytes=("bytes", "max"), series=("series", "max"))
    return frame.reset_index().rename(columns={name: name.replace("_", " ") for name in told})


def wanted(evidence: Evidence) -> Any:
    """A data frame: each wanted series, whether it is there, and whether it moved."""
    import pandas as pd

    rows = [
        [row["series"], row["type"] or "—", row["samples"], row["sums"][-1], row["moved"]]
        for row in evidence.facts.get("wanted", [])
        if row["sums"]
    ]
    return pd.DataFrame(rows, columns=["series", "type", "samples", "sum at the end", "moved"])


def movement_figure(evidence: Evidence) -> Any:
    """A figure: what the wanted counters gained since the first scrapes, round by round."""
    import plotly.graph_objects as go

    if not evidence.facts:
        return None
    figure = go.Figure()
    for row in evidence.facts.get("wanted", []):
        told = [(n, v) for n, v in zip(row["rounds"], row["sums"], strict=True) if v is not None]
        if row["type"] in CUMULATIVE and told:
            rounds, values = zip(*told, strict=True)
            gained = [value - min(values) for value in values]
            figure.add_scatter(x=rounds, y=gained, mode="markers", name=row["series"])
    sent = evidence.facts.get("requests_between", {}).get("sent", 0)
    if figure.data:
        figure.add_vline(
            x=BEFORE + 0.5, line_dash="dot", annotation_text=f"{sent} requests sent here"
        )
    figure.update_xaxes(title=f"round of {AT_ONCE} scrapes at once", dtick=1)
    figure.update_yaxes(title="counted since the first scrape", rangemode="tozero")
    return figure
