"""The queries that cost most, and where their plans lose the time."""

from __future__ import annotations

import re
from typing import Any

import psycopg
from psycopg import sql

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Queries, Target, need
from .database import Session, session
from .plans import explain, reading

LARGE = 10_000  # rows, from which reading a whole table is worth a remark
LONGEST_SQL = 2000  # characters kept of a query
TREES = 400  # lines of plans kept, of all queries together
UTILITY = re.compile(
    r"^\s*(?:BEGIN|COMMIT|ROLLBACK|START|SAVEPOINT|RELEASE|SET|RESET|SHOW|DISCARD|DEALLOCATE|PREPARE|"
    r"EXECUTE|EXPLAIN|COPY|VACUUM|ANALYZE|CREATE|ALTER|DROP|GRANT|REVOKE|LISTEN|NOTIFY|FETCH|CLOSE|"
    r"DECLARE|LOCK|CHECKPOINT|TRUNCATE|CALL|DO|REFRESH|REINDEX|COMMENT)\b",
    re.I,
)
REMEMBERED = """
SELECT query, sum(calls)::bigint AS calls, sum({total}) AS total_ms,
       sum({total}) / nullif(sum(calls), 0) AS mean_ms, sum(rows)::bigint AS rows
FROM {schema}.pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND userid <> (SELECT oid FROM pg_roles WHERE rolname = current_user)
GROUP BY query ORDER BY total_ms DESC LIMIT 500
"""
SIZES = """
SELECT n.nspname::text || '.' || c.relname::text AS name, greatest(c.reltuples, 0)::float8 AS rows
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname = ANY (%s::text[])
"""


@source("active")
def plans(target: Target) -> Collected:
    """The most costly queries under EXPLAIN: one row a query, with what is wrong with its plan.

    They are taken from pg_stat_statements, else from target.queries.statements. What only reads is
    executed once, in a read-only transaction that is rolled back.
    """
    asked = target.queries
    schemas = need(target.database, "target.database").schemas
    with session(target) as database:
        remembered, why_not = _remembered(database, asked.top)
        wanted = remembered or [
            {"query": one.sql, "name": one.name, "values": one.values} for one in asked.statements
        ]
        if not wanted:
            raise NotMeasured(
                Reason.NO_PARAMETER,
                f"{why_not}, and target.queries.statements names no query; load the extension "
                "(shared_preload_libraries) or list the queries that matter",
            )
        sizes = {row["name"]: row["rows"] for row in database.rows(SIZES, (schemas,))}
        records = [_explained(database, one, asked, schemas, sizes) for one in wanted]
        version = database.facts["server_version"]
    facts = {
        "from": "pg_stat_statements" if remembered else "target.queries.statements",
        "why_not": why_not,
        "large_rows": LARGE,
        "tables": len(sizes),
        "largest": max(sizes.values(), default=0),
    }
    return Collected(records, facts, {"PostgreSQL": version})


def _remembered(database: Session, top: int) -> tuple[list[dict[str, Any]], str]:
    """The queries that pg_stat_statements knows, by total time; or why there are none."""
    found = database.rows(
        "SELECT n.nspname::text AS schema FROM pg_extension e "
        "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'"
    )
    if not found:
        return [], "pg_stat_statements is not installed in this database"
    new = database.connection.info.server_version >= 130_000
    query = sql.SQL(REMEMBERED).format(
        schema=sql.Identifier(found[0]["schema"]),
        total=sql.SQL("total_exec_time" if new else "total_time"),
    )
    try:
        rows = database.rows(query)
    except psycopg.Error as broke:
        return [], f"pg_stat_statements cannot be read ({str(broke).splitlines()[0]})"
    rows = [row for row in rows if row["query"] and not UTILITY.match(row["query"])]
    hidden = [row for row in rows if "insufficient privilege" in row["query"]]
    rows = [r for r in rows if r not in hidden and not re.search(r"\bpg_\w+\b", r["query"])]
    if not rows:
        said = "shows this role no queries; grant it pg_read_all_stats" if hidden else "is empty"
        return [], f"pg_stat_statements {said}"
    return [row | {"values": None} for row in rows[:top]], ""


def _explained(
    database: Session,
    wanted: dict[str, Any],
    asked: Queries,
    schemas: list[str],
    sizes: dict[str, float],
) -> dict[str, Any]:
    options: dict[str, Any] = {"schemas": schemas, "timeout_s": asked.timeout_s}
    query, values = wanted["query"], wanted["values"]
    told = explain.explained(database, query, values, **options)
    record = {
        "query": " ".join(query.split())[:LONGEST_SQL],
        "name": wanted.get("name") or " ".join(query.split())[:60],
        **{key: wanted.get(key) for key in ("calls", "total_ms", "mean_ms")},
        "problem": told.get("problem", ""),
        "executed": told.get("executed", False),
        "generic": told.get("generic", False),
        "planning_ms": told.get("planning_ms"),
        "execution_ms": told.get("execution_ms"),
        "remarks": [],
        "tree": [],
    }
    if "plan" in told:
        record["tree"] = reading.tree(told["plan"])
        for remark in reading.remarks(told["plan"], sizes, LARGE):
            if remark["kind"] == "sequential scan" and remark["columns"]:
                remark["index"] = _index(remark["table"], remark["columns"])
                remark["cheaper_by"] = explain.with_index(
                    database, query, values, remark["index"], **options
                )
            record["remarks"].append(remark)
    return record


def _index(table: str, columns: list[str]) -> str:
    """The index that is proposed, as SQL."""
    quoted = ".".join(f'"{part}"' if not _plain(part) else part for part in table.split("."))
    keys = ", ".join(column if _plain(column) else f'"{column}"' for column in columns[:3])
    return f"CREATE INDEX CONCURRENTLY ON {quoted} ({keys})".replace(" CONCURRENTLY", "")


def _plain(name: str) -> bool:
    return re.fullmatch(r"[a-z_][a-z0-9_]*", name) is not None


def table(evidence: Evidence) -> Any:
    """A data frame: each query, what it cost, and what its plan loses."""
    import pandas as pd

    rows = [
        {
            "query": record["name"],
            "calls": record["calls"],
            "total, ms": record["total_ms"],
            "once, ms": record["execution_ms"],
            "plan": "executed" if record["executed"] else record["problem"] or "estimated",
            "remarks": "; ".join(r["seen"] for r in record["remarks"]) or "—",
            "would help": "; ".join(_help(r) for r in record["remarks"]) or "—",
        }
        for record in evidence.records
    ]
    return pd.DataFrame(rows).round(2)


def _help(remark: dict[str, Any]) -> str:
    cheaper = remark.get("cheaper_by")
    tried = f" (tried: {cheaper:.0%} cheaper)" if cheaper is not None else ""
    return f"{remark.get('index') or remark['remedy']}{tried}"


def trees(evidence: Evidence) -> Any:
    """A data frame: the plans as trees, those with remarks first."""
    import pandas as pd

    ordered = sorted(evidence.records, key=lambda record: not record["remarks"])
    rows = [{"query": r["name"] if not n else "", **node} for r in ordered
            for n, node in enumerate(r["tree"])]  # fmt: skip
    return pd.DataFrame(rows[:TREES])


def time_figure(evidence: Evidence) -> Any:
    """A figure: which queries the time goes to; without the server's memory, one call of each."""
    import plotly.graph_objects as go

    by_total = evidence.facts.get("from") == "pg_stat_statements"
    key = "total_ms" if by_total else "execution_ms"
    rows = [record for record in evidence.records if record[key] is not None]
    if not rows:
        return None
    figure = go.Figure()
    for name, part in (
        ("nothing to remark", [r for r in rows if not r["remarks"]]),
        ("with remarks", [r for r in rows if r["remarks"]]),
    ):
        figure.add_bar(
            x=[record[key] for record in part],
            y=[record["name"][:60] for record in part],
            orientation="h",
            name=name,
        )
    figure.update_xaxes(title="total time, ms" if by_total else "time of one call, ms")
    figure.update_yaxes(autorange="reversed", title="query")
    figure.update_layout(height=140 + 28 * len(rows), barmode="stack")
    return figure
