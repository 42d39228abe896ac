"""Memory while the service is under load."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, not_measured, verdict_of
from readiness.sources.load import growth, run


class Memory(Criteria):
    max_bytes_a_request: float = Field(default=512, gt=0)
    max_descriptors_a_thousand: float = Field(default=5, gt=0)
    min_requests: int = Field(default=500, ge=1)


@check(
    "PERF-MEMORY",
    sources=[run],
    severity="medium",
    criteria=Memory,
    references=[
        "Sen, Estimates of the Regression Coefficient Based on Kendall's Tau (1968)",
        "CWE-401: Missing Release of Memory after Effective Lifetime",
        "CWE-775: Missing Release of File Descriptor after Effective Lifetime",
    ],
)
def memory_under_load(load: Evidence, criteria: Memory) -> Judgement:
    """Memory and descriptors do not grow with the requests

    Resident memory and open descriptors of the target are looked at twice a second while it is
    under load, and set against the requests answered so far. The slope is Theil and Sen's, which a
    single step does not sway, with its interval; over the whole run and over its second half, since
    caches that fill at the start are no leak.

    Why: a leak of a kilobyte a request ends a service of a hundred requests a second in some hours,
    most likely at night.
    Bad: a list at module level that remembers every request; a connection that is opened in each
    request and closed in none.
    Remedy: take two snapshots of the heap some thousand requests apart (tracemalloc, pprof, heap
    dumps) and look at what only grew. Where it was inconclusive, run longer: set
    target.load.duration_s.
    """
    expected = (
        f"at most {criteria.max_bytes_a_request:g} bytes a request, and "
        f"{criteria.max_descriptors_a_thousand:g} descriptors a thousand requests"
    )
    rows = load.facts["resources"]
    seen = [row for row in rows if row.get("rss_bytes")]
    if not seen:
        return not_measured(
            Reason.NO_PARAMETER,
            expected,
            "the target's memory cannot be seen from here: export process_resident_memory_bytes, "
            "or set target.load.pid_file or containers",
        )
    counted = [row for row in seen if row["second"] >= 0]
    if len({row.get("processes") for row in counted}) > 1:
        said = "the number of its processes changed meanwhile"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(seen))
    requests = counted[-1]["requests"] - counted[0]["requests"] if counted else 0
    if requests < criteria.min_requests:
        said = f"{requests} requests tell too little; it takes {criteria.min_requests}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(seen))
    offenders: list[dict[str, Any]] = []
    open_: list[str] = []
    met: list[str] = []
    limits = {
        "rss_bytes": (criteria.max_bytes_a_request, 1, "bytes a request"),
        "descriptors": (criteria.max_descriptors_a_thousand, 1000, "descriptors a thousand"),
    }
    for what, (most, per, unit) in limits.items():
        slopes = growth(counted, what, per)
        if not slopes:
            continue
        low, high = min(s.low for s in slopes), max(s.high for s in slopes)
        said = f"{low:.4g} to {high:.4g} {unit}"
        if low > most:
            offenders.append({"what": what, "low": low, "high": high, "problem": said})
        elif high > most:
            open_.append(said)
        else:
            met.append(said)
    if open_ and not offenders:
        return not_measured(
            Reason.INCONCLUSIVE, expected, f"{'; '.join(open_)}: run longer to tell", len(counted)
        )
    where = load.facts["memory_from"]
    return verdict_of(
        offenders,
        samples=len(counted),
        expected=expected,
        passed=f"{'; '.join(met)} over {requests:,} requests ({where})",
        failed=f"grows by {'; '.join(o['problem'] for o in offenders)} over {requests:,} requests "
        f"({where})",
    )
