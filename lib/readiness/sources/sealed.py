"""The values of one sensitive column, told apart: envelopes, and what stands in clear.

The server sifts (``sieve``); what is not surely an envelope comes here and is looked at. By the
server's own time on ciphertexts of 64 letters, beside that of count(*): the prefix takes 1 time
that, the letters of the encoding 5, whether they decode to text 4, to a key 1. Nothing but a
regular expression tells letters that may be there from others, and PostgreSQL makes its automaton
anew for each value. The prefix alone is twice count(*), and takes ``ENC4:hello`` for a ciphertext.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import Rollback
from psycopg.sql import SQL, Composable

from .. import progress
from . import sieve
from .columns import Table
from .database import Session
from .envelope import EnvelopeError, Envelopes, Kind
from .masking import shown
from .pieces import over, streamed
from .scan import snapshot

MOST_LISTED = 1_000  # values of one column; their number is counted in full
COUNTS = ("rows", "null", "empty", "envelopes", "legacy", "clear")
IN_CLEAR = (Kind.CLEAR, Kind.MALFORMED, Kind.TOO_SHORT, Kind.TEXT)


@dataclass
class Values:
    """What a column holds, or a range of its rows: numbers, and the values in clear."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    clear: list[dict[str, Any]] = field(default_factory=list)


def classified(
    database: Session, table: Table, index: int, envelopes: Envelopes
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of a column of a table, and its values in clear."""
    column = Column(database, table, index, envelopes)
    progress.at(column.name)
    reading = over(database, table.schema, table.name, column.read)
    counts = {name: sum(part.counts[name] for part in reading.found) for name in COUNTS}
    record = {"column": column.name, **counts}
    clear = [value for part in reading.found for value in part.clear][:MOST_LISTED]
    return record | ({"problem": reading.problem} if reading.problem else {}), clear


class Column:
    """A sensitive column of a table."""

    def __init__(self, database: Session, table: Table, index: int, envelopes: Envelopes) -> None:
        self.name = table.full_name(table.columns[index][0])
        self._database = database
        self._table = table
        self._envelopes = envelopes
        self._text = table.texts()[index]
        self._value = table.values()[index]
        self._sealed = sieve.sealed(self._text, envelopes)

    def read(self, where: Composable) -> Values:
        """What the rows hold for which a condition is true."""
        with snapshot(self._database):
            found = Values(self._absent(where))
            if not self._look(where, found):
                self._count(where, found)
        return found

    def _absent(self, where: Composable) -> dict[str, int]:
        """How many rows there are; all that is in them counts as envelopes so far."""
        query = SQL(
            "SELECT count(*) AS rows, count(*) - count({t}) AS null,"
            " count(*) FILTER (WHERE {t} = '') AS empty FROM {table} WHERE {where}"
        ).format(t=self._text, table=self._table.qualified, where=where)
        (counted,) = self._database.rows(query)
        envelopes = counted["rows"] - counted["null"] - counted["empty"]
        return {**counted, "envelopes": envelopes, "legacy": 0, "clear": 0}

    def _look(self, where: Composable, found: Values) -> bool:
        """Look at each value that the server is not sure of; whether that came to an end, which
        it does not where more are in clear than are listed."""
        query = SQL("SELECT {}, {} FROM {} WHERE {} AND {} <> '' AND NOT {}").format(
            self._table.row_name(),
            self._value,
            self._table.qualified,
            where,
            self._text,
            self._sealed,
        )
        # In a transaction of its own, as a query that is left early takes its transaction along.
        with self._database.connection.transaction():
            with streamed(self._database, query) as rows:
                for row, value in rows:
                    if len(found.clear) == MOST_LISTED:
                        break
                    self._note(row, value, found)
                else:
                    return True
            raise Rollback
        return False

    def _note(self, row: str, value: bytes, found: Values) -> None:
        try:
            self._envelopes.open(value)
        except EnvelopeError as closed:
            if closed.kind in IN_CLEAR:
                place = {"column": self.name, "row": row, "kind": str(closed.kind)}
                found.clear.append({**place, **outline(value)})
            if closed.kind in IN_CLEAR or closed.kind is Kind.LEGACY:
                found.counts["envelopes"] -= 1
                found.counts["legacy" if closed.kind is Kind.LEGACY else "clear"] += 1

    def _count(self, where: Composable, found: Values) -> None:
        """The server's own count, by their shape, where there is too much to look at."""
        query = SQL(
            "SELECT count(*) FILTER (WHERE {formed}) AS envelopes,"
            " count(*) FILTER (WHERE NOT {formed} AND {legacy}) AS legacy FROM {table}"
            " WHERE {where} AND {t} <> ''"
        ).format(
            formed=sieve.well_formed(self._text, self._envelopes),
            legacy=sieve.legacy(self._text, self._envelopes),
            t=self._text,
            table=self._table.qualified,
            where=where,
        )
        (counted,) = self._database.rows(query)
        in_them = sum(one["kind"] == Kind.TEXT for one in found.clear)
        counted["envelopes"] -= in_them
        given = found.counts["rows"] - found.counts["null"] - found.counts["empty"]
        found.counts |= {**counted, "clear": given - sum(counted.values())}


def outline(value: bytes) -> dict[str, Any]:
    """A value without its content: how long it is; digits as 9, all but punctuation as x."""
    return shown(value.decode(errors="replace"))
