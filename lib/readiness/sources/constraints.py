"""Constraints as they are kept: there, validated, enforced, and no row that breaks them.

Rows are counted in the server, one query a foreign key, under the statement timeout; nothing of a
row leaves it.
"""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..target import Target, need
from . import database
from .catalogue_queries import RELATIONS
from .models import emit

Record = dict[str, Any]

FOUND: LiteralString = f"""
WITH relation AS MATERIALIZED ({RELATIONS}),
silent AS (  -- triggers of foreign keys that were switched off, on either side
    SELECT tgconstraint, count(*) AS triggers FROM pg_trigger
    WHERE tgisinternal AND tgenabled IN ('D', 'R') AND tgconstraint <> 0 GROUP BY 1)
SELECT CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'p' THEN 'primary key'
            WHEN 'u' THEN 'unique' WHEN 'c' THEN 'check' ELSE 'exclusion' END AS kind,
       c.nspname AS schema, c.relname AS table, k.conname AS name,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, o)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n
             ORDER BY u.o) AS columns,
       rn.nspname AS ref_schema, r.relname AS ref_table,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, o)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n
             ORDER BY u.o) AS ref_columns,
       CASE k.confmatchtype WHEN 'f' THEN 'FULL' ELSE 'SIMPLE' END AS match,
       k.convalidated AS validated, COALESCE(x.indisvalid, true) AS index_valid,
       COALESCE(s.triggers, 0) AS silent_triggers, greatest(c.reltuples, 0)::bigint AS rows,
       CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression
FROM pg_constraint k
JOIN relation c ON c.oid = k.conrelid AND NOT c.relispartition
LEFT JOIN pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
LEFT JOIN pg_index x ON x.indexrelid = k.conindid AND k.contype IN ('p', 'u', 'x')
LEFT JOIN silent s ON s.tgconstraint = k.oid
WHERE k.contype IN ('f', 'p', 'u', 'c', 'x') AND k.conparentid = 0
UNION ALL
SELECT 'unique', c.nspname, c.relname, i.relname, ARRAY[]::text[], NULL, NULL, ARRAY[]::text[],
       'SIMPLE', true, x.indisvalid, 0, greatest(c.reltuples, 0)::bigint, NULL
FROM pg_index x JOIN relation c ON c.oid = x.indrelid AND NOT c.relispartition
JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indisunique AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid
    AND k.contype IN ('p', 'u', 'x'))
ORDER BY 2, 3, 1, 4
"""
TABLES: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS table,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM ({RELATIONS}) c WHERE c.relkind IN ('r', 'p')
"""
# Whatever keeps triggers from firing beside those of foreign keys: one that was switched off by
# hand, and a role or database that is set not to fire any.
SILENCED: LiteralString = f"""
SELECT 'trigger' AS kind, c.nspname AS schema, c.relname AS table, t.tgname::text AS name,
       CASE t.tgenabled WHEN 'D' THEN 'switched off' ELSE 'fires on replicas only' END AS how
FROM pg_trigger t JOIN ({RELATIONS}) c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND t.tgenabled IN ('D', 'R')
UNION ALL
SELECT 'setting', '', COALESCE(d.datname, 'every database'), COALESCE(r.rolname, 'every role'),
       split_part(c.setting, '=', 2)
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) AS c(setting)
LEFT JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole
WHERE split_part(c.setting, '=', 1) = 'session_replication_role'
  AND split_part(c.setting, '=', 2) <> 'origin'
  AND (s.setdatabase = 0 OR d.datname = current_database())
ORDER BY 1, 2, 3, 4
"""
# Types of extensions compare by operators of their own: citext must not be compared as text.
FIND_OPERATORS: LiteralString = """
SELECT set_config('search_path', concat_ws(', ', 'pg_catalog', string_agg(DISTINCT
    quote_ident(n.nspname), ', ')), false)
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
"""


@source("passive")
def kept(target: Target) -> Collected:
    """Every key, unique and check of the live database, with the orphans of every foreign key.

    Foreign keys that the ORM declares and the database lacks are counted, too; where the models
    cannot be asked, ``facts.declared_keys`` says why. ``orphans`` is null where they could not be
    counted, with the reason in ``problem``.
    """
    parameters = need(target.database, "target.database")
    declared, why_not = _declared(target, parameters.schemas[0])
    with database.session(target) as session:
        records = session.rows(FOUND, {"schemas": parameters.schemas})
        for record in records:
            record |= {"exists": True, "orphans": None, "problem": None}
        tables = {
            (row["schema"], row["table"]): set(row["columns"])
            for row in session.rows(TABLES, {"schemas": parameters.schemas})
        }
        records += _missing(declared, records, tables)
        silenced = session.rows(SILENCED, {"schemas": parameters.schemas})
        session.rows(FIND_OPERATORS)
        for record in records:
            if record["kind"] == "foreign key":
                record |= _counted(session, _query(record))
            elif record["kind"] == "check" and not record["validated"]:
                record |= _counted(session, _broken(record))
    facts = {"access": session.facts, "tables": len(tables), "declared_keys": why_not}
    facts["silenced"] = silenced
    return Collected(records, facts, {"PostgreSQL": session.facts["server_version"]})


def foreign_keys(constraints: Evidence) -> Any:
    """A data frame: each foreign key, whether it is there, validated and enforced, its orphans."""
    import pandas as pd

    rows = [
        {
            "table": r["table"],
            "columns": ", ".join(r["columns"]),
            "references": f"{r['ref_table']} ({', '.join(r['ref_columns'])})",
            "there": r["exists"],
            "validated": r["validated"],
            "enforced": r["silent_triggers"] == 0,
            "orphans": r["orphans"],
            "problem": r["problem"] or "",
        }
        for r in constraints.records
        if r["kind"] == "foreign key"
    ]
    columns = ["table", "columns", "references", "there", "validated", "enforced", "orphans"]
    return pd.DataFrame(rows, columns=[*columns, "problem"])


def _declared(target: Target, default_schema: str) -> tuple[list[Record], str]:
    """The foreign keys of the ORM, and where they come from or why there are none."""
    if target.orm is None:
        return [], "none: target.orm is not set"
    try:
        emitted = emit(target)
    except NotMeasured as gap:
        return [], f"unknown: {gap}"
    keys = emitted["foreign_keys"]
    for key in keys:
        key["schema"] = key["schema"] or default_schema
        key["ref_schema"] = key["ref_schema"] or default_schema
    return keys, f"{len(keys)} of {target.orm.about}"


def _missing(
    declared: list[Record], records: list[Record], tables: dict[tuple[str, str], set[str]]
) -> list[Record]:
    """The declared keys that the database lacks, where it has the tables and columns for them."""
    there = {_points(r) for r in records if r["kind"] == "foreign key"}
    beside = {"name": "", "validated": False, "index_valid": True, "silent_triggers": 0, "rows": 0}
    found = []
    for key in declared:
        child = tables.get((key["schema"], key["table"]))
        parent = tables.get((key["ref_schema"], key["ref_table"]))
        if _points(key) in there or child is None or parent is None:
            continue  # a missing table is for DAT-SCHEMA-ORM
        if child >= set(key["columns"]) and parent >= set(key["ref_columns"]):
            found.append({"kind": "foreign key", **key, **beside, "exists": False})
    return found


def _points(key: Record) -> tuple[Any, ...]:
    pairs = frozenset(zip(key["columns"], key["ref_columns"], strict=True))
    return key["schema"], key["table"], key["ref_schema"], key["ref_table"], pairs


def _counted(session: database.Session, query: sql.Composed) -> Record:
    """How many rows break a constraint, or why they cannot be counted."""
    try:
        counted = session.rows(query)[0]["orphans"]
    except psycopg.Error as broke:
        if session.connection.closed:
            raise
        return {"orphans": None, "problem": database.why(broke)}
    return {"orphans": counted, "problem": None}


def _broken(check: Record) -> sql.Composed:
    """The rows for which a check that was never validated is false; the server wrote it itself."""
    return sql.SQL("SELECT count(*) AS orphans FROM {} WHERE NOT ({})").format(
        sql.Identifier(check["schema"], check["table"]), sql.SQL(check["expression"])
    )


def _query(key: Record) -> sql.Composed:
    """The rows that point to nothing; a NULL in the key points nowhere and breaks nothing, unless
    MATCH FULL wants all of it or none."""
    own = [sql.SQL("c.{}").format(sql.Identifier(name)) for name in key["columns"]]
    other = [sql.SQL("p.{}").format(sql.Identifier(name)) for name in key["ref_columns"]]
    same = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(b, a) for a, b in zip(own, other, strict=True)
    )
    given = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(column) for column in own)
    mixed: sql.SQL | sql.Composed = sql.SQL("")
    if key["match"] == "FULL" and len(own) > 1:
        row = sql.SQL(", ").join(own)
        mixed = sql.SQL(" OR (num_nulls({}) BETWEEN 1 AND {})").format(row, len(own) - 1)
    return sql.SQL(
        "SELECT count(*) AS orphans FROM {} c"
        " WHERE ({} AND NOT EXISTS (SELECT FROM {} p WHERE {})){}"
    ).format(
        sql.Identifier(key["schema"], key["table"]),
        given,
        sql.Identifier(key["ref_schema"], key["ref_table"]),
        same,
        mixed,
    )
