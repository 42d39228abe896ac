"""Schemas as PostgreSQL's own catalogue tells them: of the live database, of the ORM, of init.sql.

All sides become catalogues, read by the same queries, and are compared there (``readiness.drift``):
PostgreSQL has then parsed, named and normalised everything itself, on every side.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import errors, sql
from psycopg.rows import dict_row

from .. import scratch
from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import Target, need
from . import catalogue_queries as ask
from . import ciphertext_room, database, orm_statements, upserts
from .catalogue_text import constraint, index
from .init_sql import extension_missing, loaded, read_script
from .models import emit

Record = dict[str, Any]
RELKINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
}
OTHERS: dict[str, LiteralString] = {
    "schema": ask.IN_USE,
    "enum": ask.ENUMS,
    "domain": ask.DOMAINS,
    "type": ask.TYPES,
    "sequence": ask.SEQUENCES,
    "trigger": ask.TRIGGERS,
    "rule": ask.RULES,
    "policy": ask.POLICIES,
    "function": ask.FUNCTIONS,
    "extension": ask.EXTENSIONS,
    "comment": ask.COMMENTS,
}
# What a model may use without saying where it comes from -> the extension that brings it.
BROUGHT_BY = {
    "citext": "citext",
    "hstore": "hstore",
    "ltree": "ltree",
    "cube": "cube",
    "geometry": "postgis",
    "geography": "postgis",
    "vector": "vector",
    "uuid_generate_v1": "uuid-ossp",
    "uuid_generate_v4": "uuid-ossp",
    "gen_random_bytes": "pgcrypto",
    "digest": "pgcrypto",
    "crypt": "pgcrypto",
    "gin_trgm_ops": "pg_trgm",
    "gist_trgm_ops": "pg_trgm",
    "unaccent": "unaccent",
    "gist": "btree_gist",
}
AT_ONCE = 500  # statements sent together: each table of a transaction holds locks


def read(
    connection: psycopg.Connection[Any], schemas: Sequence[str], bodies: bool = True
) -> list[Record]:
    """The catalogue of ``schemas``: one record for each table, column, index, constraint, ...

    ``bodies``: with the text of functions, which may hold what is secret in a live database.
    """
    asked = {"schemas": list(schemas), "bodies": bodies}
    records: list[Record] = []
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(ask.SETTINGS)

        def rows(query: LiteralString) -> list[Record]:
            return cursor.execute(query, asked).fetchall()

        records += [
            {"kind": "table", **row, "relkind": RELKINDS[row["relkind"]]}
            for row in rows(ask.TABLES)
        ]
        columns = rows(ask.COLUMNS)
        numbers = {(row["schema"], row["table"], row.pop("number")): row["name"] for row in columns}
        records += [{"kind": "column", **row} for row in columns]
        records += [index(row, numbers) for row in rows(ask.INDEXES)]
        records += [constraint(row) for row in rows(ask.CONSTRAINTS)]
        for kind, query in OTHERS.items():
            records += [{"kind": kind, **row} for row in rows(query)]
    return records


@source("passive")
def live(target: Target) -> Collected:
    """The catalogue of the live database, in ``target.database.schemas``."""
    parameters = need(target.database, "target.database")
    with database.session(target) as session:
        records = without_ignored(
            read(session.connection, parameters.schemas, bodies=False), parameters.ignore_tables
        )
        facts = {"access": session.facts, **_counted(records, parameters.schemas)}
    ciphertext_room.mark(records, target.encryption)
    facts["ignored_tables"] = parameters.ignore_tables
    return Collected(records, facts, {"PostgreSQL": session.facts["server_version"]})


@source("passive")
def orm(target: Target) -> Collected:
    """The catalogue that the ORM's own DDL makes in a scratch database.

    Column records also say what an INSERT of the ORM does: ``client_default`` (it fills the
    column itself), ``omitted`` (it leaves the column to the database).
    """
    emitted = emit(target)
    schemas, ignored = _where(target)
    _covered(emitted["schemas"], schemas, "the ORM")
    with (
        scratch.database() as url,
        psycopg.connect(url, autocommit=True, options="-c statement_timeout=120s") as connection,
    ):
        extensions = _load_ddl(connection, emitted["statements"], schemas)
        records = without_ignored(read(connection, schemas), ignored)
    inserts = {(c["schema"] or schemas[0], c["table"], c["column"]): c for c in emitted["columns"]}
    for record in records:
        if record["kind"] == "column" and (
            said := inserts.get((record["schema"], record["table"], record["name"]))
        ):
            record["client_default"] = said["client_default"]
            record["omitted"] = said["server_default"] or said["autoincrement"]
    upserts.mark(records, upserts.found_in(_own_code(target)))
    facts = {"extensions_assumed": extensions, **_counted(records, schemas)}
    facts["models"] = target.orm.about if target.orm else None
    facts["tried"] = _tried(target, records)
    tools = {"PostgreSQL": str(scratch.server().installation), **emitted["tools"]}
    return Collected(records, facts, tools)


def _own_code(target: Target) -> list[Path]:
    """The folders of the application's own code, as the parameters put them on its path."""
    folders = [Path(part.value()) for part in target.orm.path] if target.orm else []
    return [folder for folder in folders if folder.is_dir()]


def _tried(target: Target, wanted: list[Record]) -> list[Record]:
    """What the ORM's statements meet on a copy of the live tables; nothing where none is reached,
    which ``live`` tells."""
    parameters = target.database
    if parameters is None:
        return []
    try:
        with database.session(target) as session:
            found = read(session.connection, parameters.schemas, bodies=False)
    except NotMeasured:
        return []
    return orm_statements.tried(without_ignored(found, parameters.ignore_tables), wanted)


@source("passive")
def init_sql(target: Target) -> Collected:
    """The catalogue that ``init.sql`` makes in a scratch database.

    Statements about owners and privileges are left out: they need roles that a scratch server does
    not have, and change nothing that is compared.
    """
    schemas, ignored = _where(target)
    script = read_script(target)
    with loaded(script, target, without_privileges=True) as (url, outcomes):
        if failed := next((o for o in outcomes if o["error"]), None):
            raise NotMeasured(
                Reason.INCONCLUSIVE,
                f"{script.name} does not load, so there is nothing to compare with: "
                f"line {failed['line']}: {failed['error']} (see DEP-INIT-SQL)",
            )
        with psycopg.connect(url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT DISTINCT schemaname FROM pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            _covered([str(name) for (name,) in found], schemas, script.name)
            records = without_ignored(read(connection, schemas), ignored)
    if not any(record["kind"] == "table" for record in records):
        raise NotMeasured(
            Reason.NO_SAMPLES,
            f"{script.name} makes no table in {', '.join(schemas)}: nothing to compare with",
        )
    facts = {"script": script.name, "statements": len(outcomes), **_counted(records, schemas)}
    return Collected(records, facts, {"PostgreSQL": str(scratch.server().installation)})


def _where(target: Target) -> tuple[list[str], list[str]]:
    """The schemas to compare (unqualified names mean the first) and the tables to leave out."""
    if target.database is None:
        return ["public"], []
    return target.database.schemas, target.database.ignore_tables


def _covered(used: Sequence[str], schemas: Sequence[str], who: str) -> None:
    if beyond := sorted(set(used) - set(schemas)):
        raise NotMeasured(
            Reason.NO_PARAMETER,
            f"{who} has tables in {', '.join(beyond)}, which target.database.schemas "
            f"({', '.join(schemas)}) does not name",
        )


def without_ignored(records: list[Record], ignored: Sequence[str]) -> list[Record]:
    """``records`` without those of the tables that the parameters leave out."""

    def is_ignored(record: Record) -> bool:
        table = record.get("table")
        return table is not None and any(
            fnmatchcase(table, pattern) or fnmatchcase(f"{record['schema']}.{table}", pattern)
            for pattern in ignored
        )

    return [record for record in records if not is_ignored(record)] if ignored else records


def _counted(records: list[Record], schemas: Sequence[str]) -> dict[str, Any]:
    counts: dict[str, int] = {}
    for record in records:
        counts[record["kind"]] = counts.get(record["kind"], 0) + 1
    return {"schemas": list(schemas), "counts": counts}


def _load_ddl(
    connection: psycopg.Connection[Any], statements: list[str], schemas: Sequence[str]
) -> list[str]:
    """Load the ORM's DDL; returns the extensions that had to be assumed for it."""
    for name in schemas:
        made = sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(name))
        connection.execute(made)
    path = sql.SQL(", ").join(sql.Identifier(n) for n in dict.fromkeys([schemas[0], "public"]))
    connection.execute(sql.SQL("SET search_path TO {}").format(path))
    assumed: list[str] = []
    for start in range(0, len(statements), AT_ONCE):
        batch = statements[start : start + AT_ONCE]
        try:
            connection.execute(";\n".join(batch).encode())
        except psycopg.Error:  # the batch is one transaction: nothing of it stayed
            for statement in batch:
                _load_statement(connection, statement, assumed)
    return assumed


def _load_statement(
    connection: psycopg.Connection[Any], statement: str, assumed: list[str]
) -> None:
    while True:
        try:
            connection.execute(statement.encode())
            return
        except psycopg.Error as broke:
            if statement.startswith("CREATE TYPE") and isinstance(broke, errors.DuplicateObject):
                return  # two models each bring the same enum
            said = broke.diag.message_primary or str(broke)
            extension = _extension_for(broke)
            if extension is None or extension in assumed:
                raise NotMeasured(
                    Reason.INCONCLUSIVE, f"the ORM's DDL does not load into PostgreSQL: {said}"
                ) from None
        try:
            name = sql.Identifier(extension)
            connection.execute(sql.SQL("CREATE EXTENSION {} SCHEMA public CASCADE").format(name))
        except psycopg.Error:
            raise extension_missing(extension, "the ORM's DDL") from None
        assumed.append(extension)


def _extension_for(broke: psycopg.Error) -> str | None:
    if not isinstance(broke, errors.UndefinedObject | errors.UndefinedFunction):
        return None
    said = broke.diag.message_primary or ""
    return next((BROUGHT_BY[word] for word in re.findall(r"\w+", said) if word in BROUGHT_BY), None)
