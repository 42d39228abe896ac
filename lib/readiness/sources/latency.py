"""How long the service takes to answer one user, request after request."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

import httpx

from .. import loopback
from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..parameters import validated
from ..statistics import Interval, quantile_interval, samples_for_bound
from ..target import Http, LatencySampling, LatencyTarget, Target, need
from ..traffic import Planned
from . import planning
from .http import Client, client
from .latency_requests import failure, made_unique, removed

QUANTILES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
# Looking at the samples again and again finds what one looks for: the number of looks is fixed
# beforehand and the risk shared out among them.
LOOKS = 4
FIRST_LOOK = 20  # samples; enough to know that an endpoint is slow
MOST_FAILURES_IN_A_ROW = 10
CLIENT_SAMPLES = 20  # before each endpoint and after it

Standing = Literal["met", "missed", "open"]


def planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    """As many as a percentile near its target may take, and what each made taken away again."""
    http = target.http
    if http is None:
        return
    most = http.latency_sampling.max_samples + 3 * http.latency_sampling.warm_up
    for one in http.latency:
        yield Planned(one.operation, most)
        yield from [Planned(one.remove, most)] if one.remove else []
    yield from planning.logins(http, *(one.as_role for one in http.latency))


@source("active", plan=planned)
def baseline(target: Target) -> Collected:
    """Each endpoint asked again and again by one user over one kept connection.

    A row an endpoint: every sample in milliseconds, unrounded, from the first byte sent to the
    last byte read. Warm-up requests are kept apart, and so is what was no answer to the question:
    another status, a text that is missing, a rate limiter. A request given up for its time is a
    sample, or the slowest would be left out.
    """
    http = need(target.http, "target.http")
    endpoints = need(http.latency, "target.http.latency")
    with client(target) as http_client, nothing_to_do() as trivial:
        records = [sample(http_client, trivial, http, endpoint) for endpoint in endpoints]
        sent = Counter(str(entry["status"]) for entry in http_client.ledger)
        errors = [entry["error"] for entry in http_client.ledger if "error" in entry]
    if set(sent) == {"None"}:
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {errors[-1]}")
    facts = {
        "client_ms": own_time(records),
        "quiet_within": http.latency_sampling.quiet_within,
        "timeout_ms": http.timeout_s * 1000,
        "requests_per_minute": http.requests_per_minute,
    }
    return Collected(records, facts, {"httpx": httpx.__version__})


@contextmanager
def nothing_to_do() -> Iterator[Client]:
    """A client of a loopback service whose answers take no work, for timing the client itself."""
    with loopback.serve(lambda request: loopback.Response(body=b"ok")) as url:
        raw = {"name": "nothing", "http": {"base_url": url, "requests_per_minute": 10_000_000}}
        with client(validated(Target, raw, "nothing to do")) as trivial:
            trivial.send("GET", "/")
            yield trivial


def sample(
    http_client: Client, trivial: Client, http: Http, endpoint: LatencyTarget
) -> dict[str, Any]:
    """One endpoint, asked as often as ``http.latency_sampling`` says."""
    plan = http.latency_sampling
    given = {"p50": endpoint.p50_ms, "p95": endpoint.p95_ms, "p99": endpoint.p99_ms}
    looks = planned_looks(max(q for name, q in QUANTILES.items() if given[name]), plan)
    record: dict[str, Any] = {
        "endpoint": endpoint.operation,
        "tier": endpoint.tier,
        "targets": {name: ms for name, ms in given.items() if ms is not None},
        "samples_ms": [],
        "warm_up_ms": [],
        "looks": looks,
        "confidence": plan.confidence,
        "errors": {},
        "answers": {},
        "stub": any(stub.operation == endpoint.operation for stub in http.stubs),
        "not_removed": 0,
        "client_ms": [trivial.send("GET", "/").elapsed_ms for _ in range(CLIENT_SAMPLES)],
        "stopped": "",
    }
    started = time.monotonic()
    try:
        record["stopped"] = _ask(http_client, endpoint, record, plan, started)
    except NotMeasured as gap:
        record["stopped"] = str(gap)
    record["seconds"] = round(time.monotonic() - started, 3)
    record["client_ms"] += [trivial.send("GET", "/").elapsed_ms for _ in range(CLIENT_SAMPLES)]
    return record


def _ask(
    http_client: Client,
    endpoint: LatencyTarget,
    record: dict[str, Any],
    plan: LatencySampling,
    started: float,
) -> str:
    """Fill ``record``; returns why it ended."""
    samples, looks = record["samples_ms"], iter(record["looks"])
    errors: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    look, in_a_row = next(looks), 0
    record["errors"], record["answers"] = errors, answers
    for n in itertools.count():
        sent = len(http_client.ledger)
        exchange = http_client.request(made_unique(endpoint))
        waited = len(http_client.ledger) - sent > 1  # it logged in, or a rate limiter held it up
        answers[str(exchange.status)] += 1
        wrong = failure(exchange, endpoint)
        errors.update([wrong] if wrong else [])
        if wrong in (None, "timeout"):
            counted = n >= plan.warm_up and not (waited and not wrong)
            (samples if counted else record["warm_up_ms"]).append(exchange.elapsed_ms)
        if endpoint.remove and not wrong:
            record["not_removed"] += not removed(http_client, endpoint, exchange)
        in_a_row = in_a_row + 1 if wrong else 0
        if in_a_row == MOST_FAILURES_IN_A_ROW:
            return f"{in_a_row} answers in a row were not the one wanted"
        if len(samples) == look:
            standings = {row["standing"] for row in percentiles(record)}
            if "missed" in standings or "open" not in standings:
                return "decided"
            look = next(looks, 0)
            if not look:
                return f"max_samples ({plan.max_samples})"
        if time.monotonic() - started > plan.max_seconds:
            return f"max_seconds ({plan.max_seconds:g})"
    raise AssertionError("the count has no end")


def planned_looks(q: float, plan: LatencySampling) -> list[int]:
    """At how many samples it is asked whether they suffice, for the highest quantile wanted."""
    enough = samples_for_bound(q, at_each_look(plan.confidence))
    wanted = [FIRST_LOOK, *(max(enough, FIRST_LOOK + 1) * 2**k for k in range(LOOKS - 1))]
    return sorted({min(n, plan.max_samples) for n in wanted})


def at_each_look(confidence: float) -> float:
    """The confidence at one look that makes ``confidence`` over all of them (Bonferroni)."""
    return 1 - (1 - confidence) / LOOKS


def percentiles(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Each percentile of an endpoint that has a target: estimate, bounds, and where it stands.

    Judged is what had been sampled at the last look that was reached: where to stop may hang on
    the looks, which were fixed beforehand, and on nothing else.
    """
    taken = len(record["samples_ms"])
    complete = max((n for n in record["looks"] if n <= taken), default=0)
    judged = record["samples_ms"][:complete]
    rows = []
    for name, target in record["targets"].items():
        interval = Interval(float("nan"), None, None)
        if judged:
            confidence = at_each_look(record["confidence"])
            interval = quantile_interval(judged, QUANTILES[name], confidence)
        standing: Standing = "open"
        if interval.high is not None and interval.high <= target:
            standing = "met"
        elif interval.low is not None and interval.low > target:
            standing = "missed"
        rows.append(
            {
                "endpoint": record["endpoint"],
                "percentile": name,
                "target": target,
                "samples": complete,
                "estimate": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "standing": standing,
            }
        )
    return rows


def own_time(records: list[dict[str, Any]]) -> dict[str, float]:
    """What the audit's own client takes, in ms, by quickest, median and 95th percentile."""
    took = [ms for record in records for ms in record["client_ms"]]
    named = {name: quantile_interval(took, QUANTILES[name]).estimate for name in ("p50", "p95")}
    return {"quickest": min(took), **named} if took else {}


def summary(evidence: Evidence) -> Any:
    """A data frame: one row an endpoint and percentile, with its bounds, target and standing."""
    import pandas as pd

    rows = [row for record in evidence.records for row in percentiles(record)]
    columns = ["endpoint", "percentile", "samples", "estimate", "low", "high", "target", "standing"]
    headings = ["estimate, ms", "at least, ms", "at most, ms", "target, ms", "target is"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.set_axis([*columns[:3], *headings], axis="columns").round(2)


def sampling(evidence: Evidence) -> Any:
    """A data frame: what was asked of each endpoint, what came back, and why it ended."""
    import pandas as pd

    columns = ["endpoint", "tier", "samples", "no answers", "not removed", "ended by", "seconds"]
    rows = []
    for record in evidence.records:
        errors = ", ".join(f"{kind}: {count}" for kind, count in record["errors"].items()) or "—"
        told = [record[key] for key in ("not_removed", "stopped", "seconds")]
        rows.append([record["endpoint"], record["tier"], len(record["samples_ms"]), errors, *told])
    return pd.DataFrame(rows, columns=columns)


def distribution_figure(evidence: Evidence) -> Any:
    """A figure: each percentile with its bounds beside its target, and the samples under them."""
    import plotly.graph_objects as go

    if not evidence.records:
        return None
    rows = [row for record in evidence.records for row in percentiles(record)]
    known = [row for row in rows if row["samples"]]
    figure = go.Figure()
    for name in QUANTILES:
        mine = [row for row in known if row["percentile"] == name]
        above = [(row["high"] or row["estimate"]) - row["estimate"] for row in mine]
        below = [row["estimate"] - (row["low"] or row["estimate"]) for row in mine]
        figure.add_scatter(
            x=[row["estimate"] for row in mine],
            y=[f"{row['endpoint']} · {name}" for row in mine],
            error_x={"type": "data", "symmetric": False, "array": above, "arrayminus": below},
            mode="markers",
            marker={"size": 7, "symbol": [_symbol(row) for row in mine]},
            name=name,
        )
    figure.add_scatter(
        x=[row["target"] for row in rows],
        y=[f"{row['endpoint']} · {row['percentile']}" for row in rows],
        mode="markers",
        marker={"size": 16, "symbol": "line-ns", "line": {"width": 2}},
        name="target",
    )
    for record in evidence.records:
        shown = _thinned(record["samples_ms"])
        figure.add_scatter(
            x=shown,
            y=[f"{record['endpoint']} · samples"] * len(shown),
            mode="markers",
            marker={"size": 5, "opacity": 0.25, "color": "grey"},
            name="sample",
            showlegend=False,
        )
    order = [
        f"{record['endpoint']} · {what}"
        for record in evidence.records
        for what in (*record["targets"], "samples")
    ]
    figure.update_xaxes(type="log", dtick="D2", title="time to answer, ms")
    figure.update_yaxes(
        title="endpoint and percentile",
        categoryorder="array",
        categoryarray=order,
        autorange="reversed",
    )
    figure.update_layout(height=140 + 20 * len(order))
    return figure


def _symbol(row: dict[str, Any]) -> str:
    """A percentile without an upper bound may lie anywhere to the right."""
    return "triangle-right" if row["high"] is None else "circle"


def _thinned(samples: list[float]) -> list[float]:
    """At most 150 of the samples: every so many, and the 50 slowest."""
    ordered = sorted(samples)
    return [*ordered[: -50 : max(1, len(ordered) // 100)], *ordered[-50:]]
