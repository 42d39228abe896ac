"""Latency, errors and capacity with many users at once."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, first_of, not_measured, verdict_of
from readiness.sources.load import first_miss, missed, missed_in_words, percentiles, run, steps
from readiness.sources.loading.plan import OWN_FAULT
from readiness.statistics import share_at_least

REFERENCES = [
    "Tene, How NOT to Measure Latency (2015): coordinated omission",
    "Kish, Survey Sampling (1965), 8.2: the design effect",
    "Google SRE Book, chapter 4: indicators are distributions",
]


class UnderLoad(Criteria):
    max_failure_rate: float = Field(default=0.01, ge=0, lt=1)  # time-outs, 5xx, lost connections
    max_turned_away: float = Field(default=0.05, ge=0, lt=1)  # 429: beyond it the limiter was tried
    max_stall_rate: float = Field(default=0.001, ge=0, lt=1)  # answers slower than twice
    min_ceiling_factor: float = Field(
        default=2, ge=1
    )  # what the generator can do, over what it did
    max_generator_late_ms: float = Field(default=250, gt=0)  # its own timers, 95th percentile
    min_share_of_time: float = Field(default=0.9, gt=0, le=1)  # for a PASS, of the time asked for


@check(
    "PERF-LOAD",
    sources=[run],
    severity="medium",
    criteria=UnderLoad,
    references=REFERENCES,
)
def latency_under_load(load: Evidence, criteria: UnderLoad) -> Judgement:
    """Many users at once: latency targets and error rate hold

    Locust sends the scenario of the parameters with all its users, in a process of its own; every
    sample is kept unrounded. Where the scenario is paced, latency counts from when a request was
    due, so that a stall is not hidden by the requests it held back. Each category's percentiles
    get bounds that allow for requests hanging together; a target is met when the upper bound is
    within it and missed when the lower one is beyond it. More than one answer in a thousand slower
    than twice the slowest target (or than stall_ms) is a stall that percentiles can hide. What the
    rate limiter turned away is neither error nor success. The generator's own ceiling is measured
    too: where it was the limit, nothing is claimed of the service. Nor is it said that all is well
    after a trial: a run shorter than least_duration_s, or with fewer users than are expected.

    Why: connection pools, locks and workers run out only when many ask at once, and a service that
    is quick for one user may stand still for fifty.
    Bad: a median of 20 ms, and every hundredth request waiting a second for a connection; errors
    from the twentieth user on; a "load test" whose own generator was the bottleneck.
    Remedy: look at the resources beside the curve. Connections at their limit: a larger pool, or
    shorter transactions. CPU at its limit: more workers, less work a request. Neither: a lock or a
    call to elsewhere, which PERF-QUERIES and traces show.
    """
    facts = load.facts
    expected = (
        f"{facts['users']} users for {facts['asked_s']:g} s: every target met, at most "
        f"{criteria.max_failure_rate:.1%} of requests failed"
    )
    samples = sum(row["samples"] for row in load.records)
    requests = sum(row["requests"] for row in load.records)
    if not requests:
        return not_measured(Reason.NO_SAMPLES, expected, "no request was counted")
    offenders = [o for row in load.records for o in _failing(row, criteria.max_failure_rate)]
    open_ = _not_the_service(load, criteria) + _not_asked(load.records)
    if not open_:
        offenders += [
            _miss(row) for row in percentiles(load.records) if row["standing"] == "missed"
        ]
        offenders += _stalls(facts["stalls"], criteria.max_stall_rate)
    open_ += [_open(row) for row in percentiles(load.records) if row["standing"] == "open"]
    if facts["asked_s"] < facts["least_s"] or facts["users"] < facts["users_wanted"]:
        open_.insert(
            0,
            f"a trial: {facts['users']} users for {facts['asked_s']:g} s, where "
            f"{facts['users_wanted']} for {facts['least_s']:g} s are wanted (target.load)",
        )
    if facts["seconds"] < criteria.min_share_of_time * facts["asked_s"]:
        why = facts["stopped"] or "it was cut short"
        open_.append(f"only {facts['seconds']:.0f} of {facts['asked_s']:g} s: {why}")
    if open_ and not offenders:
        reason = Reason.INCONCLUSIVE if samples else Reason.NO_SAMPLES
        return not_measured(reason, expected, first_of(open_), samples)
    failed = sum(row["problems"].get(kind, 0) for row in load.records for kind in OWN_FAULT)
    return verdict_of(
        offenders,
        samples=samples,
        expected=expected,
        passed=f"all targets met at {facts['per_s']:.0f} requests a second by {facts['users']} "
        f"users; {failed} of {requests:,} requests failed",
        failed=f"{{n}} missed at {facts['per_s']:.0f} requests a second: "
        + first_of([o["problem"] for o in offenders]),
    )


class Capacity(Criteria):
    min_ceiling_factor: float = Field(default=2, ge=1)
    max_turned_away: float = Field(default=0.05, ge=0, lt=1)


@check(
    "PERF-CAPACITY",
    sources=[steps],
    severity="medium",
    criteria=Capacity,
    references=[*REFERENCES, "Gunther, Guerrilla Capacity Planning (2007), chapters 4 to 6"],
)
def capacity(ladder: Evidence, criteria: Capacity) -> Judgement:
    """The load at which targets are first missed lies beyond what is expected

    The scenario is run with more users step by step, until a target is missed or more than a
    hundredth of requests fail. The capacity is the last step before that; it must be no less than
    the users that are expected.

    Why: a target that is met today says nothing of how near the edge is.
    Bad: targets met with 50 users, and a pool of two connections that makes 60 wait for seconds.
    Remedy: the row of the first miss says which resource was at its limit, if any was seen. Raise
    that one, and measure again: the next limit shows only then.
    """
    wanted = ladder.facts["users_wanted"]
    expected = f"targets met with {counted(wanted, 'user')} at least"
    samples = sum(row["samples"] for step in ladder.records for row in step["categories"])
    if not samples:
        return not_measured(Reason.NO_SAMPLES, expected, "no request was answered")
    miss = first_miss(ladder)
    carried = [s["users"] for s in ladder.records if miss is None or s["users"] < miss["users"]]
    best = f"targets met with {carried[-1]} users" if carried else "not met at the first step"
    if miss and miss["users"] <= wanted:
        if limited := _limited(ladder, miss, criteria.min_ceiling_factor, criteria.max_turned_away):
            return not_measured(Reason.INCONCLUSIVE, expected, limited, samples)
        said = missed(miss)
        problem = f"missed with {miss['users']} users: {first_of(said)}{_gave_out(miss)}"
        return verdict_of(
            [{"users": miss["users"], "problem": problem, "missed": said}],
            samples=samples,
            expected=expected,
            passed="",
            failed=f"{best}; {problem}",
        )
    last = ladder.records[-1]
    doubt = _limited(ladder, last, criteria.min_ceiling_factor, criteria.max_turned_away)
    enough = next((step for step in ladder.records if step["users"] >= wanted), last)
    open_ = [_open(r) for r in percentiles(enough["categories"]) if r["standing"] == "open"]
    if max(carried, default=0) < wanted or doubt or open_:
        why = doubt or (open_ and first_of(open_)) or f"the last step had {last['users']} users"
        stopped = f" ({ladder.facts['stopped']})" if ladder.facts["stopped"] else ""
        return not_measured(Reason.INCONCLUSIVE, expected, f"{best}, but {why}{stopped}", samples)
    beyond = f"first missed with {miss['users']}" if miss else "no step missed any"
    return verdict_of(
        [],
        samples=samples,
        expected=expected,
        passed=f"{best} at {max(s['per_s'] for s in ladder.records):.0f} requests a second; "
        f"{beyond}",
        failed="",
    )


def _failing(row: dict[str, Any], most: float) -> list[dict[str, Any]]:
    """The category as an offender when it is shown to fail more often than it may.

    Wrong answers count too, but only where right ones came as well: else the scenario is wrong.
    """
    kinds = [*OWN_FAULT, "other status", "other content"] if row["samples"] else list(OWN_FAULT)
    found = {kind: row["problems"][kind] for kind in kinds if kind in row["problems"]}
    failed = sum(found.values())
    if not failed or share_at_least(failed, row["requests"], 0.95) <= most:
        return []
    which = ", ".join(f"{kind} {n}" for kind, n in found.items())
    problem = f"{row['category']}: {failed} of {row['requests']} requests failed ({which})"
    return [{"category": row["category"], "failed": failed, "problem": problem}]


def _stalls(seen: dict[str, Any], most: float) -> list[dict[str, Any]]:
    """The service as an offender when it is shown to stand still oftener than it may."""
    count, samples, worth = seen["count"], seen["samples"], seen["worth"]
    if not count or share_at_least(round(count * worth / samples), worth, 0.95) <= most:
        return []
    limit = f"{seen['ms']:g} ms" if seen["ms"] else "twice the slowest target"
    problem = f"{count} of {samples} answers stalled for more than {limit}"
    return [{"category": "all", "stalled": count, "problem": problem}]


def _miss(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "problem": missed_in_words(row)}


def _open(row: dict[str, Any]) -> str:
    what, n = f"{row['category']} {row['percentile']}", row["samples"]
    if not n:
        return f"{what}: no samples"
    late = f"{row['beyond_target']} of {n} samples took longer than {row['target']:g} ms"
    return f"{what}: {late}; worth {row['worth_at_target']} independent ones, they tell too little"


def _not_asked(rows: list[dict[str, Any]]) -> list[str]:
    """Categories that were never answered as wanted, and not by the service's own fault."""
    said = []
    for row in rows:
        own = sum(row["problems"].get(kind, 0) for kind in OWN_FAULT)
        if not row["samples"] and own < row["requests"]:
            which = ", ".join(f"{kind} {n}" for kind, n in row["problems"].items()) or "no request"
            said.append(f"{row['category']}: never the answer that the scenario wants ({which})")
    return said


def _not_the_service(load: Evidence, criteria: UnderLoad) -> list[str]:
    """Why what was seen may be due to the generator or a rate limiter, and not to the service."""
    whole = {**load.facts, "categories": load.records}
    said = []
    if limited := _limited(load, whole, criteria.min_ceiling_factor, criteria.max_turned_away):
        said.append(limited)
    late = max((own["late_p95_ms"] for own in load.facts["generators"]), default=0)
    if late > criteria.max_generator_late_ms:
        said.append(
            f"the generator itself was late by {late:.0f} ms (p95): use a machine of its own"
        )
    return said


def _limited(load: Evidence, step: dict[str, Any], factor: float, most: float) -> str:
    requests = sum(row["requests"] for row in step["categories"])
    turned_away = sum(row["problems"].get("rate limit", 0) for row in step["categories"])
    if turned_away > most * max(requests, 1):
        return (
            f"{turned_away} of {requests} requests were turned away by a rate limiter: let the "
            "audit's caller through, or spread the users over more accounts"
        )
    if load.facts["ceiling_per_s"] < factor * step["per_s"]:
        return (
            f"the generator was the limit: {load.facts['ceiling_per_s']:.0f} requests a second "
            f"against nothing, {step['per_s']:.0f} against the target; raise target.load.processes"
        )
    return ""


def _gave_out(step: dict[str, Any]) -> str:
    """Which resource was at its limit meanwhile, as far as was seen."""
    rows = step["resources"]
    said = []
    if any(r.get("connections", 0) >= 0.9 * r.get("connections_allowed", 1e9) for r in rows):
        said.append("database connections at their limit")
    free = sorted(r["cpu_free_percent"] for r in rows if "cpu_free_percent" in r)
    if free and free[len(free) // 2] < 10:
        said.append("no CPU of its machine was free")
    waiting = sorted(r.get("waiting_for_locks", 0) for r in rows)
    if waiting and waiting[len(waiting) // 2] > 0:
        said.append("sessions were waiting for locks")
    if not said and free:
        said.append(
            "neither CPU, connections nor locks were at a limit: a pool, or a call elsewhere"
        )
    return f" ({'; '.join(said)})" if said else ""
