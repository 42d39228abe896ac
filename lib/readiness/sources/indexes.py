"""Indexes that are missing, idle or double; bloat; the cache; connections."""

from __future__ import annotations

from typing import Any

import psycopg

from ..evidence import Collected, Evidence, source
from ..target import Target, need
from .database import session

# A foreign key needs an index that begins with its columns, in any order among themselves.
FOREIGN_KEYS = """
SELECT n.nspname || '.' || c.relname AS table, k.conname::text AS name,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(number, place)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number
             ORDER BY u.place) AS columns,
       greatest(c.reltuples, 0)::float8 AS rows, pg_relation_size(c.oid) AS bytes,
       EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indisvalid
               AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) ~ 'IS NOT NULL')
               AND (i.indkey::int2[])[0:array_length(k.conkey, 1) - 1] @> k.conkey) AS indexed
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname = ANY (%s::text[])
"""
INDEXES = """
SELECT n.nspname || '.' || t.relname AS table, x.relname::text AS name,
       x.oid::bigint AS number, pg_relation_size(x.oid) AS bytes,
       i.indisunique AS is_unique, i.indisprimary AS is_primary,
       i.indisvalid AS valid, coalesce(s.idx_scan, 0) AS scans,
       EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid) AS of_constraint,
       concat_ws('|', i.indrelid, i.indkey, i.indclass, i.indcollation, i.indoption, x.relam,
                 pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)) AS meaning
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = x.oid
WHERE n.nspname = ANY (%s::text[]) AND x.relkind = 'i'
"""
TABLES = """
SELECT schemaname || '.' || relname AS table, n_live_tup AS live, n_dead_tup AS dead,
       pg_relation_size(relid) AS bytes, last_autovacuum, last_vacuum, last_analyze,
       last_autoanalyze, seq_scan, idx_scan
FROM pg_stat_user_tables WHERE schemaname = ANY (%s::text[])
"""
DATABASE = """
SELECT blks_hit, blks_read, stats_reset, deadlocks, temp_files, temp_bytes,
       extract(epoch FROM now() - coalesce(stats_reset, pg_postmaster_start_time())) / 86400
           AS days_counted,
       extract(epoch FROM now() - pg_postmaster_start_time()) / 86400 AS days_up
FROM pg_stat_database WHERE datname = current_database()
"""
CONNECTIONS = """
SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS used,
       count(*) FILTER (WHERE state = 'idle in transaction'
                        AND now() - state_change > interval '1 minute') AS idle_in_transaction,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS allowed
FROM pg_stat_activity
"""


@source("passive")
def look(target: Target) -> Collected:
    """What the statistics say of indexes and tables: one row an index, foreign key or table."""
    schemas = need(target.database, "target.database").schemas
    with session(target) as database:
        keys = [{"kind": "foreign key", **row} for row in database.rows(FOREIGN_KEYS, (schemas,))]
        indexes = [{"kind": "index", **row} for row in database.rows(INDEXES, (schemas,))]
        tables = [{"kind": "table", **row} for row in database.rows(TABLES, (schemas,))]
        (whole,) = database.rows(DATABASE)
        (connections,) = database.rows(CONNECTIONS)
        version = database.facts["server_version"]
        for row in tables:
            row |= _dead_share(database, row)
    _mark_doubles(indexes)
    facts = {"database": _plain(whole), "connections": connections, "schemas": schemas}
    rows = [_plain(row) for row in (*keys, *indexes, *tables)]
    return Collected(rows, facts, {"PostgreSQL": version})


def _dead_share(database: Any, row: dict[str, Any]) -> dict[str, Any]:
    """The share of a table that is dead rows or free space, by pgstattuple where it is there."""
    known = row["live"] + row["dead"]
    told: dict[str, Any] = {"dead_share": row["dead"] / known if known else 0.0, "by": "statistics"}
    if row["bytes"] < 8_000_000:
        return told
    try:
        (seen,) = database.rows(
            "SELECT (dead_tuple_percent + approx_free_percent) / 100 AS share "
            "FROM public.pgstattuple_approx(%s::regclass)",
            (row["table"],),
        )
    except (psycopg.Error, ValueError):
        return told
    return {"dead_share": float(seen["share"]), "by": "pgstattuple_approx"}


def _mark_doubles(indexes: list[dict[str, Any]]) -> None:
    """Say of each index which older one means exactly the same, so that the younger one can go."""
    first: dict[str, dict[str, Any]] = {}
    for row in sorted(
        indexes, key=lambda r: (not r["of_constraint"], not r["is_unique"], r["number"])
    ):
        kept = first.setdefault(row.pop("meaning"), row)
        row["same_as"] = kept["name"] if kept is not row else None


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Times as text and decimals as numbers."""
    from decimal import Decimal

    return {
        key: value.isoformat()
        if hasattr(value, "isoformat")
        else float(value)
        if isinstance(value, Decimal)
        else value
        for key, value in row.items()
    }


def table(evidence: Evidence) -> Any:
    """A data frame: the indexes with their use and size, the largest first."""
    import pandas as pd

    rows = [r for r in evidence.records if r["kind"] == "index"]
    frame = pd.DataFrame(
        [
            [
                r["table"],
                r["name"],
                r["bytes"] / 2**20,
                r["scans"],
                r["is_unique"],
                r["same_as"] or "",
            ]
            for r in sorted(rows, key=lambda r: -r["bytes"])
        ],
        columns=["table", "index", "size, MiB", "scans", "unique", "the same as"],
    )
    return frame.round(2)


def summary(evidence: Evidence) -> dict[str, Any]:
    """How the cache and the connections stand."""
    if evidence.problem:
        return {"nothing was seen": evidence.problem.message}
    whole, connections = evidence.facts["database"], evidence.facts["connections"]
    reads = whole["blks_hit"] + whole["blks_read"]
    return {
        "blocks found in the cache": f"{whole['blks_hit'] / reads:.2%} of {reads:,}"
        if reads
        else "—",
        "connections in use": f"{connections['used']} of {connections['allowed']}",
        "counted for": f"{whole['days_counted']:.1f} days",
        "deadlocks": whole["deadlocks"],
        "spilled to disk, MiB": round(whole["temp_bytes"] / 2**20, 1),
    }
