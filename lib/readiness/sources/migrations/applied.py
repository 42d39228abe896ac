"""What the live database says was applied: the tracking table of the migration tool."""

from __future__ import annotations

import re
from typing import Any, LiteralString

from psycopg import sql

from ...target import Target
from .. import database

TABLES = {"alembic": "alembic_version", "django": "django_migrations"}
FIND: LiteralString = """
SELECT n.nspname AS schema, array_agg(a.attname::text ORDER BY a.attnum) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'v')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY c.oid, n.nspname ORDER BY (n.nspname = ANY (%s::text[])) DESC, n.nspname LIMIT 1
"""
# How a table calls what it keeps, the most telling name first.
KEPT_AS = ("version_num", "version", "migration", "name", "filename", "migration_name", "id")
FAILED_MARK = ("success", "applied")


def applied(target: Target, table: str) -> list[str] | None:
    """The revisions that ``table`` of the live database lists; None when there is no such table."""
    schemas = target.database.schemas if target.database else []
    with database.session(target) as session:
        found = session.rows(FIND, (table, schemas))
        if not found:
            return None
        place = sql.Identifier(found[0]["schema"], table)
        columns: list[str] = found[0]["columns"]
        if table == TABLES["django"]:
            rows = session.rows(sql.SQL("SELECT app, name FROM {}").format(place))
            return [f"{row['app']}.{row['name']}" for row in rows]
        column = next((name for name in KEPT_AS if name in columns), columns[0])
        query = sql.SQL("SELECT {}::text AS revision FROM {}").format(sql.Identifier(column), place)
        if marks := [name for name in FAILED_MARK if name in columns]:
            query += sql.SQL(" WHERE {}::text NOT IN ('f', 'false', '0')").format(
                sql.Identifier(marks[0])
            )
        rows = session.rows(query)
    return [str(row["revision"]) for row in rows if row["revision"] is not None]


def number_of(revision: str) -> Any:
    """What two ways to write one numbered migration have in common: 3, 003, 003_add_users.sql."""
    found = re.match(r"^[vV]?(\d+)", revision)
    return int(found[1]) if found else revision
