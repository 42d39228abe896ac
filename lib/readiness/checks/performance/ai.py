"""Endpoints that wait on an outside AI provider: their latency, and its provider's bad days."""

from __future__ import annotations

from collections import Counter
from typing import Any

from readiness.check import check
from readiness.evidence import Evidence
from readiness.finding import NOT_SET, Judgement, Reason, first_of, not_measured, verdict_of
from readiness.sources.ai import alone, situations
from readiness.target.ai import Kind

from .latency import Baseline, against_targets

NOT_TOLD = (401, 403, 429)  # of whoever stands before the service, or of its own limiter


class Ai(Baseline):
    situations: list[Kind] = ["slow", "down", "hanging", "rate_limited"]  # that must be tried


@check(
    "PERF-AI",
    sources=[alone, situations],
    severity="medium",
    criteria=Ai,
    references=[
        "Nygard, Release It! (2018), chapter 5: time-outs, circuit breakers, bulkheads",
        "Google SRE Book, chapter 22: addressing cascading failures",
    ],
)
def endpoints_that_wait(requests: Evidence, trials: Evidence, criteria: Ai) -> Judgement:
    """Endpoints that wait on an AI provider meet their own targets and outlast its bad days

    The endpoints are asked alone, one user in sequence, and judged as PERF-BASELINE judges: met
    when the upper bound of a percentile is within its target, missed when the lower bound is beyond
    it. The provider's own count of calls tells answers that waited for it from answers out of a
    cache, which count for nothing. Then the simulated provider is made slow, taken down, made to
    hang and to turn calls away (429). In each situation several users ask at once: each must be
    answered within its time with a status or fallback that is declared, what has nothing to do with
    the provider must stay quick, and all must be as usual afterwards. One call of the provider by
    the audit itself, before and after, shows that the situation was in effect; otherwise nothing is
    claimed. Nor is it where situations may not be tried or are not declared.

    Why: a provider outside takes a second on a good day and a minute on a bad one; who waits for it
    without an end takes the rest of the service along.
    Bad: no time-out, so that a hang passes through to the user and holds a worker; a provider's 429
    that becomes a 500; a health check that waits behind the hanging calls; a cache that answers the
    measurement.
    Remedy: a time-out for the whole call, shorter than users and proxies wait; a fallback or a
    clear 503 or 504 with Retry-After; a bound on calls at once, apart from other work. Declare the
    simulated provider and its situations under target.ai.
    """
    offenders, unknown, margins = against_targets(requests, criteria)
    unknown += _not_from_the_provider(requests)
    wrong, unseen = _misbehaved(trials)
    offenders += wrong
    unknown += unseen
    reason, untried = _untried(requests, trials, criteria)
    samples = sum(len(record["samples_ms"]) for record in requests.records) + len(trials.records)
    kinds = ", ".join(kind.replace("_", "-") for kind in criteria.situations)
    expected = f"{len(requests.records)} endpoints meet their targets, and answer in time while "
    expected += f"the provider is {kinds}"
    if not offenders and (unknown or untried):
        reason = Reason.INCONCLUSIVE if unknown else reason
        return not_measured(reason, expected, first_of([*unknown, *untried], 4), samples)
    closest = f"; the closest: {max(margins)[1]}" if margins else ""
    return verdict_of(
        offenders,
        samples=samples,
        expected=expected,
        passed=f"targets met{closest}; answered in time while the provider was {kinds}",
        failed=f"{{n}} wrong: {first_of([o['problem'] for o in offenders], 4)}",
    )


def _not_from_the_provider(requests: Evidence) -> list[str]:
    """Where answers did not wait for the provider, or nobody can tell."""
    unknown = []
    if others := requests.facts["calls_by_others"]:
        unknown.append(f"somebody else calls the provider ({others} calls without the audit's)")
    for record in requests.records:
        timed = len(record["samples_ms"]) + len(record["warm_up_ms"])
        answered = timed - record["errors"].get("timeout", 0)
        if record["calls"] is not None and record["calls"] < answered:
            unknown.append(
                f"{record['endpoint']}: {answered} answers and {record['calls']} calls of the "
                "provider, so a cache or a fallback answered"
            )
    return unknown


def _untried(requests: Evidence, trials: Evidence, criteria: Ai) -> tuple[Reason, list[str]]:
    """What of the question was not asked at all, and the reason that comes first."""
    said = []
    if any(record["calls"] is None for record in requests.records):
        said.append(
            f"target.ai.provider{NOT_SET}: without its count of calls, cached answers cannot be "
            "told"
        )
    if trials.facts["state"] == "not permitted":
        why = "its bad days were not tried, as write is not permitted here"
        return Reason.NO_PARAMETER if said else Reason.NOT_PERMITTED, [*said, why]
    tried = [one["kind"] for one in trials.facts.get("situations", ())]
    missing = [kind for kind in criteria.situations if kind not in tried]
    if missing and trials.facts["state"] != "failed":
        said.append(f"target.ai.situations does not say how it becomes {', '.join(missing)}")
    return Reason.NO_PARAMETER, said


def _misbehaved(trials: Evidence) -> tuple[list[dict[str, Any]], list[str]]:
    """What was answered wrongly in a situation, and why nothing can be said of it."""
    offenders: list[dict[str, Any]] = []
    unknown = [trials.facts["message"]] if trials.facts["state"] == "failed" else []
    for one in trials.facts.get("situations", ()):
        kind, wrong = one["kind"], []
        rows = [row for row in trials.records if row["situation"] == kind]
        if "given" in one and one["given"]["exit"] != 0:
            wrong.append("THE PROVIDER WAS NOT PUT BACK: " + _ended(one["given"]))
        if doubt := _not_in_effect(one, rows):
            unknown.append(f"{kind}: {doubt}")
        else:
            wrong += _answered_wrongly(one, rows)
            unknown += [f"{kind}: {said}" for said in _not_told(one, rows)]
            if not one.get("recovered") and not wrong:
                wrong.append(f"not as usual {one['back_within_s']:g} s after it ended")
        offenders += [{"situation": kind, "problem": f"{kind}: {problem}"} for problem in wrong]
    return offenders, unknown


def _not_in_effect(one: dict[str, Any], rows: list[dict[str, Any]]) -> str | None:
    """Why the situation cannot be believed to have been there, before its requests and after."""
    if one.get("ready") is False:
        return "not tried, as the provider or an endpoint did not answer as usual to begin with"
    if "taken" not in one:
        return "not tried"
    if one["taken"]["exit"] != 0:
        return f"the provider could not be switched: {_ended(one['taken'])}"
    probes = [row for row in rows if row["phase"] in ("entered", "still")]
    for row in probes:
        if not _shows(one, row):
            said = row["status"] or row["error"]
            return f"not in effect: the provider answered the audit {said} in {row['ms']:.0f} ms"
    return None if len(probes) == 2 else "not watched to its end"


def _shows(one: dict[str, Any], probe: dict[str, Any]) -> bool:
    """Whether a call of the provider shows it in the situation."""
    status = probe["status"]
    match one["kind"]:
        case "slow":
            return status is not None and status < 400 and probe["ms"] >= one["slow_s"] * 1000
        case "down":
            return (status is None and not probe["timed_out"]) or (status or 0) >= 500
        case "hanging":
            return bool(probe["timed_out"])
    return bool(status == 429)


def _answered_wrongly(one: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Answers that came too late, with another status, or without the fallback."""
    said = [_late_or_other(one, row) for row in rows if row["phase"] == "endpoint"]
    said += [_disturbed(row) for row in rows if row["phase"] == "beside"]
    problems = Counter(problem for problem in said if problem)
    return [f"{problem} ({n} times)" for problem, n in problems.items()]


def _late_or_other(one: dict[str, Any], row: dict[str, Any]) -> str | None:
    what, status = row["operation"], row["status"]
    if row["timed_out"] or row["ms"] > one["within_s"] * 1000:
        return f"{what} is not answered within {one['within_s']:g} s"
    if status not in one["statuses"]:  # some are perhaps of somebody else: see _not_told
        return None if status in NOT_TOLD else f"{what} answers {status or row['error']}"
    if status < 400 and not row["fallback"] and not row["provider_words"]:
        return f"{what} answers {status} without the declared text"
    return None


def _disturbed(row: dict[str, Any]) -> str | None:
    what = f"{row['operation']}, which does not need it,"
    if row["ms"] > row["within_ms"]:
        return f"{what} takes over {row['within_ms']:g} ms"
    if row["status"] != row["wanted"] and row["status"] not in NOT_TOLD:
        return f"{what} answers {row['status'] or row['error']}"
    return None


def _not_told(one: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """Answers that tell nothing of how the service takes the situation."""
    asked = [row for row in rows if row["phase"] == "endpoint"]
    unknown = []
    for operation, calls in one["calls"].items():
        mine = [row for row in asked if row["operation"] == operation]
        if one["kind"] != "down" and calls < 1:  # refused calls are none that it could count
            unknown.append(f"no call of {operation} reached the provider")
        limited = [row for row in mine if row["status"] == 429]
        if limited and not (one["kind"] == "rate_limited" and calls >= len(mine)):
            unknown.append(f"{operation} answers 429, perhaps of the service's own limiter")
    for row in asked:
        if row["status"] in NOT_TOLD and row["status"] not in one["statuses"]:
            unknown.append(f"{row['operation']} answers {row['status']}")
        if row["provider_words"] and one["kind"] != "slow":
            unknown.append(f"{row['operation']} answers in the provider's words: from elsewhere")
    unknown += [
        f"{row['operation']} beside it answers {row['status']}"
        for row in rows
        if row["phase"] == "beside" and row["status"] in NOT_TOLD and row["status"] != row["wanted"]
    ]
    return list(dict.fromkeys(unknown))


def _ended(step: dict[str, Any]) -> str:
    how = "stopped at its time limit" if step["exit"] is None else f"exit {step['exit']}"
    return f"{how}, {step['said']}" if step["said"] else how
