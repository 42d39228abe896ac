"""What the server writes of keys, indexes and constraints, taken apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .drift.names import ident

Record = dict[str, Any]
NAME = r'(?:"(?:[^"]|"")*"|[^\s",()]+)'
NAMES = rf"\((?:PERIOD )?{NAME}(?:, (?:PERIOD )?{NAME})*(?: WITHOUT OVERLAPS)?\)"
KEY = re.compile(
    rf"(?:PRIMARY KEY|UNIQUE)(?P<nulls> NULLS NOT DISTINCT)? (?P<columns>{NAMES})"
    rf"(?P<more> INCLUDE {NAMES})?"
)
REFERENCE = re.compile(
    rf"FOREIGN KEY (?P<columns>{NAMES}) REFERENCES (?:{NAME}\.)?{NAME}(?P<others>{NAMES})"
    rf".*?(?:ON DELETE SET (?:NULL|DEFAULT) (?P<set>{NAMES}).*)?$",
    re.DOTALL,
)


def index(row: Record, numbers: Mapping[tuple[str, str, int], str]) -> Record:
    """An index with its definition, which the server wrote only where it is not a plain one.

    ``numbers``: the columns' names by schema, table and number.
    """
    keys = row.pop("keys")
    if row["constraint"]:
        found = KEY.match(row["constraint_definition"])
        assert found, row["constraint_definition"]
        row["definition"] = "btree {columns}{more}{nulls}".format(
            **{name: text or "" for name, text in found.groupdict().items()}
        )
    elif row["definition"] is None:
        columns = (numbers[row["schema"], row["table"], int(key)] for key in keys.split())
        row["definition"] = f"btree ({', '.join(map(ident, columns))})"
    return {"kind": "index", **row}


def constraint(row: Record) -> Record:
    """A foreign key, check or exclusion; a foreign key with the names of its columns."""
    text, _, _ = row["definition"].partition(" NOT ENFORCED")
    row["enforced"] = text == row["definition"]
    row["definition"] = text.removesuffix(" NOT VALID")
    row["columns"], row["ref_columns"] = [], []
    if row["kind"] == "foreign key":
        found = REFERENCE.match(row["definition"])
        assert found, row["definition"]
        row["columns"], row["ref_columns"] = _names(found["columns"]), _names(found["others"])
        if found["set"]:  # PostgreSQL 15 can name the columns that are set: SET NULL (a)
            row["on_delete"] += f" {found['set']}"
    return row


def _names(listed: str) -> list[str]:
    return [
        name[1:-1].replace('""', '"') if name.startswith('"') else name
        for name in re.findall(NAME, listed[1:-1])
        if name not in ("PERIOD", "WITHOUT", "OVERLAPS")
    ]
