"""Whether bursts are limited, whoever sends them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, not_measured
from readiness.sources.bursts import limits
from readiness.sources.login import opened


class RateLimit(Criteria):
    tolerance: float = Field(default=0.1, ge=0)  # that a limit may be exceeded by, in a burst
    unlimited_burst: int = Field(default=300, gt=0)  # requests without a 429, where none is said


@check(
    "SEC-RATE-LIMIT",
    sources=[limits],
    severity="medium",
    criteria=RateLimit,
    references=[
        "CWE-770",
        "CWE-799",
        "OWASP API Security Top 10 2023: API4",
        "RFC 6585 4",
        "RFC 9110 10.2.3",
        "draft-ietf-httpapi-ratelimit-headers",
    ],
)
def bursts_are_limited(bursts: Evidence, criteria: RateLimit) -> Judgement:
    """Bursts are limited, whoever sends them

    A declared operation is asked for until it answers 429. While the caller is turned away, the
    ways around are tried between two plain requests that are turned away: forged forwarding
    headers, headers that switch a test bypass on, a second login of the same user. Then: another
    user, who must be served; a whole window at twice the limit by several callers at once, where
    workers that count for themselves let through too much; nobody with another bearer each time.
    Limits by network, at a proxy that the audit does not pass, are not seen.

    Why: without a limit one caller takes the service from all others, and guesses what can be
    guessed; a limit that a header lifts limits only the honest.
    Bad: no 429; a limiter that counts bearers, so that logging in again starts anew; one that
    believes X-Forwarded-For; one in each process; a header for load tests that was left in.
    Remedy: count proven users by user and all others by the address of the connection (behind a
    proxy: the one hop that is trusted), in one store for all workers, and answer 429 with
    Retry-After.
    """
    expected = "429 with Retry-After when the limit is reached, by whatever way one asks"
    samples = sum(r["sent"] for r in bursts.records)
    offenders: list[dict[str, Any]] = []
    gaps: list[str] = []
    for row in bursts.records:
        name = row["operation"]
        found, open_questions = _judged(row, criteria)
        offenders += [{"operation": name, "problem": p, "grave": g} for p, g in found]
        gaps += [f"{name}: {gap}" for gap in open_questions]
    if offenders:
        shown = "; ".join(f"{o['operation']}: {o['problem']}" for o in offenders[:3])
        severity = None if any(o["grave"] for o in offenders) else Severity.LOW
        return Judgement(
            Status.FAIL, expected, shown, samples, offenders=offenders, severity=severity
        )
    if gaps:
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(gaps), samples)
    return Judgement(Status.PASS, expected, "; ".join(map(_passed, bursts.records)), samples)


Found = list[tuple[str, bool]]  # what is wrong, and whether it lets somebody around the limit


def _judged(row: dict[str, Any], criteria: RateLimit) -> tuple[Found, list[str]]:
    """What is wrong with one limited operation, and what could not be told."""
    first, gaps = row["first"], []
    if row["problem"]:
        gaps.append(row["problem"])
    if not first:
        return [], gaps
    if not first["limited"]:
        said, wrong = _never_limited(row, first, criteria)
        return ([(said, True)], []) if wrong else ([], [*gaps, said])
    found: Found = []
    if first["retry_after_s"] is None:
        found.append(("429 without Retry-After", False))
    for way in row["ways"]:
        if not way["sure"]:
            gaps.append(f"{way['way']} could not be told from the end of the window")
        elif way["status"] == first["normal"] or opened(way["status"]):
            said = f"{way['kind']} {way['way']} gets past the limit ({way['status']})"
            found.append((said, True))
    if row["other"] == 429:
        found.append(("one user's burst starves another, who got 429", True))
    if row["back"] == 429:
        found.append(("429 again after the wait that Retry-After asked for", False))
    found += _several_workers(row, criteria, gaps)
    found += _rotating(row, gaps)
    return found, gaps


def _never_limited(
    row: dict[str, Any], first: dict[str, Any], criteria: RateLimit
) -> tuple[str, bool]:
    """What it means that no 429 came: in words, and whether it is a failure."""
    passed, limit = first["passed"], row["limit"]
    said = f"{passed} requests in {first['seconds']:g} s and no 429"
    if first["last"] is None or first["last"] >= 500:
        return f"{said}, the last was answered {first['last'] or 'not at all'}", False
    if limit is not None and passed > limit * (1 + criteria.tolerance) + 1:
        return f"{said}, though the limit is {limit}", True
    if limit is None and passed >= criteria.unlimited_burst:
        return said, True
    needed = criteria.unlimited_burst if limit is None else round(limit * 1.2) + 5
    return f"{said}: it takes {needed} requests to tell (most_requests)", False


def _several_workers(row: dict[str, Any], criteria: RateLimit, gaps: list[str]) -> Found:
    whole, limit = row["whole"], row["limit"]
    if whole is None:
        needed = row["sent"] + 2 * (limit or 0) + 5
        gaps.append(f"several workers: it takes {needed} requests to tell (most_requests)")
    elif not whole["within_one_window"]:
        gaps.append(f"several workers: {whole['asked']} requests did not fit into one window")
    elif limit is not None:
        # A bucket that fills steadily lets through what came back meanwhile.
        most = limit * (1 + criteria.tolerance + whole["seconds"] / whole["window_s"]) + 1
        if whole["passed"] > most:
            said = f"{whole['passed']} passed in one window of several callers"
            return [(f"{said}, the limit is {limit}", True)]
        # What workers that count for themselves would have let through, as they shared the window.
        apart = sum(min(asked, limit) for asked in whole["by_worker"].values())
        if len(row["workers"]) > 1 and apart <= most:
            shares = " and ".join(map(str, whole["by_worker"].values()))
            gaps.append(f"several workers: they took {shares} requests, too uneven to tell")
    return []


def _rotating(row: dict[str, Any], gaps: list[str]) -> Found:
    nobody = row["nobody"]
    if nobody is None or nobody["limited"]:
        return []
    limit = nobody["limit"] or row["limit"]
    if limit is None or nobody["passed"] <= limit:
        gaps.append(f"another bearer each time: {nobody['passed']} requests were too few to tell")
        return []
    said = f"{nobody['passed']} passed with another bearer and address each time, and no 429"
    return [(said, True)]


def _passed(row: dict[str, Any]) -> str:
    first, whole = row["first"], row["whole"]
    said = (
        f"{row['operation']}: 429 after {first['passed']} requests in {first['seconds']:g} s, "
        f"Retry-After {first['retry_after_s']:g} s; none of {len(row['ways'])} ways around"
    )
    said += "; another user was served meanwhile" if row["other"] is not None else ""
    if whole:
        said += f"; {whole['passed']} of {whole['asked']} in one window of several callers"
    return said + ("; other bearers do not help" if row["nobody"] else "")
