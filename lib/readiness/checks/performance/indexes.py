"""Indexes, bloat, the cache and connections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, not_measured, verdict_of
from readiness.sources.indexes import look


class Indexes(Criteria):
    large_rows: int = Field(default=10_000, ge=0)  # of a table whose foreign key wants an index
    idle_after_days: float = Field(default=14, gt=0)  # of counting, before an index is called idle
    idle_bytes: int = Field(default=1_000_000, ge=0)
    max_dead_share: float = Field(default=0.3, gt=0, lt=1)
    bloat_bytes: int = Field(default=8_000_000, ge=0)
    min_hit_ratio: float = Field(default=0.95, ge=0, le=1)
    reads_to_judge: int = Field(default=100_000, ge=0)
    max_connections_share: float = Field(default=0.8, gt=0, le=1)


@check(
    "PERF-INDEXES",
    sources=[look],
    severity="medium",
    criteria=Indexes,
    references=[
        "https://www.postgresql.org/docs/current/monitoring-stats.html",
        "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
    ],
)
def indexes(statistics: Evidence, criteria: Indexes) -> Judgement:
    """Indexes are there, used and single; no bloat; the cache and connections suffice

    From the server's statistics: foreign keys of large tables without an index that begins with
    their columns; two indexes that mean the same; large indexes that nobody has read since counting
    began; tables whose space is largely dead; the share of blocks found in the cache; connections
    in use of those allowed, and sessions idle in a transaction.

    Why: deleting a row reads the whole referring table where a foreign key has no index; each index
    that serves nobody makes every write dearer.
    Bad: ON DELETE CASCADE over a million rows without an index; the same index twice under two
    names; 90 of 100 connections in use at noon.
    Remedy: CREATE INDEX CONCURRENTLY on the columns named; DROP INDEX CONCURRENTLY the double and
    the idle one (look on replicas first, they count apart); tune autovacuum for the table; a pooler
    before a higher max_connections.
    """
    expected = "no missing, double or idle index, no bloat, cache and connections within bounds"
    rows = statistics.records
    if not rows:
        said = f"no table in {', '.join(statistics.facts['schemas'])}"
        return not_measured(Reason.NO_SAMPLES, expected, said)
    offenders = [*_rows(rows, statistics, criteria), *_whole(statistics, criteria)]
    days = statistics.facts["database"]["days_counted"]
    short = days < criteria.idle_after_days
    note = f"; {days:.1f} days of counting are too few to call an index idle" if short else ""
    kinds: dict[str, int] = {}
    for one in offenders:
        kinds[one["kind"]] = kinds.get(one["kind"], 0) + 1
    return verdict_of(
        offenders,
        samples=len(rows),
        expected=expected,
        passed=f"{len(rows)} foreign keys, indexes and tables{note}",
        failed=f"{{n}} found ({', '.join(f'{kind}: {n}' for kind, n in kinds.items())}): "
        + "; ".join(o["problem"] for o in offenders[:3]),
    )


def _rows(
    rows: list[dict[str, Any]], statistics: Evidence, criteria: Indexes
) -> Iterator[dict[str, Any]]:
    days = statistics.facts["database"]["days_counted"]
    live = {r["table"]: r["live"] for r in rows if r["kind"] == "table"}
    for row in rows:
        table = row["table"]
        if row["kind"] == "foreign key":
            size = max(row["rows"], live.get(table, 0))
            if not row["indexed"] and size >= criteria.large_rows:
                columns = ", ".join(row["columns"])
                said = f"{table} ({columns}) refers elsewhere without an index, {size:,.0f} rows"
                remedy = f"CREATE INDEX CONCURRENTLY ON {table} ({columns})"
                yield _offender("foreign key without index", said, remedy, table)
        elif row["kind"] == "index":
            drop, size = f"DROP INDEX CONCURRENTLY {row['name']}", row["bytes"] / 2**20
            if row["same_as"]:
                said = f"{row['name']} on {table} is {row['same_as']} once more"
                yield _offender("double index", said, drop, table)
            idle = not row["scans"] and not row["is_unique"] and not row["of_constraint"]
            if idle and row["bytes"] >= criteria.idle_bytes and days >= criteria.idle_after_days:
                said = f"{row['name']} ({size:.0f} MiB) was not read in {days:.0f} days"
                yield _offender("idle index", said, drop, table)
        elif row["bytes"] >= criteria.bloat_bytes and row["dead_share"] > criteria.max_dead_share:
            said = f"{row['dead_share']:.0%} of {table} is dead ({row['by']})"
            remedy = f"VACUUM {table}, and a lower autovacuum_vacuum_scale_factor for it"
            yield _offender("bloat", said, remedy, table)


def _whole(statistics: Evidence, criteria: Indexes) -> Iterator[dict[str, Any]]:
    whole, connections = statistics.facts["database"], statistics.facts["connections"]
    reads = whole["blks_hit"] + whole["blks_read"]
    if reads >= criteria.reads_to_judge and whole["blks_hit"] < criteria.min_hit_ratio * reads:
        said = f"{whole['blks_hit'] / reads:.1%} of {reads:,} blocks were found in the cache"
        yield _offender("cache", said, "more shared_buffers, or less to read")
    if connections["used"] > criteria.max_connections_share * connections["allowed"]:
        said = f"{connections['used']} of {connections['allowed']} connections are in use"
        yield _offender("connections", said, "a pooler, or smaller pools")
    if connections["idle_in_transaction"]:
        said = f"{connections['idle_in_transaction']} sessions idle in a transaction for a minute"
        remedy = "idle_in_transaction_session_timeout; find who forgets to commit"
        yield _offender("idle in transaction", said, remedy)


def _offender(kind: str, problem: str, remedy: str, table: str = "") -> dict[str, Any]:
    return {"kind": kind, "table": table, "problem": problem, "remedy": remedy}
