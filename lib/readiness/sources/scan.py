"""Reading sensitive columns whole and opening every value: a stream, in bounded memory.

What it costs is in benchmarks/results.json: of the client's time on a value, decryption takes a
third, base64 a quarter, taking it over from the server a fifth, and the loop the rest. Threads do
not help, as decryption holds the interpreter's lock; a large table is read by several processes
(``parts``).
"""

from __future__ import annotations

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from cryptography.exceptions import InvalidTag
from psycopg.sql import SQL, Composable, Literal

from .. import progress
from .columns import Table
from .database import Session, why
from .envelope import EnvelopeError, Envelopes, Kind
from .nonces import Nonces, digests
from .pieces import WHOLE

BATCH = 5_000  # rows in memory at a time
MOST_LISTED = 10_000  # values of one kind; their number is counted in full
KINDS = tuple(str(kind) for kind in Kind)
COUNTS = ("rows", "null", "empty", *KINDS)

# What is told of a value that does not open: its column, its row's name, its kind, itself, and the
# envelopes that it was to open by.
Note = Callable[[str, str, Kind, bytes, Envelopes], None]


class Scan:
    """What the columns of some tables hold, counted; one record a column.

    ``nonces``: of every ciphertext.
    """

    def __init__(self, database: Session, note: Note) -> None:
        self.records: list[dict[str, Any]] = []
        self.nonces = Nonces()
        self.database = database
        self.note = note
        self._batch: list[bytes] = []  # nonces that are not digested yet

    def read(self, table: Table, envelopes: Envelopes, where: Composable = WHOLE) -> None:
        """Read a table, or its rows for which a condition is true, as far as the format caps it;
        what stops it is said in the records of its columns, with the share that was read."""
        counts = [dict.fromkeys(COUNTS, 0) for _ in table.columns]
        names = [table.full_name(column) for column, _ in table.columns]
        said: dict[str, Any] = {}
        most = envelopes.format.max_values
        read = 0
        try:
            for rows in batches(self.database, table, most, where):
                for index, name in enumerate(names):
                    self._open(table, rows, index + 1, name, counts[index], envelopes)
                read += len(rows)
                progress.at(f"{table.schema}.{table.name}", read, most or table.estimate)
                self.nonces.add(digests(self._batch).tobytes())
                self._batch.clear()
        except psycopg.Error as broke:
            if self.database.connection.broken:
                raise
            said["problem"] = why(broke)
            if table.estimate:
                share = min(100 * read / table.estimate, 99)
                said["problem"] += f" (about {share:.0f} % of its rows had been read)"
        if most and read >= most:
            said["capped"] = most
        for name, count in zip(names, counts, strict=True):
            self.records.append({"column": name, **count, **said})

    def _open(
        self,
        table: Table,
        rows: list[Any],
        index: int,
        name: str,
        count: dict[str, int],
        envelopes: Envelopes,
    ) -> None:
        """Open one column of a batch: the fast way for what opens, else ``_look``."""
        count["rows"] += len(rows)
        if not envelopes.plain:
            for row in rows:
                self._look(table.named(row[0]), row[index], name, count, envelopes)
            return
        prefix, cut = envelopes.prefix, envelopes.format.header_bytes
        skipped = len(prefix)
        others = []
        decrypt, nonces = envelopes.aead.decrypt, self._batch
        before = len(nonces)
        for row in rows:
            value = row[index]
            if value and value.startswith(prefix):
                try:
                    raw = a2b_base64(value[skipped:], strict_mode=True)
                    nonce = raw[:cut]
                    decrypt(nonce, raw[cut:], None)
                except (NotBase64, InvalidTag, ValueError):
                    pass
                else:
                    nonces.append(nonce)
                    continue
            others.append((row[0], value))
        count[Kind.SEALED] += len(nonces) - before
        for key, value in others:
            self._look(table.named(key), value, name, count, envelopes)

    def _look(
        self,
        row: str,
        value: bytes | None,
        name: str,
        count: dict[str, int],
        envelopes: Envelopes,
    ) -> None:
        if not value:
            count["null" if value is None else "empty"] += 1
            return
        try:
            raw = envelopes.unpack(value)
            self._batch.append(raw[: envelopes.format.header_bytes])
            key = envelopes.decrypt(raw)[1]
            count[Kind.OLDER_KEY if key else Kind.SEALED] += 1
        except EnvelopeError as closed:
            count[closed.kind] += 1
            self.note(name, row, closed.kind, value, envelopes)


@contextmanager
def snapshot(database: Session) -> Iterator[None]:
    """One unchanging view of the database, as the rows may be read twice."""
    database.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with database.connection.transaction():
        yield


def batches(
    database: Session, table: Table, most: int | None = None, where: Composable = WHOLE
) -> Iterator[list[Any]]:
    """A table's rows, or so many, some thousand at a time: the row's key, the values as bytes.

    The server has the next ones ready while these are opened: it is another process. It is asked
    for them one batch after another, so that the statement timeout is not spent on our own work.
    A query that fails leaves the snapshot in which it ran usable.
    """
    wanted = SQL(", ").join([table.row_key(), *table.values()])
    query = SQL("SELECT {} FROM {} WHERE {}").format(wanted, table.qualified, where)
    if most is not None:
        query += SQL(" LIMIT {}").format(Literal(most))
    connection = database.connection
    with (
        connection.transaction(),
        connection.cursor("readiness", binary=True) as cursor,
        ThreadPoolExecutor(1) as ahead,
    ):
        cursor.execute(query)
        following = ahead.submit(cursor.fetchmany, BATCH)
        while rows := following.result():
            following = ahead.submit(cursor.fetchmany, BATCH)
            yield rows
