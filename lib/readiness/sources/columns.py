"""The columns that the parameters call sensitive, found in the live catalogue, table by table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import LiteralString

from psycopg.sql import SQL, Composable, Identifier, Literal

from ..target import Encryption
from .database import Session

# A row is named by its primary key where that says nothing about anybody, else by its place.
KEY = """
COALESCE((SELECT array_agg(k.attname::text ORDER BY k.attnum)
          FROM pg_index i
          JOIN pg_attribute k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey::int2[])
          JOIN pg_type kt ON kt.oid = k.atttypid
          WHERE i.indrelid = c.oid AND i.indisprimary
          HAVING bool_and(kt.typname IN ('int2', 'int4', 'int8', 'uuid'))), '{}') AS key
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
"""
DECLARED: LiteralString = f"""
SELECT n.nspname::text AS schema, c.relname::text AS table, a.attname::text AS column,
       t.typname::text AS type, c.relkind::text AS kind,
       greatest(c.reltuples, 0)::bigint AS estimate, {KEY}
WHERE c.relkind IN ('r', 'p', 'm', 'v', 'f')
  AND c.relname::text = ANY (%s::text[]) AND a.attname::text = ANY (%s::text[])
"""


@dataclass
class Table:
    """A table with the declared columns that it has."""

    schema: str
    name: str
    kind: str  # pg_class.relkind
    key: list[str]
    columns: list[tuple[str, str]] = field(default_factory=list)  # name, type
    estimate: int = 0  # of its rows, by the server's statistics

    @property
    def qualified(self) -> Composable:
        return Identifier(self.schema, self.name)

    def full_name(self, column: str) -> str:
        return f"{self.schema}.{self.name}.{column}"

    def texts(self) -> list[Composable]:
        """The columns as text that the server can look at; bytes that are no ASCII are escaped."""
        return [as_text(name, type) for name, type in self.columns]

    def row_name(self) -> Composable:
        """An expression that names a row, e.g. ``id=7`` or ``ctid=(0,1)``."""
        return row_name(self.kind, self.key)

    def row_key(self) -> Composable:
        """What ``named`` makes such a name of: the key as it is, where naming every row by the
        server would cost as much as reading it."""
        return Identifier(self.key[0]) if len(self.key) == 1 else self.row_name()

    def named(self, key: object) -> str:
        return f"{self.key[0]}={key}" if len(self.key) == 1 else str(key)

    def values(self) -> list[Composable]:
        """The columns as bytes, in their order."""
        plain, text = SQL("{}"), SQL("convert_to({}::text, 'UTF8')")
        return [
            (plain if type == "bytea" else text).format(Identifier(name))
            for name, type in self.columns
        ]


def as_text(column: str, type: str) -> Composable:
    """A column as text; bytes that are no text of their own are escaped."""
    form = "encode({}, 'escape')" if type == "bytea" else "{}::text"
    return SQL(form).format(Identifier(column))


def row_name(kind: str, key: list[str]) -> Composable:
    """An expression that names a row of a table of this kind with this harmless primary key."""
    if key:
        parts = [
            SQL("{} || {}::text").format(Literal(f"{name}="), Identifier(name)) for name in key
        ]
        return SQL(" || ',' || ").join(parts)
    if kind == "p":
        return SQL("tableoid::regclass::text || ' ctid=' || ctid::text")
    # A view or a foreign table has no place to name.
    return SQL("'ctid=' || ctid::text") if kind in ("r", "m") else SQL("'?'")


def declared(
    database: Session, encryption: Encryption, schemas: list[str]
) -> tuple[list[Table], list[str]]:
    """The tables that hold the declared columns, and the columns that are not there.

    A column without a schema is looked for in ``schemas``, in that order.
    """
    asked = [name.split(".") for name in encryption.columns]
    tables, columns = [n[-2] for n in asked], [n[-1] for n in asked]
    found = {
        (row["schema"], row["table"], row["column"]): row
        for row in database.rows(DECLARED, (tables, columns))
    }
    known: dict[tuple[str, str], Table] = {}
    missing = []
    for name, parts in zip(encryption.columns, asked, strict=True):
        places = schemas if len(parts) == 2 else [parts[0]]
        here = [found[place] for s in places if (place := (s, parts[-2], parts[-1])) in found]
        if not here:
            missing.append(name)
            continue
        row = here[0]
        table = known.setdefault(
            (row["schema"], row["table"]),
            Table(row["schema"], row["table"], row["kind"], row["key"], [], row["estimate"]),
        )
        if (row["column"], row["type"]) not in table.columns:
            table.columns.append((row["column"], row["type"]))
    return list(known.values()), missing
