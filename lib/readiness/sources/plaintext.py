"""What stands in clear: the sensitive columns value by value, and canaries everywhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.sql import SQL, Composable, Composed, Literal

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..target import Target, need
from ..traffic import Planned
from . import planning, sieve
from .canary import Canaries
from .client import client
from .columns import Table, declared
from .database import Session, session, why
from .envelope import Envelope, EnvelopeError, Envelopes, Kind, configured
from .masking import shown
from .pieces import over, streamed
from .search import Search

if TYPE_CHECKING:
    import pandas as pd

MOST_LISTED = 1_000  # values of one column; their number is counted in full
COUNTS = ("rows", "null", "empty", "envelopes", "legacy", "clear")
IN_CLEAR = (Kind.CLEAR, Kind.MALFORMED, Kind.TOO_SHORT, Kind.TEXT)
# What the server makes of a value; the last two are looked at here.
NULL, EMPTY, ENVELOPE, LEGACY, SUSPICIOUS, OTHER = "null", "empty", "envelopes", "legacy", "?", "!"


@source("passive")
def sensitive_columns(target: Target) -> Collected:
    """Every value of the columns of ``target.encryption``: an envelope, or in clear?

    One record a column with counts: ``envelopes`` are well formed to their last character,
    ``legacy`` have an older format, and ``clear`` is what is left: no prefix, a prefix with
    anything behind it, or with a text or a key in it. The server tells them apart; only values that
    are not surely sealed come here, and of those no more than a thousand a column. In
    ``facts.clear``, one row for each: its place, its length and its shape, in which every letter is
    an x and every digit a 9. ``share`` is there where a table was not read whole.
    """
    schemas = need(target.database, "target.database").schemas
    records: list[dict[str, Any]] = []
    clear: list[dict[str, Any]] = []
    missing: list[str] = []
    with session(target) as database:
        for format in target.encryption:
            tables, not_there = declared(database, format, schemas)
            missing += not_there
            envelopes = configured(format)
            for table in tables:
                found, listed = _classify(database, table, envelopes)
                records += found
                clear += listed
        version = database.facts["server_version"]
    records += [{"column": name, "problem": "there is no such column"} for name in missing]
    return Collected(records, {"clear": clear}, {"PostgreSQL": version})


@source("passive")
def elsewhere(target: Target) -> Collected:
    """Every other column that can hold a text, in every schema, and every large object: searched
    for keys, seed phrases, credentials, card numbers, people, and for fields named like a sensitive
    column inside documents.

    Texts of any kind, JSON, arrays, composite types, hstore, XML and bytes are searched, also in
    partitions and materialised views. One record a table: how many columns, what was ``found`` by
    kind, whether it is ``empty``, and a ``problem`` where it could not be read whole. In ``facts``:
    ``hits``, one row for each find with its column, row, path, length and shape; ``left_out``, what
    the parameters allow there.
    """
    schemas = need(target.database, "target.database").schemas
    with session(target) as database:
        sensitive = {
            (table.schema, table.name, column)
            for format in target.encryption
            for table in declared(database, format, schemas)[0]
            for column, _ in table.columns
        }
        formats = [Envelope(format) for format in target.encryption]
        names = [name for format in target.encryption for name in format.columns]
        search = Search(database, sensitive, names, formats, target.plaintext)
        search.tables()
        search.large_objects()
        version = database.facts["server_version"]
    facts = {"hits": search.hits, "left_out": search.left_out}
    return Collected(
        search.records, facts, {"PostgreSQL": version, "mnemonic": metadata.version("mnemonic")}
    )


def _classify(
    database: Session, table: Table, envelopes: Envelopes
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A record for each column of a table, and its values in clear."""
    classes = [_class(text, envelopes) for text in table.texts()]

    def counted(where: Composable) -> list[Any]:
        query = SQL("SELECT {}, count(*) FROM {} WHERE {} GROUP BY {}").format(
            SQL(", ").join(classes),
            table.qualified,
            where,
            SQL(", ").join(Literal(place + 1) for place in range(len(classes))),
        )
        with database.connection.cursor() as cursor:
            return cursor.execute(query).fetchall()

    reading = over(database, table.schema, table.name, counted)
    records, clear = [], []
    for index, (column, _) in enumerate(table.columns):
        name = table.full_name(column)
        total = Counter[str]()
        for *found, n in (row for rows in reading.found for row in rows):
            total[found[index]] += n
            total["rows"] += n
        problem = reading.problem
        if total[SUSPICIOUS] or total[OTHER]:
            try:
                listed, sealed, older = _look(database, table, index, classes, envelopes)
            except psycopg.Error as broke:
                if database.connection.broken:
                    raise
                listed, sealed, older, problem = [], 0, 0, problem or why(broke)
            clear += listed
            total[ENVELOPE] += sealed
            total[LEGACY] += older
            # What was looked at is known; of what was too much to look at, the shape decides.
            looked = len(listed) + sealed + older
            left = max(0, total[SUSPICIOUS] + total[OTHER] - looked)
            shapes = min(left, max(0, total[OTHER] - len(listed)))
            total["clear"] = len(listed) + shapes
            total[ENVELOPE] += left - shapes
        record = {"column": name, **{key: total[key] for key in COUNTS}}
        records.append(record | ({"problem": problem} if problem else {}))
    return records, clear


def _class(text: Composable, envelopes: Envelope) -> Composed:
    return SQL(
        "CASE WHEN {t} IS NULL THEN {null} WHEN {t} = '' THEN {empty} WHEN {formed} THEN"
        " CASE WHEN {suspicious} THEN {maybe} ELSE {envelope} END"
        " WHEN {old} THEN {legacy} ELSE {other} END"
    ).format(
        t=text,
        null=Literal(NULL),
        empty=Literal(EMPTY),
        formed=sieve.well_formed(text, envelopes),
        suspicious=sieve.suspicious(text, envelopes),
        maybe=Literal(SUSPICIOUS),
        envelope=Literal(ENVELOPE),
        old=sieve.legacy(text, envelopes),
        legacy=Literal(LEGACY),
        other=Literal(OTHER),
    )


def _look(
    database: Session, table: Table, index: int, classes: list[Composed], envelopes: Envelopes
) -> tuple[list[dict[str, Any]], int, int]:
    """The values of a column that the server was not sure of, opened: those in clear, at most a
    thousand, and the number of those that are envelopes, or older ones, after all."""
    listed: list[dict[str, Any]] = []
    sealed = older = 0
    name = table.full_name(table.columns[index][0])
    query = SQL("SELECT {}, {} FROM {} WHERE {} IN ({}, {})").format(
        table.row_name(),
        table.values()[index],
        table.qualified,
        classes[index],
        Literal(SUSPICIOUS),
        Literal(OTHER),
    )
    with streamed(database, query) as rows:
        for row, value in rows:
            try:
                envelopes.open(value)
                sealed += 1
            except EnvelopeError as closed:
                if closed.kind in IN_CLEAR:
                    listed.append(
                        {"column": name, "row": row, "kind": str(closed.kind), **outline(value)}
                    )
                elif closed.kind is Kind.LEGACY:
                    older += 1
                else:
                    sealed += 1
            if len(listed) == MOST_LISTED:
                break
    return listed, sealed, older


def outline(value: bytes) -> dict[str, Any]:
    """A value without its content: how long it is; digits as 9, all but punctuation as x."""
    return shown(value.decode(errors="replace"))


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None:
        return
    for one in http.canaries:
        yield Planned(one.operation)
        yield from [Planned(one.remove)] if one.remove else []
    yield from planning.logins(http, *(one.as_role for one in http.canaries))


@source("passive", plan=_planned)
def canaries(target: Target) -> Collected:
    """Unique values, written through the service's API, and where the database then holds them.

    Writes where ``active`` is permitted and does nothing elsewhere, which ``facts.state`` says
    (``written``, ``not permitted``, ``no service``, ``not declared``, ``failed``): so the sensitive
    columns can be judged without. One record a canary: whether the service accepted it, in which
    columns it stands encrypted, how often in clear, and whether the API took it away again. In
    ``facts``: ``hits``, one row for each place in clear; ``searched``, how many tables, and
    ``not_searched``, which not; ``files``, the logs and backups that the parameters name; ``left``,
    where it still stands after its removal.
    """
    facts: dict[str, Any] = {"hits": [], "searched": 0, "not_searched": [], "left": []}
    facts["files"] = []
    if "active" not in target.permit:
        return Collected([], {**facts, "state": "not permitted"})
    if target.http is None:
        return Collected([], {**facts, "state": "no service"})
    if not target.http.canaries:
        return Collected([], {**facts, "state": "not declared"})
    formats = need(target.encryption, "target.encryption")
    with session(target) as database, client(target) as service:
        flock = Canaries(database, service, formats)
        try:
            flock.write()
            flock.settle()
            facts["state"] = "written"
        except NotMeasured as gap:
            facts |= {"state": "failed", "reason": str(gap.reason), "message": str(gap)}
        finally:
            flock.remove()
        flock.search_files(target.plaintext)
        flock.search()  # again: a removal may have written what it removed somewhere else
        facts |= flock.facts()
        version = database.facts["server_version"]
    return Collected(flock.records(), facts, {"PostgreSQL": version})


def by_column(evidence: Evidence) -> pd.DataFrame:
    """A row a column: how many values, with an envelope and in clear."""
    import pandas as pd

    table = pd.DataFrame(evidence.records, columns=["column", *COUNTS, "problem"])
    return table if table["problem"].notna().any() else table.drop(columns="problem")


def in_clear(evidence: Evidence) -> pd.DataFrame:
    """A row for each value in clear: where it stands, what is wrong, its length and shape."""
    import pandas as pd

    columns = ["column", "row", "kind", "length", "shape"]
    return pd.DataFrame(evidence.facts.get("clear", []), columns=columns)


def finds(evidence: Evidence) -> pd.DataFrame:
    """A row for each column, kind and path in which something was found; the worst first."""
    import pandas as pd

    columns = ["column", "kind", "path", "values", "first row", "length", "shape"]
    grouped: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for hit in evidence.facts.get("hits", []):
        path = re.sub(r"\[\d+\]", "[*]", hit["path"])
        grouped.setdefault((hit["column"], hit["kind"], path), []).append(hit)
    rows = [
        (
            *place,
            f"{len(hits)} or more" if any("and_more" in hit for hit in hits) else len(hits),
            hits[0]["row"],
            hits[0]["length"],
            hits[0]["shape"],
        )
        for place, hits in grouped.items()
    ]
    return pd.DataFrame(rows, columns=columns)


def searched(evidence: Evidence) -> pd.DataFrame:
    """A row a table: columns searched, what was found by kind, what stood in the way."""
    import pandas as pd

    rows = [
        {**r, "found": ", ".join(f"{kind}: {n}" for kind, n in r.get("found", {}).items())}
        for r in evidence.records
    ]
    table = pd.DataFrame(rows, columns=["table", "columns", "empty", "found", "problem"])
    return table.fillna("")


def canary_table(evidence: Evidence) -> pd.DataFrame:
    """A row a canary: what wrote it, where it stands, and whether it went again."""
    import pandas as pd

    columns = ["operation", "field", "answer", "encrypted_in", "in_clear", "removed"]
    return pd.DataFrame(evidence.records, columns=columns)


def canary_hits(evidence: Evidence) -> pd.DataFrame:
    """A row for each place where a canary stands in clear, and in which form."""
    import pandas as pd

    columns = ["operation", "field", "column", "form", "row", "length"]
    return pd.DataFrame(evidence.facts.get("hits", []), columns=columns)
