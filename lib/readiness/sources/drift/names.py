"""Names as PostgreSQL's parser wants them, and as a reader does."""

from __future__ import annotations

import re
from typing import NamedTuple

PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_RESERVED = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check
    collate collation column concurrently constraint create cross current_catalog current_date
    current_role current_schema current_time current_timestamp current_user default deferrable
    desc distinct do else end except false fetch for foreign freeze from full grant group having
    ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps
    placing primary references returning right select session_user similar some symmetric
    system_user table tablesample then to trailing true union unique user using variadic verbose
    when where window with between bigint bit boolean char character coalesce dec decimal exists
    extract float greatest grouping inout int integer interval json_array json_object least
    national nchar none normalize nullif numeric out overlay position precision real row setof
    smallint substring time timestamp treat trim values varchar xmlattributes xmlconcat
"""
RESERVED = frozenset(_RESERVED.split())


def ident(name: str) -> str:
    """``name`` as an SQL identifier, quoted only where it must be."""
    if PLAIN.fullmatch(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as an SQL string."""
    quoted = text.replace("'", "''")
    return f" E'{quoted}'".replace("\\", "\\\\").strip() if "\\" in text else f"'{quoted}'"


class Name(NamedTuple):
    """An object's place: its schema and its name in it."""

    schema: str
    name: str

    @property
    def sql(self) -> str:
        return f"{ident(self.schema)}.{ident(self.name)}"

    @property
    def shown(self) -> str:
        """For a reader: the schema public goes without saying."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"
