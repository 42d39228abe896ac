"""Storage: page checksums, valid indexes, and how far numbers are from their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Composed, Identifier

from ..evidence import Collected, Evidence, source
from ..target import Target
from .database import Session, session, why

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]
LAST = {"int2": 2**15 - 1, "int4": 2**31 - 1, "int8": 2**63 - 1}
WRAPAROUND = 2**31  # transactions or multixacts between the oldest and the newest
MOST_AMCHECK = 2_000  # indexes

PAGES: LiteralString = """
SELECT current_setting('data_checksums') AS data_checksums,
       (SELECT COALESCE(sum(checksum_failures), 0)::bigint FROM pg_stat_database) AS failures
"""
INDEXES: LiteralString = """
SELECT i.oid::bigint AS oid, n.nspname::text AS schema, c.relname::text AS table,
       i.relname::text AS index, x.indisvalid AS valid, x.indisready AS ready,
       x.indisunique AS unique, a.amname::text AS method,
       EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.oid) AS building
FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid AND i.relkind = 'i'
JOIN pg_class c ON c.oid = x.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_am a ON a.oid = i.relam
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
ORDER BY 2, 3, 4
"""
# A sequence with the columns that it fills: by ownership, or by their default.
SEQUENCES: LiteralString = """
SELECT s.schemaname::text AS schema, s.sequencename::text AS sequence, s.last_value,
       s.min_value, s.max_value, s.increment_by, s.cycle,
       u.table, u.column, u.type
FROM pg_sequences s
JOIN pg_class c ON c.relname = s.sequencename AND c.relkind = 'S'
JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = s.schemaname
LEFT JOIN LATERAL (
    SELECT tn.nspname || '.' || t.relname AS table, a.attname::text AS column,
           y.typname::text AS type
    FROM (SELECT refobjid AS rel, refobjsubid AS att FROM pg_depend
          WHERE classid = 'pg_class'::regclass AND objid = c.oid AND refobjsubid > 0
            AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
          UNION
          SELECT d.adrelid, d.adnum FROM pg_depend p
          JOIN pg_attrdef d ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
          WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = c.oid) w
    JOIN pg_class t ON t.oid = w.rel
    JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_attribute a ON a.attrelid = w.rel AND a.attnum = w.att
    JOIN pg_type y ON y.oid = a.atttypid) u ON true
ORDER BY 1, 2, u.table, u.column
"""
# Integer columns that lead an index, so that their ends cost one look: keys, and what points to
# them. The foreign key may be of a smaller type than the key.
INTEGERS: LiteralString = """
SELECT DISTINCT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column,
       t.typname::text AS type
FROM pg_index x
JOIN pg_class c ON c.oid = x.indrelid AND c.relkind IN ('r', 'p', 'm')
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
JOIN pg_type t ON t.oid = a.atttypid AND t.typname IN ('int2', 'int4', 'int8')
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_am m ON m.oid = i.relam AND m.amname = 'btree'
WHERE x.indisvalid AND x.indpred IS NULL AND NOT c.relispartition
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relpersistence <> 't'
  AND (x.indisprimary OR x.indisunique OR EXISTS (
       SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'f'
         AND k.conkey[1] = a.attnum))
ORDER BY 1, 2, 3
"""
AGES: LiteralString = """
SELECT 'database ' || datname AS what, age(datfrozenxid)::bigint AS transactions,
       mxid_age(datminmxid)::bigint AS multixacts
FROM pg_database WHERE datallowconn ORDER BY 2 DESC
"""


@source("passive")
def kept(target: Target) -> Collected:
    """What the server knows of its storage: one record a thing looked at, of several ``kind``s.

    ``pages``: whether data checksums are on, and how many failed. ``index``: valid or not; those
    that are being built now are left out. ``sequence`` and ``key``: how much of their range is
    used, by the smallest type on the way. ``age``: of the oldest transaction, against wraparound.
    ``amcheck``: the B-tree indexes that it verified, where the extension is there and the audit's
    role may call it; else ``facts.amcheck`` says why not.
    """
    with session(target) as database:
        pages = database.rows(PAGES)[0]
        indexes = database.rows(INDEXES)
        records: list[Record] = [{"kind": "pages", "what": "the cluster", **pages}]
        records += [
            {"kind": "index", "what": f"{i['schema']}.{i['index']}", "table": i["table"],
             "valid": i["valid"] and i["ready"], "unique": i["unique"]}
            for i in indexes if not i["building"]
        ]  # fmt: skip
        records += [_sequence(row) for row in database.rows(SEQUENCES)]
        records += _keys(database)
        records += [{"kind": "age", **row} for row in database.rows(AGES)]
        checked, said = _amcheck(database, indexes)
        version = database.facts["server_version"]
    return Collected([*records, *checked], {"amcheck": said}, {"PostgreSQL": version})


def _sequence(row: Record) -> Record:
    """How much of a sequence's range is used, as far as the column that it fills can hold."""
    up = row["increment_by"] > 0
    end = row["max_value"] if up else row["min_value"]
    if row["type"] in LAST:
        end = min(end, LAST[row["type"]]) if up else max(end, -LAST[row["type"]] - 1)
    start = row["min_value"] if up else row["max_value"]
    last = row["last_value"]
    used = 0.0 if last is None or end == start else (last - start) / (end - start)
    fills = f"{row['table']}.{row['column']}" if row["table"] else None
    return {
        "kind": "sequence",
        "what": f"{row['schema']}.{row['sequence']}",
        "fills": fills,
        "type": row["type"],
        "last": last,
        "end": end,
        "cycles": row["cycle"],
        "used": round(max(0.0, used), 4),
    }


def _keys(database: Session) -> list[Record]:
    """How much of its type each integer key has used, by its greatest value (one index look)."""
    found = []
    for row in database.rows(INTEGERS):
        what = f"{row['schema']}.{row['table']}.{row['column']}"
        record: Record = {"kind": "key", "what": what, "type": row["type"]}
        try:
            greatest = database.rows(_greatest(row))[0]["greatest"]
        except psycopg.Error as broke:
            if database.connection.broken:
                raise
            found.append(record | {"problem": why(broke)})
            continue
        end = LAST[row["type"]]
        used = 0.0 if greatest is None else max(0.0, greatest / end)
        found.append(record | {"last": greatest, "end": end, "used": round(used, 4)})
    return found


def _greatest(row: Record) -> Composed:
    return SQL("SELECT max({}) AS greatest FROM {}").format(
        Identifier(row["column"]), Identifier(row["schema"], row["table"])
    )


def _amcheck(database: Session, indexes: list[Record]) -> tuple[list[Record], str]:
    """B-tree indexes that amcheck looked through, and why none or not all."""
    where = database.rows(
        "SELECT n.nspname::text AS schema FROM pg_extension e"
        " JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'amcheck'"
    )
    if not where:
        return [], "not installed: no index was verified (CREATE EXTENSION amcheck)"
    found: list[Record] = []
    checked = [i for i in indexes if i["method"] == "btree" and i["valid"]]
    call = SQL("SELECT {}(%s::regclass)").format(Identifier(where[0]["schema"], "bt_index_check"))
    for index in checked[:MOST_AMCHECK]:
        name = f"{index['schema']}.{index['index']}"
        try:
            database.rows(call, (index["oid"],))
            found.append({"kind": "amcheck", "what": name, "sound": True})
        except errors.InsufficientPrivilege:
            return [], "installed, but the audit's role may not call bt_index_check: GRANT EXECUTE"
        except (errors.IndexCorrupted, errors.DataCorrupted) as broke:
            said = str(broke.diag.message_primary)[:200]
            found.append({"kind": "amcheck", "what": name, "sound": False, "said": said})
        except psycopg.Error as broke:
            if database.connection.broken:
                raise
            found.append({"kind": "amcheck", "what": name, "problem": why(broke)})
    return found, f"{len(found)} of {len(checked)} B-tree indexes verified"


def fullest(evidence: Evidence) -> pd.DataFrame:
    """Keys and sequences by how much of their range is used, the fullest first."""
    import pandas as pd

    rows = [r for r in evidence.records if r["kind"] in ("key", "sequence")]
    columns = ["kind", "what", "type", "last", "end", "used", "fills", "problem"]
    table = pd.DataFrame(rows, columns=columns).sort_values("used", ascending=False)
    table["used"] = [f"{100 * used:.1f} %" if used == used else "" for used in table["used"]]
    return table.astype(object).where(table.notna(), "")


def summary(evidence: Evidence) -> pd.DataFrame:
    """A row for each kind of thing: how many were looked at, and the worst of them in words."""
    import pandas as pd

    by_kind: dict[str, list[Record]] = {}
    for record in evidence.records:
        by_kind.setdefault(record["kind"], []).append(record)
    rows = []
    for kind, records in by_kind.items():
        said = ""
        if kind == "pages":
            said = f"data checksums {records[0]['data_checksums']}"
        elif kind == "index":
            said = f"{sum(not r['valid'] for r in records)} not valid"
        elif kind == "age":
            worst = max(max(r["transactions"], r["multixacts"]) for r in records)
            said = f"{100 * worst / WRAPAROUND:.1f} % of the way to wraparound"
        elif kind == "amcheck":
            said = str(evidence.facts["amcheck"])
        else:
            said = f"at most {100 * max(r.get('used', 0) for r in records):.1f} % used"
        rows.append((kind, len(records), said))
    if evidence.facts and "amcheck" not in by_kind:
        rows.append(("amcheck", 0, str(evidence.facts["amcheck"])))
    return pd.DataFrame(rows, columns=["kind", "number", "what it comes to"])
