"""How the service answers many users at once, and what it needs meanwhile."""

from __future__ import annotations

import math
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any, Literal

from .. import progress
from ..evidence import Collected, Evidence, source
from ..finding import NOT_SET, NotMeasured, Reason
from ..statistics import Slope, quantile_ranks, slope
from ..target import Http, Load, Target, need
from ..traffic import Planned
from . import planning
from .client import client
from .loading import drive
from .loading.plan import OWN_FAULT, PROBLEMS, plan, requests_of
from .loading.resources import interval_s, watching

CONFIDENCE = 0.95  # of each bound
MOST_ROWS = 240  # of resources, in the evidence

Standing = Literal["met", "missed", "open"]


def _planned(target: Target, users: int, seconds: float, measured_s: float) -> Iterable[Planned]:
    """How much a scenario sends at most; a request that is taken back is two.

    Meanwhile the metrics are looked at, where nothing else tells what the service needs.
    """
    load = target.load
    if not load:
        return
    if target.http and target.http.metrics:
        looks = math.ceil(seconds / interval_s(measured_s)) + 2
        yield Planned(f"GET {target.http.metrics.path}", looks)
    least = load.pace_s or load.think_s / 2
    most = min(load.max_requests, int(users * seconds / least)) if least else load.max_requests
    weights = sum(request.weight for request in load.scenario)
    for request in load.scenario:
        count = math.ceil(most * request.weight / weights)
        yield Planned(request.operation, count)
        if request.remove:
            yield Planned(request.remove, count)
    if target.http:
        roles = [name for one in load.scenario for name in (one.as_role, *one.as_roles)]
        yield from planning.logins(target.http, *roles)


def _run_planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    load = target.load
    seconds = load.warm_up_s + load.duration_s + load.users / load.spawn_per_s if load else 0
    return _planned(target, load.users if load else 0, seconds, load.duration_s if load else 1)


def _steps_planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    load = target.load
    for users in load.steps if load else []:
        seconds = load.step_s * 1.25 + users / load.spawn_per_s if load else 0
        yield from _planned(target, users, seconds, load.step_s if load else 1)


@source("load", plan=_run_planned)
def run(target: Target) -> Collected:
    """The scenario with all its users: one row a category, with percentiles in milliseconds.

    Facts: throughput, the generator's ceiling and lateness, what the target needed meanwhile, the
    course over time. Every sample is kept beside it in Parquet.
    """
    http, load = need(target.http, "target.http"), need(target.load, "target.load")
    phase = _phase(load, load.users, load.warm_up_s, load.duration_s)
    collected = _loaded(target, http, load, [phase])
    (seen,) = collected.facts.pop("phases")
    collected.facts |= seen["facts"] | {
        "asked_s": load.duration_s,
        "least_s": load.least_duration_s,
        "users_wanted": load.expected_users or load.users,
    }
    collected.records = seen["categories"]
    return collected


@source("load", plan=_steps_planned)
def steps(target: Target) -> Collected:
    """The scenario with more users step by step: one row a step."""
    http, load = need(target.http, "target.http"), need(target.load, "target.load")
    counts = need(load.steps, "target.load.steps")
    warm_up = min(load.warm_up_s, load.step_s / 4)
    phases = [_phase(load, users, warm_up, load.step_s) for users in counts]
    collected = _loaded(target, http, load, phases)
    collected.records = [
        {**seen["facts"], "categories": seen["categories"]}
        for seen in collected.facts.pop("phases")
    ]
    collected.facts |= {"steps_asked": counts, "users_wanted": load.expected_users or load.users}
    return collected


def _phase(load: Load, users: int, warm_up_s: float, seconds: float) -> dict[str, Any]:
    spawn = {"users": users, "spawn_per_s": load.spawn_per_s}
    return {**spawn, "warm_up_s": warm_up_s, "seconds": seconds}


def _loaded(target: Target, http: Http, load: Load, phases: list[dict[str, Any]]) -> Collected:
    """Generate the load and say what came of each phase; raises NotMeasured without samples."""
    if not load.targets:
        raise NotMeasured(Reason.NO_PARAMETER, f"target.load.targets{NOT_SET}")
    with client(target) as http_client:
        requests = requests_of(http_client, http, load)
    lasts = sum(p["users"] / p["spawn_per_s"] + p["warm_up_s"] + p["seconds"] for p in phases)
    progress.at(f"{max(p['users'] for p in phases)} users, about {lasts:.0f} s")
    with watching(target, phases[0]["seconds"]) as watch:
        outcome = drive.generate(plan(http, load, requests, phases))
    from .loading import analysis, samples

    table, summary = outcome.table, outcome.summary
    if not table.num_rows:
        raise NotMeasured(Reason.NO_SAMPLES, f"no request was sent: {summary['stopped'] or 'why?'}")
    if set(table["problem"].unique().to_pylist()) == {PROBLEMS.index("connection")}:
        raise NotMeasured(Reason.UNREACHABLE, f"none of {table.num_rows} requests could connect")
    asked = [request.operation for request in load.scenario]
    ceiling = drive.ceiling(max(p["users"] for p in phases), load.processes)
    facts = {
        "ceiling_per_s": round(ceiling, 1),
        "generated": table.num_rows,
        "generators": summary["generators"],
        "stopped": summary["stopped"],
        "not_removed": summary["not_removed"],
        "locust": analysis.against_locust(summary["locust"], table, asked),
        "memory_from": watch.memory_from,
        "paced": bool(load.pace_s),
        "problems": list(PROBLEMS),
        "phases": [_seen(table, phase, load, watch.rows) for phase in summary["phases"]],
    }
    if not facts["phases"]:
        raise NotMeasured(
            Reason.INCONCLUSIVE, f"it ended before anything could be counted: {summary['stopped']}"
        )
    files = {"samples.parquet": samples.to_parquet(table, asked, bool(load.pace_s))}
    if outcome.histograms:
        files["latencies.hlog"] = outcome.histograms
    return Collected([], facts, {"locust": version("locust")}, files)


def _seen(
    table: Any, phase: dict[str, Any], load: Load, resources: list[dict[str, Any]]
) -> dict[str, Any]:
    """What one phase says, by category and over time; its warm-up is not counted."""
    import numpy as np

    from .loading import analysis

    at = table["at"].to_numpy()
    inside = (at >= phase["counted_from"]) & (at < phase["ended"])
    column = {name: table[name].to_numpy()[inside] for name in table.column_names}
    took = column["corrected_ms" if load.pace_s else "took_ms"]
    seconds = max(phase["ended"] - phase["counted_from"], 1e-9)
    category_of = np.array([request.category for request in load.scenario])[column["request"]]
    # A request that was given up is a sample as slow as the limit; another answer is none.
    counted = (column["problem"] == 0) | (column["problem"] == PROBLEMS.index("timeout"))
    categories, stalled = [], np.zeros(len(took), dtype=bool)
    for category in dict.fromkeys(request.category for request in load.scenario):
        own = category_of == category
        timed = own & counted
        row: dict[str, Any] = {
            "category": category,
            "requests": int(own.sum()),
            "samples": int(timed.sum()),
            "problems": _problems(column["problem"][own]),
            "per_s": round(float(own.sum() / seconds), 2),
            "targets": load.category(category),
            "percentiles": [],
            "distribution": analysis.distribution(took[timed]),
        }
        if timed.any():
            for name, q in analysis.QUANTILES.items():
                found = analysis.percentile(column["at"][timed], took[timed], q, CONFIDENCE)
                if name in row["targets"]:
                    found |= analysis.beyond(column["at"][timed], took[timed], row["targets"][name])
                row["percentiles"].append({"percentile": name, **found})
            limit = load.stall_ms or 2 * max(row["targets"].values(), default=math.inf)
            stalled[timed] = took[timed] > limit
        categories.append(row)
    failed = np.isin(column["problem"], [PROBLEMS.index(kind) for kind in OWN_FAULT])
    watched = [row for row in resources if phase["began"] <= row["at"] <= phase["ended"]]
    sent = np.searchsorted(at, [row["at"] for row in watched])
    facts = {
        "users": phase["users"],
        "seconds": round(seconds, 3),
        "per_s": round(float(inside.sum() / seconds), 2),
        "stalls": {
            "ms": load.stall_ms,
            "count": int(stalled.sum()),
            "samples": int(counted.sum()),
            "worth": int(counted.sum() / analysis.design_effect(column["at"], stalled)),
        },
        "timeline": analysis.timeline(column["at"], took, failed),
        "resources": _thinned(
            [
                {
                    **{key: value for key, value in row.items() if key != "at"},
                    "second": round(row["at"] - phase["counted_from"], 2),
                    "requests": int(so_far),
                }
                for row, so_far in zip(watched, sent, strict=True)
            ]
        ),
    }
    return {"categories": categories, "facts": facts}


def _problems(numbers: Any) -> dict[str, int]:
    import numpy as np

    kinds, counts = np.unique(numbers, return_counts=True)
    return {PROBLEMS[k]: int(n) for k, n in zip(kinds, counts, strict=True) if k}


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows[:: max(1, -(-len(rows) // MOST_ROWS))]


def percentiles(categories: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each percentile of each category that has a target, with its bounds and where it stands."""
    rows = []
    for category in categories:
        found = {row["percentile"]: row for row in category["percentiles"]}
        for name, target in category["targets"].items():
            row = found.get(
                name, {"estimate": None, "low": None, "high": None, "samples": 0, "worth": 0}
            )
            told = {"category": category["category"], "percentile": name, "target": target}
            rows.append({**row, **told, "standing": _standing(row, name)})
    return rows


def _standing(row: dict[str, Any], percentile: str) -> Standing:
    """Where a percentile stands, by the share of samples within its target: what that share is
    worth is told at the target, where no sample may lie, and not at the percentile's estimate."""
    if not row["samples"]:
        return "open"
    q, worth = float(percentile[1:]) / 100, row["worth_at_target"]
    within = (row["samples"] - row["beyond_target"]) / row["samples"] * worth
    below, above = quantile_ranks(worth, q, CONFIDENCE)
    if above is not None and within >= above:
        return "met"
    return "missed" if below is not None and within < below else "open"


def first_miss(evidence: Evidence) -> dict[str, Any] | None:
    """The first step at which a target is missed or more than a hundredth of requests fail."""
    return next((step for step in evidence.records if missed(step)), None)


def missed(step: dict[str, Any]) -> list[str]:
    """What a step missed, in words."""
    said = [
        missed_in_words(row)
        for row in percentiles(step["categories"])
        if row["standing"] == "missed"
    ]
    for category in step["categories"]:
        failed = sum(category["problems"].get(kind, 0) for kind in OWN_FAULT)
        if failed > 0.01 * max(category["requests"], 1):
            said.append(f"{category['category']}: {failed} of {category['requests']} failed")
    return said


def missed_in_words(row: dict[str, Any]) -> str:
    """A percentile that misses its target, as a sentence."""
    share = 100 * row["beyond_target"] / row["samples"]
    return (
        f"{row['category']} {row['percentile']} is {row['estimate']:.4g} ms, target "
        f"{row['target']:g} ms, which {share:.2g} % of answers exceed"
    )


def growth(rows: list[dict[str, Any]], what: str, per: int = 1) -> list[Slope]:
    """How a resource grows with the requests, ``per`` so many: in all, and in the second half."""
    known = [row for row in rows if row.get(what)]
    slopes = [
        slope([row["requests"] / per for row in part], [row[what] for row in part], CONFIDENCE)
        for part in (known, known[len(known) // 2 :])
    ]
    return [] if None in slopes else [one for one in slopes if one]
