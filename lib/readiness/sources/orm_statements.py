"""The ORM's own statements, tried on a copy of the live tables: what a breaking difference does.

Every table that differs is made again, empty, in a scratch database as the live catalogue has it
(without foreign keys). There the SELECT and the INSERT that the ORM issues are tried, each in a
transaction that is rolled back, with parameters of the ORM's types at the edge of what they take.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import psycopg

from .. import scratch
from .drift import BREAKING, compare
from .drift.columns import source_of_value
from .drift.merge import Side
from .drift.names import Name, ident
from .drift.others import created as type_created
from .drift.relations import Relation, created
from .drift.types import Type

Record = dict[str, Any]
MOST_TABLES = 200
TYPES = ("schema", "extension", "enum", "type", "domain", "sequence")
# A value of a type that is at the edge of what it takes; {n} is its length.
EDGE = {
    "text": "repeat('x', 20000)",
    "character varying": "repeat('x', {n})",
    "character": "repeat('x', {n})",
    "smallint": "32767",
    "integer": "2147483647",
    "bigint": "9223372036854775807",
    "real": "1.25",
    "double precision": "1.2345678901234567",
    "boolean": "true",
    "uuid": "'00000000-0000-4000-8000-00000000abcd'",
    "date": "'2026-02-16'",
    "timestamp with time zone": "'2026-02-16 12:34:56.123456+00'",
    "timestamp without time zone": "'2026-02-16 12:34:56.123456'",
    "time without time zone": "'12:34:56.123456'",
    "interval": "'1 day 00:00:00.123456'",
    "json": "'{{\"a\": [1]}}'",
    "jsonb": "'{{\"a\": [1]}}'",
    "bytea": r"'\x00ff'",
    "inet": "'10.0.0.1'",
}


def tried(live: Sequence[Record], wanted: Sequence[Record]) -> list[Record]:
    """One row for each breaking difference that a statement could show: schema, table, object,
    statement, and the answer of the server."""
    here, there = Side(live), Side(wanted)
    broken: dict[str, set[str]] = {}
    for one in compare(live, wanted):
        if one["class"] == BREAKING and one["table"]:
            broken.setdefault(one["table"], set()).add(one["object"])
    rows: list[Record] = []
    if not broken:
        return rows
    with scratch.database() as url, psycopg.connect(url, autocommit=True) as connection:
        _make_types(connection, here)
        for place, relation in there.tables.items():
            if place.shown not in broken or not relation.is_table or len(rows) > MOST_TABLES:
                continue
            copy = here.tables.get(place)
            if copy and not _made(connection, copy):
                continue  # of a type that the scratch server lacks
            for name in sorted(broken[place.shown]):
                if row := _shown(connection, here, there, relation, copy, name):
                    rows.append({"table": place.shown, "object": name, **row})
    return rows


def _make_types(connection: psycopg.Connection[Any], here: Side) -> None:
    for kind in TYPES:
        for place, record in here.others.get(kind, {}).items():
            with suppress(psycopg.Error):  # then its tables cannot be made, and are left out
                connection.execute(type_created(kind, place, record).encode())


def _made(connection: psycopg.Connection[Any], live: Relation) -> bool:
    bare = Relation(live.place, {**live.record, "row_security": False}, dict(live.columns))
    bare.constraints = [one for one in live.constraints if one["kind"] == "index"]
    try:
        with connection.transaction():
            connection.execute(created(bare).encode())
    except psycopg.Error:
        return False
    return True


def _shown(
    connection: psycopg.Connection[Any],
    here: Side,
    there: Side,
    wanted: Relation,
    live: Relation | None,
    name: str,
) -> Record | None:
    """The first of the ORM's statements that shows the difference in ``name``, with the table's
    other differences kept out of it."""
    table, column = wanted.place.sql, ident(name)
    asked, found = wanted.columns.get(name), live.columns.get(name) if live else None
    every = ", ".join(map(ident, wanted.columns))
    statements = []
    if live is None or (asked and not found):
        statements.append(f"SELECT {every} FROM {table}")
    if asked and found and asked["type"] != found["type"]:
        edge = _value(asked, there, edge=True)
        if asked["type"] in ("json", "jsonb"):
            statements.append(f"SELECT {column} -> 'a' FROM {table}")
        elif edge:
            statements.append(f"SELECT {column} FROM {table} WHERE {column} = {edge}")
    if live and (insert := _insert(here, there, wanted, live, name)):
        upsert = next((one for one in wanted.constraints if one["name"] == name), {}).get("upsert")
        if upsert:
            keys = next(one for one in wanted.constraints if one["name"] == name)["definition"]
            insert += f" ON CONFLICT {keys.removeprefix('btree ')} DO NOTHING"
        elif asked and found and (edge := _value(asked, there, edge=True)):
            insert += f" RETURNING {column}::text, {edge}::text"
        statements.append(insert)
    for statement in statements:
        if answer := _answer(connection, statement):
            return {"statement": statement, "answer": answer}
    return None


def _insert(here: Side, there: Side, wanted: Relation, live: Relation, name: str) -> str | None:
    """The ORM's INSERT, with the value of one column at its edge and the others as they fit."""
    values: dict[str, str] = {}
    for column, found in live.columns.items():
        asked = wanted.columns.get(column)
        if source_of_value(found) == "generated" and column != name:
            continue
        if asked is None and (column == name or not found["not_null"]):
            continue  # the ORM does not know it
        if asked and asked.get("omitted"):
            if column != name and found["not_null"] and source_of_value(found) == "nothing":
                return None  # another difference, which would answer first
            continue
        value = _value(found, here, edge=False)
        if column == name and asked:
            value = _value(asked, there, edge=True)
            if found["not_null"] and not asked["not_null"] and not asked.get("client_default"):
                value = "NULL"  # what the ORM sends where the application sets nothing
        if value is None:
            return None
        values[column] = value
    if not values:
        return f"INSERT INTO {wanted.place.sql} DEFAULT VALUES"
    names = ", ".join(map(ident, values))
    return f"INSERT INTO {wanted.place.sql} ({names}) VALUES ({', '.join(values.values())})"


def _value(column: Record, side: Side, edge: bool) -> str | None:
    """A parameter of the column's type, as a typed expression."""
    kind = Type.parse(column["base_type"] or column["type"])
    bare = column["type"].removesuffix("[]")
    if column["enum"]:
        schema, _, name = bare.rpartition(".")
        enum = side.others.get("enum", {}).get(Name(schema.strip('"') or "public", name.strip('"')))
        literal = "'" + enum["labels"][-1].replace("'", "''") + "'" if enum else None
    elif kind.name == "numeric":
        precision, scale = (*kind.sizes, 0)[:2] if kind.sizes else (20, 10)
        digits = "9" * (precision - scale) or "0"
        literal = f"{digits}.{'9' * scale}" if scale else digits
    else:
        length = kind.sizes[0] if kind.sizes else 1000
        literal = EDGE.get(kind.name)
        literal = literal.format(n=length) if literal else None
        if literal and not edge and literal.startswith("repeat"):
            literal = "'x'"
    if literal is None:
        return None
    if kind.dimensions:
        literal = f"ARRAY[{literal}]"
    return f"CAST({literal} AS {column['type']})"


def _answer(connection: psycopg.Connection[Any], statement: str) -> str | None:
    """The server's error, or what it gives back instead of what was sent; None when all is well."""
    try:
        with connection.transaction(force_rollback=True):
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if " RETURNING " in statement else None
    except psycopg.Error as broke:
        said = broke.diag.message_primary or str(broke)
        return f"{broke.sqlstate}: {said}"
    if row and row[0] != row[1]:
        return f"{str(row[1])[:60]} was sent, {str(row[0])[:60]} is stored"
    return None
