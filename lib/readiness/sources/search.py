"""Every column that can hold a text, searched for secrets and for people: no column is trusted.

The server sifts with one regular expression a column and sends what may be something; the proof is
made here (see ``detectors``). Nothing of a value is kept but its place, its length and its shape.
"""

from __future__ import annotations

from collections import Counter
from fnmatch import fnmatchcase
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from .. import progress
from ..target import Plaintext
from .columns import row_name
from .database import Session, why
from .envelope import Envelope
from .finds import Full, Proofs, Reader
from .pieces import over, sifting, streamed

LONGEST_VALUE = 1_000_000  # bytes; of a longer one only the places that look like something come

SEARCHED: LiteralString = """
SELECT n.nspname::text AS schema, c.relname::text AS table, c.relkind::text AS kind,
       COALESCE(rn.nspname, n.nspname)::text AS root_schema,
       COALESCE(r.relname, c.relname)::text AS root_table,
       COALESCE((SELECT array_agg(k.attname::text ORDER BY k.attnum)
                 FROM pg_index i
                 JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey::int2[])
                 JOIN pg_type kt ON kt.oid = k.atttypid
                 WHERE i.indrelid = c.oid AND i.indisprimary
                 HAVING bool_and(kt.typname IN ('int2', 'int4', 'int8', 'uuid'))), '{}') AS key,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(CASE WHEN b.typname = 'bytea' THEN 'bytes'
                      WHEN b.typcategory IN ('A', 'C') OR b.typname = 'hstore' THEN 'parts'
                      WHEN b.typcategory = 'S' AND pg_relation_size(c.reltoastrelid) = 0 THEN 'text'
                      ELSE 'made' END ORDER BY a.attnum) AS forms
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_type b ON b.oid = COALESCE(NULLIF(t.typbasetype, 0), t.oid)
LEFT JOIN pg_type e ON e.oid = b.typelem AND b.typcategory = 'A'
LEFT JOIN pg_class r ON r.oid = pg_partition_root(c.oid) AND c.relispartition
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE c.relkind IN ('r', 'm', 'f') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (b.typname IN ('json', 'jsonb', 'xml', 'tsvector', 'bytea', 'hstore')
       OR b.typcategory IN ('S', 'C')
       OR e.typcategory IN ('S', 'C') OR e.typname IN ('json', 'jsonb', 'xml', 'hstore'))
GROUP BY n.nspname, c.relname, c.relkind, c.oid, rn.nspname, r.relname
ORDER BY 1, 2
"""
# A megabyte at a time, each with the end of the one before, so that nothing is cut in two.
LARGE_OBJECTS: LiteralString = """
WITH RECURSIVE piece AS (
    SELECT oid, 0::bigint AS start, octet_length(lo_get(oid, 0, 1048576)) AS size
    FROM pg_largeobject_metadata
    UNION ALL
    SELECT oid, start + 1044480, octet_length(lo_get(oid, start + 1044480, 1048576))
    FROM piece WHERE size = 1048576)
SELECT 'oid=' || oid || ' from byte ' || start, ARRAY[text]
FROM (SELECT oid, start, encode(lo_get(oid, start, 1048576), 'escape') AS text FROM piece) p
WHERE {}
"""
AS_TEXT = {
    "text": "{}::text",  # which it is already
    "made": "{}::text",
    "bytes": "encode({}, 'escape')",
    "parts": "to_jsonb({})::text",
}


class Search:
    """The search of one database; ``records`` has a row a table, ``hits`` one a find."""

    def __init__(
        self,
        database: Session,
        sensitive: set[tuple[str, str, str]],  # schema, table, column: judged by themselves
        names: list[str],  # of the sensitive columns, which no field elsewhere should have
        formats: list[Envelope],
        declared: Plaintext,
    ) -> None:
        self.records: list[dict[str, Any]] = []
        self.hits: list[dict[str, Any]] = []
        self.left_out: list[dict[str, Any]] = []  # by declaration
        self._database = database
        self._sensitive = sensitive
        self._allowed = declared.allowed
        self._proofs = Proofs(names, formats)

    def tables(self) -> None:
        """Search every table, partition and materialised view of every schema."""
        sifting(self._database)
        rows = self._database.rows(SEARCHED)
        for number, row in enumerate(rows):
            progress.at(f"{row['schema']}.{row['table']}", number, len(rows))
            own = {(row["schema"], row["table"]), (row["root_schema"], row["root_table"])}
            columns = {
                name: form
                for name, form in zip(row["columns"], row["forms"], strict=True)
                if not any((schema, table, name) in self._sensitive for schema, table in own)
            }
            name = f"{row['schema']}.{row['table']}"
            if row["kind"] == "f":
                said = "a foreign table: its rows are in another database"
                self.records.append({"table": name, "columns": len(columns), "problem": said})
            elif columns:
                self._table(row, name, columns)

    def large_objects(self) -> None:
        """Search the large objects, whose number the catalogue tells every role."""
        number = self._database.rows("SELECT count(*) AS n FROM pg_largeobject_metadata")[0]["n"]
        if not number:
            return
        kinds, full = {"data": set(self._proofs.kinds)}, list[dict[str, Any]]()
        problem = None
        while True:
            reader = Reader(self._proofs, "large objects", kinds, full)
            query = SQL(LARGE_OBJECTS).format(self._proofs.sifted(SQL("text"), kinds["data"]))
            try:
                with streamed(self._database, query) as rows:
                    for place, texts in rows:
                        reader.look(place, ["data"], texts)
            except Full:
                continue
            except psycopg.Error as broke:
                if self._database.connection.broken:
                    raise
                problem = why(broke)
            break
        hits = [*full, *reader.kept()]
        self.hits += hits
        found = dict(Counter(hit["kind"] for hit in hits))
        record = {"table": "large objects", "columns": 1, "found": found, "empty": False}
        self.records.append(record | ({"problem": problem} if problem else {}))

    def _table(self, row: dict[str, Any], name: str, columns: dict[str, str]) -> None:
        kinds = {column: self._looked_for(name, row, column) for column in columns}
        full: list[dict[str, Any]] = []
        while True:
            reader = Reader(self._proofs, name, kinds, full)
            searched = {column: form for column, form in columns.items() if kinds[column]}

            def read(
                where: Composable,
                reader: Reader = reader,
                searched: dict[str, str] = searched,
            ) -> None:
                query = self._query(row, searched, kinds, where)
                with streamed(self._database, query) as rows:
                    for place, texts in rows:
                        reader.look(place, list(searched), texts)

            try:
                reading = over(self._database, row["schema"], row["table"], read)
                break
            except Full:
                continue
        hits = [*full, *reader.kept()]
        self.hits += hits
        found = Counter(hit["kind"] for hit in hits)
        record = {"table": name, "columns": len(columns), "found": dict(found)}
        record["empty"] = not hits and not reading.problem and self._empty(row)
        record |= {"numbers": reader.numbers} if reader.numbers else {}
        self.records.append(record | ({"problem": reading.problem} if reading.problem else {}))

    def _looked_for(self, name: str, row: dict[str, Any], column: str) -> set[str]:
        full_name = f"{name}.{column}"
        shorter = f"{row['table']}.{column}"
        root = f"{row['root_schema']}.{row['root_table']}.{column}"
        allowed = {
            kind
            for pattern, kinds in self._allowed.items()
            if any(fnmatchcase(one, pattern) for one in (full_name, shorter, root))
            for kind in kinds
        }
        if allowed:
            self.left_out.append({"column": full_name, "kinds": sorted(allowed)})
        return set(self._proofs.kinds) - allowed

    def _query(
        self,
        row: dict[str, Any],
        columns: dict[str, str],
        kinds: dict[str, set[str]],
        where: Composable,
    ) -> Composed:
        """The rows of a table in which a sieve holds something: their name, and the values.

        What is no text as it lies there is made one once and not for every mark that is looked for
        in it: as a function in FROM, as with a query for it the server would not share the work.
        """
        texts: list[Composable] = []
        tables: list[Composable] = [Identifier(row["schema"], row["table"])]
        for number, (column, form) in enumerate(columns.items()):
            text = SQL(AS_TEXT[form]).format(Identifier(column))
            if form != "text":
                name = Identifier(f"text {number} of a row")
                tables.append(
                    SQL("LATERAL concat({}) AS made_{} ({})").format(text, SQL(str(number)), name)
                )
                text = SQL("{}").format(name)
            texts.append(text)
        found = [
            self._proofs.sifted(text, kinds[column])
            for text, column in zip(texts, columns, strict=True)
        ]
        values = [
            SQL(
                "CASE WHEN NOT {found} THEN NULL WHEN octet_length({text}) <= {longest} THEN {text}"
                " ELSE (SELECT string_agg(m[1], E'\\n')"
                " FROM regexp_matches({text}, {around}, 'g') m) END"
            ).format(
                found=condition,
                text=text,
                longest=Literal(LONGEST_VALUE),
                around=Literal(self._proofs.around(kinds[column])),
            )
            for column, text, condition in zip(columns, texts, found, strict=True)
        ]
        return SQL("SELECT {}, ARRAY[{}]::text[] FROM {} WHERE {} AND ({})").format(
            row_name(row["kind"], row["key"]),
            SQL(", ").join(values),
            SQL(", ").join(tables),
            where,
            SQL(" OR ").join(found),
        )

    def _empty(self, row: dict[str, Any]) -> bool:
        query = SQL("SELECT EXISTS (SELECT FROM {}) AS there")
        try:
            found = self._database.rows(query.format(Identifier(row["schema"], row["table"])))
        except psycopg.Error:
            if self._database.connection.broken:
                raise
            return False
        return not found[0]["there"]
