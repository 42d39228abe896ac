"""Canaries: unique values written through the API, then looked for in every column of every table.

Only row versions that came after the first canary are read: an older one cannot hold it. So the
search costs about as much as counting the rows.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import time
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from ..finding import NotMeasured
from ..target import Canary, Encryption, Plaintext
from . import files
from .client import Client, filled
from .columns import KEY, as_text, declared, row_name
from .database import Session, why
from .envelope import EnvelopeError, Envelopes, configured

LETTERS = "bcfhjkmpqvwxz"  # no vowels: no word, no stem that a text index would cut
LENGTH = 24
LAND_SECONDS = 3.0  # a service may write after it has answered
MOST_HITS = 1_000

TABLES: LiteralString = f"""
SELECT n.nspname::text AS schema, c.relname::text AS table, c.relkind::text AS kind,
       array_agg(a.attname::text ORDER BY a.attnum) AS columns,
       array_agg(t.typname::text ORDER BY a.attnum) AS types, {KEY}
WHERE c.relkind IN ('r', 'm', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
GROUP BY n.nspname, c.relname, c.relkind, c.oid
ORDER BY 1, 2
"""


def token() -> str:
    """A value that was never there before: letters only, so that any field will take it."""
    return "".join(secrets.choice(LETTERS) for _ in range(LENGTH))


def forms(value: str) -> dict[str, str]:
    """What ``value`` looks like in lower case: as it is, in hexadecimal, as UTF-16, URL-encoded or
    escaped to its last letter, and inside base64 at each of the three ways that it can begin there.

    Ordinary URL encoding and JSON leave letters as they are. UTF-16 shows in bytes as the server
    escapes them: each letter with a zero before or after it.
    """
    raw = value.encode()
    found = {value: "as it is", raw.hex(): "hexadecimal"}
    found["".join(f"%{byte:02x}" for byte in raw)] = "URL-encoded"
    found["".join(f"\\u{ord(letter):04x}" for letter in value)] = "escaped as in JSON"
    found["\\000".join(value)] = "UTF-16"
    wide = {"utf-16-le": "UTF-16", "utf-16-be": "UTF-16"}
    for encoding, how in wide.items():
        found.setdefault(value.encode(encoding).hex().strip("0"), f"{how} in hexadecimal")
    for data, how in [
        (raw, "base64"),
        *((value.encode(e), f"{h} in base64") for e, h in wide.items()),
    ]:
        for offset in range(3):
            # The first and the last characters depend on the neighbours.
            start, end = (8 * offset + 5) // 6, (8 * (offset + len(data))) // 6
            for encode in (b64encode, urlsafe_b64encode):
                encoded = encode(bytes(offset) + data).decode()
                found.setdefault(encoded[start:end].lower(), how)
    return found


@dataclass
class _Bird:
    """One canary: the value that a field of an operation was given, and what became of it."""

    operation: str
    field: str
    value: str
    answer: str = "not sent"
    accepted: bool = False
    removed: bool | None = None
    encrypted_in: set[str] = dataclasses.field(default_factory=set)
    in_clear: set[tuple[str, ...]] = dataclasses.field(default_factory=set)


class Canaries:
    """The canaries of one target: written, found, removed."""

    def __init__(self, database: Session, service: Client, formats: list[Encryption]) -> None:
        self._database = database
        self._service = service
        self._birds: list[_Bird] = []
        self._written: list[tuple[Canary, list[_Bird], str | None]] = []
        self._hits: dict[tuple[str, ...], dict[str, Any]] = {}
        self._searched: set[str] = set()
        self._not_searched: dict[str, str] = {}
        self._left: set[str] = set()
        self._files: list[dict[str, Any]] = []
        self._began = time.time() - 1  # file systems round
        snapshot = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest"
        self._oldest = database.rows(snapshot)[0]["oldest"]
        schemas = database.facts["schemas"]
        self._sensitive = [
            (table, configured(format))
            for format in formats
            for table in declared(database, format, schemas)[0]
        ]

    def write(self) -> None:
        """Send every canary, one after the other."""
        for canary in self._service.http.canaries:
            birds = [_Bird(canary.operation, name, token()) for name in canary.fields]
            self._birds += birds
            body = filled(canary.json_body, token())
            for bird in birds:
                _put(body, bird.field.split("."), bird.value)
            method, path = canary.operation.split(" ", 1)
            credentials = self._service.credentials(canary.as_role)
            answer = self._service.send(method, path, headers=credentials, json=body)
            accepted = answer.status is not None and 200 <= answer.status < 300
            for bird in birds:
                bird.answer, bird.accepted = str(answer.error or answer.status), accepted
            identifier = _at(answer.json(), canary.id_field.split("."))
            if accepted or answer.status is None:  # what got no answer may have been written
                self._written.append((canary, birds, identifier))

    def settle(self) -> None:
        """Search until every canary that was accepted is found somewhere, or for three seconds."""
        deadline = time.monotonic() + LAND_SECONDS
        while True:
            self.search()
            waiting = [b for b in self._birds if b.accepted and not b.encrypted_in | b.in_clear]
            if not waiting or time.monotonic() > deadline:
                return
            time.sleep(0.2)

    def remove(self) -> None:
        """Take away what was written, through the API; what goes wrong is in the records."""
        for canary, birds, identifier in reversed(self._written):
            gone = False
            if canary.remove and identifier is not None:
                method, path = canary.remove.split(" ", 1)
                path = path.replace("{id}", quote(identifier, safe=""))
                try:
                    credentials = self._service.credentials(canary.as_role)
                    status = self._service.send(method, path, headers=credentials).status
                    gone = status is not None and (200 <= status < 300 or status in (404, 410))
                except NotMeasured:
                    gone = False
            for bird in birds:
                bird.removed = gone

    def search(self) -> None:
        """Look for every canary: decrypted in the sensitive columns, in clear everywhere."""
        self._left = set()
        self._search_sensitive()
        by_form = {form: (b, how) for b in self._birds for form, how in forms(b.value).items()}
        if not by_form:
            return
        pattern = "(" + "|".join(re.escape(form) for form in by_form) + ")"
        for table in self._database.rows(TABLES):
            name = f"{table['schema']}.{table['table']}"
            if table["kind"] == "f":
                self._not_searched[name] = "a foreign table: its rows are in another database"
                continue
            try:
                found = self._database.rows(self._search_query(table), (pattern,))
            except psycopg.Error as broke:
                if self._database.connection.broken:
                    raise
                self._not_searched[name] = why(broke)
                continue
            self._searched.add(name)
            for hit in found:
                bird, how = by_form[hit["form"]]
                self._hit(bird, how, f"{name}.{hit['column']}", hit["row"], hit["length"])

    def _search_query(self, table: dict[str, Any]) -> Composed:
        """The new rows of a table whose columns, as text, match the pattern, and what matched."""
        columns = zip(table["columns"], table["types"], strict=True)
        return SQL(
            "SELECT DISTINCT t.row, c.name AS column, m.form[1] AS form, length(c.value) AS length"
            " FROM (SELECT {row} AS row, ARRAY[{texts}] AS texts FROM {table} WHERE {new}) t"
            " CROSS JOIN LATERAL unnest({names}::text[], t.texts) c(name, value)"
            " CROSS JOIN LATERAL regexp_matches(lower(c.value), %s, 'g') m(form) LIMIT {most}"
        ).format(
            row=row_name(table["kind"], table["key"]),
            texts=SQL(", ").join(as_text(name, type) for name, type in columns),
            table=Identifier(table["schema"], table["table"]),
            new=self._new,
            names=Literal(table["columns"]),
            most=Literal(MOST_HITS),
        )

    @property
    def _new(self) -> Composable:
        """Of a row version: it came after the first canary, or at the same time."""
        oldest = SQL("{}::xid").format(Literal(self._oldest))
        return SQL("age(xmin) <= age({})").format(oldest)

    def _search_sensitive(self) -> None:
        for table, envelopes in self._sensitive:
            if table.kind not in ("r", "p", "m"):
                continue
            query = SQL("SELECT {}, {} FROM {} WHERE {}").format(
                table.row_name(), SQL(", ").join(table.values()), table.qualified, self._new
            )
            try:
                with self._database.connection.cursor() as cursor:
                    for row, *values in cursor.stream(query):
                        for (column, _), value in zip(table.columns, values, strict=True):
                            self._look_inside(table.full_name(column), row, value, envelopes)
            except psycopg.Error as broke:
                if self._database.connection.broken:
                    raise
                self._not_searched[f"{table.schema}.{table.name}"] = why(broke)

    def _look_inside(
        self, column: str, row: str, value: bytes | None, envelopes: Envelopes
    ) -> None:
        try:
            text = envelopes.open(value or b"").decode(errors="replace")
        except EnvelopeError:
            return
        for bird in self._birds:
            if bird.value in text:
                bird.encrypted_in.add(column)
                self._left.add(f"{column} {row}")

    def _hit(self, bird: _Bird, how: str, column: str, row: str, length: int) -> None:
        place = (bird.operation, bird.field, column, how, row)
        bird.in_clear.add(place)
        self._left.add(f"{column} {row}")
        names = ("operation", "field", "column", "form", "row")
        self._hits[place] = {**dict(zip(names, place, strict=True)), "length": length}

    def search_files(self, declared: Plaintext) -> None:
        """Look in the logs and backups that were written to since the first canary was sent."""
        by_form = {form: (b, how) for b in self._birds for form, how in forms(b.value).items()}
        for hit in files.search(declared, set(by_form), self._began, self._files):
            bird, how = by_form[hit["form"]]
            self._hit(bird, how, hit["file"], f"from byte {hit['start']}", hit["length"])

    def records(self) -> list[dict[str, Any]]:
        """One row a canary, without its value."""
        return [
            {
                "operation": bird.operation,
                "field": bird.field,
                "answer": bird.answer,
                "accepted": bird.accepted,
                "encrypted_in": sorted(bird.encrypted_in),
                "in_clear": len(bird.in_clear),
                "removed": bird.removed,
            }
            for bird in self._birds
        ]

    def facts(self) -> dict[str, Any]:
        """What was searched and found; ``left`` as of the last search."""
        return {
            "hits": list(self._hits.values()),
            "searched": len(self._searched),
            "not_searched": [{"table": t, "why": w} for t, w in self._not_searched.items()],
            "left": sorted(self._left),
            "files": self._files,
        }


def _put(body: dict[str, Any], path: list[str], value: str) -> None:
    for name in path[:-1]:
        body = body.setdefault(name, {})
    body[path[-1]] = value


def _at(body: Any, path: list[str]) -> str | None:
    """What stands at a path of an answer, as text."""
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return None if body is None else str(body)
