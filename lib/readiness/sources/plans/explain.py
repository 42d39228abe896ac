"""Asking for the plan of a query: executed where it only reads, and never with an effect."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import sql

from ..database import Session, why
from .values import call, likely

READS = re.compile(r"^\s*(?:/\*.*?\*/\s*)*(?:SELECT|VALUES|TABLE|WITH)\b", re.I | re.S)
WRITES = re.compile(
    r"\b(?:INSERT\s+INTO|UPDATE\s+\S+\s+SET|DELETE\s+FROM|MERGE\s+INTO|FOR\s+(?:NO\s+KEY\s+)?"
    r"(?:UPDATE|SHARE|KEY\s+SHARE)|nextval|setval|pg_advisory\w*|lo_\w+|dblink\w*)\b",
    re.I,
)
NAME = "readiness_explains"
ANALYSED = "ANALYZE, BUFFERS, VERBOSE, FORMAT JSON"
ESTIMATED = "VERBOSE, FORMAT JSON"


def explained(
    session: Session,
    query: str,
    values: list[Any] | None,
    *,
    schemas: list[str],
    timeout_s: float,
    execute: bool = True,
) -> dict[str, Any]:
    """The plan of one query: ``plan``, ``executed``, ``generic``, ``planning_ms``,
    ``execution_ms``; or ``problem`` in words.

    It runs in a read-only transaction that is rolled back, with a timeout. A query that writes, or
    whose values are not known, is explained and not executed.
    """
    connection = session.connection
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(
                sql.SQL("SET LOCAL statement_timeout = {}").format(
                    sql.Literal(f"{timeout_s * 1000:.0f}")
                )
            )
            path = sql.SQL(", ").join(map(sql.Identifier, [*schemas, "pg_catalog"]))
            connection.execute(sql.SQL("SET LOCAL search_path = {}").format(path))
            prepared = sql.SQL("PREPARE {} AS ").format(sql.Identifier(NAME))
            connection.execute(prepared + sql.SQL(query))
            return _planned(session, query, values, schemas, execute)
    except psycopg.Error as broke:
        return {"problem": why(broke)}
    finally:
        with suppress(psycopg.Error):  # it outlives the transaction that was rolled back
            connection.execute(sql.SQL("DEALLOCATE {}").format(sql.Identifier(NAME)))


def _planned(
    session: Session, query: str, values: list[Any] | None, schemas: list[str], execute: bool
) -> dict[str, Any]:
    given = values if values is not None else likely(session, query, schemas)
    generic = any(value is None for value in given) and values is None
    reads = bool(READS.search(query)) and not WRITES.search(query)
    executed = execute and reads and not generic
    if generic:
        session.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
    options = ANALYSED if executed else ESTIMATED
    asked = sql.SQL("EXPLAIN (" + options + ") ") + call(NAME, given)
    row = session.connection.execute(asked).fetchone()
    told = row[0] if row else []
    told = json.loads(told) if isinstance(told, str) else told
    return {
        "plan": told[0]["Plan"],
        "executed": executed,
        "generic": generic,
        "planning_ms": told[0].get("Planning Time"),
        "execution_ms": told[0].get("Execution Time"),
    }


def with_index(
    session: Session, query: str, values: list[Any] | None, index: str, **options: Any
) -> float | None:
    """How much cheaper (a share of the planner's cost) the query would be with an index, tried by
    the extension hypopg without building it; None when that is not there."""
    try:
        (row,) = session.rows(
            "SELECT n.nspname::text AS schema FROM pg_extension e "
            "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'hypopg'"
        )
    except (psycopg.Error, ValueError):
        return None
    schema = sql.Identifier(row["schema"])
    try:
        before = explained(session, query, values, execute=False, **options)
        create = sql.SQL("SELECT * FROM {}.hypopg_create_index({})").format(
            schema, sql.Literal(index)
        )
        session.connection.execute(create)
        after = explained(session, query, values, execute=False, **options)
        costs = [one["plan"]["Total Cost"] for one in (before, after)]
        return round(1 - costs[1] / costs[0], 3) if costs[0] else None
    except (psycopg.Error, KeyError):
        return None
    finally:
        session.connection.execute(sql.SQL("SELECT {}.hypopg_reset()").format(schema))
