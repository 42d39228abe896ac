"""Runs in the target's own Python: its SQLAlchemy models as DDL, plus what DDL cannot say.

    python -c <this file> '{"path": [], "imports": [], "metadata": "app.models:Base", "answer": F}'

The answer is JSON in the file F, so that the application may print what it likes. This file knows
nothing of readiness, needs no database driver, and runs on Python 3.7 and SQLAlchemy 1.4 or newer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def resolve(name: str) -> Any:
    """``module:attribute.attribute`` as an object; says which of both does not exist."""
    module, _, attributes = name.partition(":")
    found = importlib.import_module(module)
    for attribute in attributes.split("."):
        found = getattr(found, attribute)
    return found


def metadata_of(found: Any) -> Any:
    """The MetaData of a declarative base, a registry, a Flask-SQLAlchemy object, or itself."""
    from sqlalchemy import MetaData

    if isinstance(found, MetaData):
        return found
    inner = getattr(found, "metadata", None)
    if isinstance(inner, MetaData):
        return inner
    raise TypeError(
        f"it is a {type(found).__name__}, neither MetaData nor holding one as .metadata"
    )


def statements(metadata: Any) -> list[str]:
    """What ``metadata.create_all`` would send to an empty PostgreSQL."""
    from sqlalchemy.dialects.postgresql.base import PGDialect
    from sqlalchemy.engine.mock import MockConnection

    dialect: Any = PGDialect
    dialect = dialect(paramstyle="named")  # the base dialect: it needs no driver
    sent: list[str] = []

    def execute(statement: Any, *_: Any, **__: Any) -> None:
        compiled = statement if isinstance(statement, str) else statement.compile(dialect=dialect)
        sent.append(str(compiled).strip())

    metadata.create_all(MockConnection(dialect, execute), checkfirst=False)
    return sent


def columns(metadata: Any, filled: set[Any]) -> list[dict[str, Any]]:
    """For each column, what an INSERT of the ORM will do about it."""
    from sqlalchemy import Sequence

    rows = []
    for table in metadata.tables.values():
        counts_up = table._autoincrement_column  # the same name from 1.4 to 2.1
        for column in table.columns:
            optional = isinstance(column.default, Sequence) and column.default.optional
            own = column.default is not None and not optional
            rows.append(
                {
                    "schema": table.schema,
                    "table": table.name,
                    "column": column.name,
                    "nullable": bool(column.nullable),
                    "client_default": own or column in filled,
                    "server_default": column.server_default is not None,
                    "autoincrement": column is counts_up,
                }
            )
    return rows


def filled_by_mappers(found: Any) -> set[Any]:
    """Columns that mappers fill by themselves: discriminators and version counters."""
    registry = getattr(found, "registry", found)
    filled: set[Any] = set()
    for mapper in getattr(registry, "mappers", ()):
        for column in (mapper.polymorphic_on, mapper.version_id_col):
            if column is not None and getattr(column, "table", None) is not None:
                filled.add(column)
    return filled


def foreign_keys(metadata: Any) -> list[dict[str, Any]]:
    """The foreign keys as the models declare them."""
    rows = []
    for table in metadata.tables.values():
        for key in table.foreign_key_constraints:
            parent = key.referred_table
            rows.append(
                {
                    "schema": table.schema,
                    "table": table.name,
                    "columns": [element.parent.name for element in key.elements],
                    "ref_schema": parent.schema,
                    "ref_table": parent.name,
                    "ref_columns": [element.column.name for element in key.elements],
                    "match": (key.match or "SIMPLE").upper(),
                }
            )
    return rows


def main(job: dict[str, Any]) -> dict[str, Any]:
    sys.path[:0] = job["path"]
    for module in job["imports"]:
        importlib.import_module(module)
    found = resolve(job["metadata"])
    metadata = metadata_of(found)
    import sqlalchemy

    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "tools": {"SQLAlchemy": sqlalchemy.__version__, "Python of the target": python},
        "schemas": sorted({t.schema for t in metadata.tables.values() if t.schema}),
        "tables": len(metadata.tables),
        "statements": statements(metadata),
        "columns": columns(metadata, filled_by_mappers(found)),
        "foreign_keys": foreign_keys(metadata),
    }


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    sys.argv[1:] = []  # an application that reads its arguments sees none
    try:
        answer = main(job)
    except BaseException as broke:  # SystemExit too: some modules end the process when imported
        said = " ".join(str(broke).split())
        answer = {"error": type(broke).__name__, "message": said[:1000]}
    Path(job["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    os._exit(0)  # not waiting for threads that the application started
