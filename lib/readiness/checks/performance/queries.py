"""The plans of the queries that cost most."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.queries import plans

FAULTS = ("sequential scan", "spill", "nested loop")


class Plans(Criteria):
    min_ms: float = Field(default=1, ge=0)  # a query that took less loses nothing worth a failure
    min_explained: float = Field(default=0.5, gt=0, le=1)  # of the queries, for a PASS


@check(
    "PERF-QUERIES",
    sources=[plans],
    severity="medium",
    criteria=Plans,
    references=[
        "https://www.postgresql.org/docs/current/using-explain.html",
        "https://www.postgresql.org/docs/current/pgstatstatements.html",
        "https://use-the-index-luke.com",
    ],
)
def query_plans(queries: Evidence, criteria: Plans) -> Judgement:
    """The most-used queries read no more than they need

    The ten queries with most total time (pg_stat_statements, else those listed in the parameters)
    are explained, and executed where they only read, in a read-only transaction that is rolled
    back. A plan is at fault where it reads the whole of a large table for less than a tenth of its
    rows, sorts or hashes on disk, or looks ten thousand times into the inner side of a loop.
    Estimates that are ten times off are told beside it. A query that writes, or whose values cannot
    be guessed, is only estimated.

    Why: a query that reads a whole table is quick while the table is small and takes a service down
    when it has grown.
    Bad: WHERE e-mail = ... over two million rows without an index on it.
    Remedy: create the index that is proposed, CONCURRENTLY, and look again; where hypopg is
    installed, the finding says how much cheaper the plan would be. ANALYZE where estimates are off.
    """
    total = len(queries.records)
    expected = f"no costly plan among {counted(total, 'query').replace('querys', 'queries')}"
    if not total:
        return not_measured(Reason.NO_SAMPLES, expected, "there was no query to explain")
    offenders: list[dict[str, Any]] = []
    for record in queries.records:
        took = record["execution_ms"] if record["executed"] else record["mean_ms"]
        slow = took is None or took >= criteria.min_ms
        for remark in record["remarks"]:
            if remark["kind"] in FAULTS and slow:
                problem = f"{record['name'][:80]}: {remark['seen']}"
                offenders.append({"query": record["query"], **remark, "problem": problem})
    explained = [record for record in queries.records if not record["problem"]]
    if not offenders and len(explained) < criteria.min_explained * total:
        lost = [f"{r['name'][:60]}: {r['problem']}" for r in queries.records if r["problem"]]
        said = f"{len(explained)} of {total} could be explained; {lost[0]}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(explained))
    wrong = sum(r["kind"] == "misestimate" for record in explained for r in record["remarks"])
    executed = sum(record["executed"] for record in explained)
    note = f"; {wrong} estimates are ten times off" if wrong else ""
    where = f"{executed} executed, {len(explained) - executed} estimated, of {total}"
    return verdict_of(
        offenders,
        samples=len(explained),
        expected=expected,
        passed=f"{where} ({queries.facts['from']}): none at fault{note}",
        failed=f"{{n}} at fault ({where}{note}): " + "; ".join(o["problem"] for o in offenders[:2]),
    )
