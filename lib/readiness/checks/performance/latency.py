"""Latency of each endpoint for one user, judged by the bounds of its percentiles."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, first_of, not_measured, verdict_of
from readiness.sources.latency import QUANTILES, at_each_look, baseline, own_time, percentiles
from readiness.statistics import samples_for_bound, samples_to_decide, share_at_least

FAILURES = ("timeout", "connection", "server error")  # the service's own; the rest may be ours


class Baseline(Criteria):
    max_failure_rate: float = Field(default=0.01, ge=0, lt=1)  # time-outs, 5xx, lost connections


@check(
    "PERF-BASELINE",
    sources=[baseline],
    severity="medium",
    criteria=Baseline,
    references=[
        "David and Nagaraja, Order Statistics (2003), 7.1: intervals for quantiles",
        "Google SRE Book, chapter 4: indicators are distributions",
    ],
)
def latency_baseline(requests: Evidence, criteria: Baseline) -> Judgement:
    """One user in sequence meets the latency targets

    Each endpoint is asked some hundred times by one user over one kept connection, warm-up apart.
    Its percentiles are bounded by order statistics, which assume nothing about the distribution
    but that requests do not depend on each other. A target is met when the upper bound is within
    it, and missed when the lower bound is beyond it; in between more samples are taken, and if
    they run out nothing is claimed. On a machine that was busy, as the audit's own client shows, a
    miss counts only beyond the slowdown that the client suffered itself. Answers other than the
    one wanted are no samples; a request given up for its time is one. Each percentile is judged by
    itself, its risk shared out over the looks at the growing sample.

    Why: a user feels the slow answers, and a mean over a few requests does not show them.
    Bad: a median of 5 ms and every tenth request at 300 ms; "p99" of twenty requests, which is
    their maximum; errors counted as fast answers.
    Remedy: profile the endpoint named first: its queries (EXPLAIN ANALYZE), calls to other
    services, work that could be done once. Where it was inconclusive, allow more samples in
    target.http.latency_sampling, or measure on a quieter machine.
    """
    questions = sum(len(record["targets"]) for record in requests.records)
    expected = (
        f"{questions} percentiles of {len(requests.records)} endpoints within their targets, each "
        f"bound at {requests.records[0]['confidence']:.0%} confidence"
    )
    offenders, open_, margins = against_targets(requests, criteria)
    samples = sum(len(record["samples_ms"]) for record in requests.records)
    if open_ and not offenders:
        reason = Reason.INCONCLUSIVE if samples else Reason.NO_SAMPLES
        return not_measured(reason, expected, first_of(open_), samples)
    closest = max(margins)[1] if margins else ""
    return verdict_of(
        offenders,
        samples=samples,
        expected=expected,
        passed=f"all {questions} met; the closest: {closest}",
        failed=f"{{n}} missed: {first_of([o['problem'] for o in offenders])}",
    )


def against_targets(
    requests: Evidence, criteria: Baseline
) -> tuple[list[dict[str, Any]], list[str], list[tuple[float, str]]]:
    """Percentiles that are missed, what is open, and how close those are that are met."""
    offenders: list[dict[str, Any]] = []
    open_: list[str] = []
    margins: list[tuple[float, str]] = []
    for record in requests.records:
        if silent := _no_answer(record, requests.facts, criteria):
            open_.append(silent)
            continue
        offenders += _failing(record, criteria)
        for row in percentiles(record):
            what = f"{row['endpoint']} {row['percentile']}"
            doubt = _doubt(row, record, requests.facts) if row["standing"] == "missed" else None
            if doubt:
                open_.append(f"{what}: {doubt}")
            elif row["standing"] == "missed":
                bound, target = f"at least {row['low']:.3g} ms", f"target {row['target']:g} ms"
                offenders.append({**row, "problem": f"{what} is {bound}, {target}"})
            elif row["standing"] == "open":
                open_.append(_still_needed(record, row, requests.facts))
            else:
                margins.append(
                    (
                        row["high"] / row["target"],
                        f"{what} at most {row['high']:.3g} of {row['target']:g} ms",
                    )
                )
    return offenders, open_, margins


def _no_answer(record: dict[str, Any], facts: dict[str, Any], criteria: Baseline) -> str | None:
    """Why an endpoint was not measured: it did not give the answers that were to be timed."""
    if "timeout" in record["errors"] and facts["timeout_ms"] <= max(record["targets"].values()):
        return f"{record['endpoint']}: the time-out of the audit ends before its target does"
    failures = sum(record["errors"].get(kind, 0) for kind in FAILURES)
    if record["stub"] and not record["samples_ms"]:
        return f"{record['endpoint']}: a declared stub, which has nothing to time"
    others = sum(record["errors"].get(kind, 0) for kind in ("other status", "other content"))
    right = others <= criteria.max_failure_rate * sum(record["answers"].values())
    if (record["samples_ms"] and right) or (failures and "server error" in record["errors"]):
        return None
    answers = ", ".join(f"{status} {n} times" for status, n in record["answers"].items())
    said = answers.replace("None", "nothing") or "nothing was sent"
    return f"{record['endpoint']}: not the answers wanted ({said}; {record['stopped']})"


def _failing(record: dict[str, Any], criteria: Baseline) -> list[dict[str, Any]]:
    """The endpoint as an offender when it is shown to fail more often than it may."""
    failed = sum(record["errors"].get(kind, 0) for kind in FAILURES)
    asked = sum(record["answers"].values())
    if share_at_least(failed, asked, record["confidence"]) <= criteria.max_failure_rate:
        return []
    which = ", ".join(
        f"{kind} {record['errors'][kind]}" for kind in FAILURES if kind in record["errors"]
    )
    problem = f"{record['endpoint']} failed {failed} of {asked} requests ({which})"
    return [{"endpoint": record["endpoint"], "failed": failed, "asked": asked, "problem": problem}]


def _doubt(row: dict[str, Any], record: dict[str, Any], facts: dict[str, Any]) -> str | None:
    """Why a miss may be the fault of the machine that measures, and not of the service."""
    own = own_time([record])
    slowdown = own["p95"] / facts["client_ms"]["quickest"]
    if row["low"] - own["p50"] <= row["target"]:
        return "misses its target by less than the audit's own client takes"
    if slowdown > facts["quiet_within"] and row["low"] <= slowdown * row["target"]:
        return (
            f"at least {row['low']:.3g} ms, target {row['target']:g} ms, but the measuring machine "
            f"was busy (it slowed the audit's own client {slowdown:.0f} times): measure alone"
        )
    return None


def _still_needed(record: dict[str, Any], row: dict[str, Any], facts: dict[str, Any]) -> str:
    """What is missing to judge a percentile."""
    what, q = f"{row['endpoint']} {row['percentile']}", QUANTILES[row["percentile"]]
    taken, target = record["samples_ms"], row["target"]
    each = at_each_look(record["confidence"])
    if row["high"] is None:
        needed = samples_for_bound(q, each)
        return (
            f"{what}: needs {needed} samples and has {row['samples']} (ended by "
            f"{record['stopped']}); raise {facts.get('sampling', 'target.http.latency_sampling')}"
        )
    met = sum(sample <= target for sample in taken) / len(taken)
    needed_ = samples_to_decide(met, q, each)
    more = f"about {needed_} would tell" if needed_ else "it lies too close to its target to tell"
    return (
        f"{what}: between {row['low'] or 0:.3g} and {row['high']:.3g} ms at {row['samples']} "
        f"samples, target {target:g} ms; {more}"
    )
