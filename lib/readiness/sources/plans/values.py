"""Values for the placeholders of a query that is remembered without them.

A placeholder that is compared with a column gets that column's most common value, or the middle of
its histogram, from the planner's statistics; one after LIMIT or OFFSET a usual number. Where one is
left, the query gets a generic plan, which needs no values.
"""

from __future__ import annotations

import re
from typing import Any

from psycopg import sql

from ..database import Session

PLACEHOLDER = re.compile(r"\$(\d+)")
COMPARED = re.compile(
    r'(?:"?(?P<table>[\w\u0080-\uffff$]+)"?\.)?"?(?P<column>[\w\u0080-\uffff$]+)"?\s*'
    r"(?:=|<>|!=|>=|<=|>|<|~~\*?|I?LIKE|=\s*ANY\s*\(|IN\s*\()\s*\(?\$(?P<number>\d+)",
    re.I,
)
COUNTS = {"LIMIT": "20", "OFFSET": "0"}

COMMON = """
SELECT a.attname::text AS column, c.relname::text AS table, format_type(a.atttypid, NULL) AS type,
       (s.most_common_vals::text::text[])[1] AS common,
       (s.histogram_bounds::text::text[])[
           (array_length(s.histogram_bounds::text::text[], 1) + 1) / 2] AS middle
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stats s
    ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
WHERE n.nspname = ANY (%s::text[]) AND a.attname = ANY (%s::text[]) AND a.attnum > 0
  AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm')
"""


def likely(session: Session, query: str, schemas: list[str]) -> list[str | None]:
    """A likely value (as text) for each placeholder of ``query``, None where none is known."""
    count = max((int(n) for n in PLACEHOLDER.findall(query)), default=0)
    values: list[str | None] = [None] * count
    compared = list(COMPARED.finditer(query))
    columns = sorted({match["column"].lower() for match in compared})
    known = session.rows(COMMON, (schemas, columns)) if columns else []
    named = {word.lower() for word in re.findall(r"[\w\u0080-\uffff$]+", query)}
    for match in compared:
        rows = [
            row
            for row in known
            if row["column"].lower() == match["column"].lower() and row["table"].lower() in named
        ]
        if rows and (value := rows[0]["common"] or rows[0]["middle"]) is not None:
            values[int(match["number"]) - 1] = value
    for keyword, value in COUNTS.items():
        for number in re.findall(rf"\b{keyword}\s+\(?\$(\d+)", query, re.I):
            values[int(number) - 1] = value
    return values


def call(name: str, values: list[Any]) -> sql.Composed:
    """``EXECUTE name(values)``; a None among them is NULL."""
    if not values:
        return sql.SQL("EXECUTE {}").format(sql.Identifier(name))
    given = sql.SQL(", ").join(sql.Literal(value) for value in values)
    return sql.SQL("EXECUTE {}({})").format(sql.Identifier(name), given)
