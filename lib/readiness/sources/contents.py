"""What the tables of a database hold: rows by count and checksum, and where its sequences stand.

Checksums do not hang on the order of rows: rows are hashed one by one and the hashes added up, so
that two equal rows do not cancel out. They are kept in buckets by hash, so that what differs can be
looked up row by row without reading the whole table again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal, LiteralString

import psycopg
from psycopg import errors, sql

from .database import Session, why

BUCKETS = 256
FIRST_WITH_RECORD_HASH = 140_000  # server_version_num

Mode = Literal["record", "text"]

SCHEMAS: LiteralString = """
SELECT nspname AS name FROM pg_namespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY 1
"""
TABLES: LiteralString = """
SELECT n.nspname AS schema, c.relname AS name,
       ARRAY(SELECT a.attname::text FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             ORDER BY a.attname) AS columns,
       EXISTS (SELECT FROM pg_attribute a JOIN pg_collation o ON o.oid = a.attcollation
               WHERE a.attrelid = c.oid AND NOT o.collisdeterministic) AS loosely_collated
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND c.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass
                                                   AND deptype = 'e')
ORDER BY 1, 2
"""
COUNTERS: LiteralString = """
SELECT format('sequence %I.%I', schemaname, sequencename) AS name, last_value AS value
FROM pg_sequences
UNION ALL SELECT 'large objects', count(*) FROM pg_largeobject_metadata
"""
# Without groups the server adds up in parallel. With them it must not look into the hash: it would
# expect a group for each row, and sort the whole table on disk by it (OFFSET 0 keeps it out).
AS_ONE = sql.SQL("""
SELECT 0 AS bucket, count(*) AS rows, sum({hash}) AS total FROM ONLY {table} WHERE {where}
HAVING count(*) > 0
""")
IN_BUCKETS = sql.SQL(f"""
SELECT (h & {BUCKETS - 1}) AS bucket, count(*) AS rows, sum(h) AS total
FROM (SELECT {{hash}} AS h FROM ONLY {{table}} WHERE {{where}} OFFSET 0) AS hashed GROUP BY 1
""")


@dataclass(frozen=True)
class Table:
    """A table with rows of its own, and how they are hashed: as records where every type of the
    table has a hash function (json has none), else by their text."""

    schema: str
    name: str
    columns: tuple[str, ...]
    mode: Mode

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Rows:
    """The rows of a table: in each bucket how many, and the sum of their hashes."""

    buckets: dict[int, tuple[int, int]] = field(default_factory=dict)
    problem: str | None = None  # why they could not be read

    @property
    def count(self) -> int:
        return sum(rows for rows, _ in self.buckets.values())

    @property
    def checksum(self) -> str:
        """A digest of the content: the same for the same rows in any order."""
        return f"{sum(total for _, total in self.buckets.values()) % 2**64:016x}"


def pin(database: Session) -> None:
    """Make rows read the same as text whatever the server's or the role's own settings are."""
    for name, value in (("datestyle", "ISO, YMD"), ("intervalstyle", "postgres")):
        database.rows("SELECT set_config(%s, %s, false)", (name, value))
    database.rows("SELECT set_config('bytea_output', 'hex', false)")


def schemas(database: Session) -> list[str]:
    return [row["name"] for row in database.rows(SCHEMAS)]


def tables(database: Session, *, by_text: bool = False) -> list[Table]:
    """The tables with rows of their own, partitions each for itself.

    ``by_text`` where servers of different versions are compared: a row's text means the same.
    """
    old = database.connection.info.server_version < FIRST_WITH_RECORD_HASH
    found = []
    for row in database.rows(TABLES):
        mode: Mode = "text" if by_text or old or row["loosely_collated"] else "record"
        table = Table(row["schema"], row["name"], tuple(row["columns"]), mode)
        found.append(table if _hashes(database, table) else replace(table, mode="text"))
    return found


def _hashes(database: Session, table: Table) -> bool:
    """Whether every type of the table has a hash function; tried on a row of NULLs."""
    if table.mode == "text":
        return True
    query = sql.SQL("SELECT {} FROM (SELECT) AS nothing LEFT JOIN {} ON false")
    try:
        with database.connection.transaction():
            database.rows(query.format(_hash(table), _identifier(table)))
    except errors.UndefinedFunction:
        return False
    except psycopg.Error:
        return True  # another reason, which reading the rows will name
    return True


def _identifier(table: Table) -> sql.Identifier:
    return sql.Identifier(table.schema, table.name)


def _hash(table: Table) -> sql.Composed:
    row = sql.SQL("ROW({})").format(sql.SQL(", ").join(map(sql.Identifier, table.columns)))
    if table.mode == "record":
        return sql.SQL("hash_record_extended({}, 0)").format(row)
    return sql.SQL("('x' || substr(md5({}::text), 1, 16))::bit(64)::bigint").format(row)


def rows(
    database: Session,
    table: Table,
    where: sql.Composable | None = None,
    *,
    buckets: bool = True,
) -> Rows:
    """The rows of a table, or those that a condition names; in buckets, or (in less time) in one.

    The count and the checksum are the same either way. A table that cannot be read says why; one
    that reaches the timeout raises QueryCanceled where a condition was given, as the caller may
    have a smaller one.
    """
    query = (IN_BUCKETS if buckets else AS_ONE).format(
        hash=_hash(table), table=_identifier(table), where=where or sql.SQL("true")
    )
    try:
        with database.connection.transaction():
            found = database.rows(query)
    except psycopg.Error as broke:
        if where is not None and isinstance(broke, errors.QueryCanceled):
            raise
        return Rows(problem=why(broke))
    return Rows({row["bucket"]: (row["rows"], int(row["total"])) for row in found})


def added(parts: Iterable[Rows], problem: str | None = None) -> Rows:
    """Rows that were read in parts, as one."""
    buckets: dict[int, tuple[int, int]] = {}
    for part in parts:
        problem = problem or part.problem
        for bucket, (number, total) in part.buckets.items():
            rows, sums = buckets.get(bucket, (0, 0))
            buckets[bucket] = (rows + number, sums + total)
    return Rows(buckets, problem)


def versions(database: Session, table: Table, buckets: Iterable[int]) -> dict[str, int]:
    """The hash of each row in these buckets, by its version: the place and the transaction that
    wrote it. A row that was not touched has the same version afterwards."""
    query = sql.SQL(
        "SELECT version, h FROM (SELECT ctid::text || '/' || xmin::text AS version, {} AS h "
        "FROM ONLY {}) AS hashed WHERE (h & {}) = ANY (%s::bigint[])"
    ).format(_hash(table), _identifier(table), BUCKETS - 1)
    return {row["version"]: row["h"] for row in database.rows(query, [list(buckets)])}


def counters(database: Session) -> dict[str, int | None]:
    """The last value of each sequence (None: never used), and the number of large objects."""
    return {row["name"]: row["value"] for row in database.rows(COUNTERS)}
