"""Reading sensitive columns whole and opening every value: a stream, in bounded memory."""

from __future__ import annotations

from array import array
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from cryptography.exceptions import InvalidTag
from psycopg.sql import SQL

from .columns import Table
from .database import Session, why
from .envelope import EnvelopeError, Envelopes, Kind

BATCH = 5_000  # rows in memory at a time
KINDS = tuple(str(kind) for kind in Kind)
COUNTS = ("rows", "null", "empty", *KINDS)

# What is told of a value that does not open: its column, its row's name, its kind, itself.
Note = Callable[[str, str, Kind, bytes], None]


class Scan:
    """What the columns of some tables hold, counted; one record a column.

    ``nonces`` has eight bytes a ciphertext: the hash of its nonce.
    """

    def __init__(self, database: Session, envelopes: Envelopes, note: Note) -> None:
        self.records: list[dict[str, Any]] = []
        self.nonces = array("q")
        self._database = database
        self._envelopes = envelopes
        self._note = note

    def read(self, table: Table) -> None:
        """Read a table whole; what stops it is said in the records of its columns."""
        counts = [dict.fromkeys(COUNTS, 0) for _ in table.columns]
        names = [table.full_name(column) for column, _ in table.columns]
        problem = None
        try:
            for rows in batches(self._database, table):
                for index, name in enumerate(names):
                    self._open(rows, index + 1, name, counts[index])
        except psycopg.Error as broke:
            if self._database.connection.broken:
                raise
            problem = why(broke)
        for name, count in zip(names, counts, strict=True):
            record: dict[str, Any] = {"column": name, **count}
            self.records.append(record | ({"problem": problem} if problem else {}))

    def _open(self, rows: list[Any], index: int, name: str, count: dict[str, int]) -> None:
        """Open one column of a batch: the fast way for what opens, else ``_look``."""
        form = self._envelopes.format
        prefix, cut = form.prefix.encode(), form.nonce_bytes
        skipped = len(prefix)
        decrypt, remember = self._envelopes.aead.decrypt, self.nonces.append
        sealed = 0
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
                    remember(hash(nonce))
                    sealed += 1
                    continue
            self._look(row[0], value, name, count)
        count["rows"] += len(rows)
        count[Kind.SEALED] += sealed

    def _look(self, row: str, value: bytes | None, name: str, count: dict[str, int]) -> None:
        if not value:
            count["null" if value is None else "empty"] += 1
            return
        try:
            raw = self._envelopes.unpack(value)
            self.nonces.append(hash(raw[: self._envelopes.format.nonce_bytes]))
            self._envelopes.decrypt(raw)
        except EnvelopeError as closed:
            count[closed.kind] += 1
            self._note(name, row, closed.kind, value)

    def repeated(self) -> set[int]:
        """The hashes that stand more than once."""
        import numpy as np

        hashes = np.sort(np.frombuffer(self.nonces, dtype=np.int64))
        return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())


@contextmanager
def snapshot(database: Session) -> Iterator[None]:
    """One unchanging view of the database, as the rows may be read twice."""
    database.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with database.connection.transaction():
        yield


def batches(database: Session, table: Table) -> Iterator[list[Any]]:
    """A table's rows, some thousand at a time: the row's name, then the values as bytes.

    A query that fails leaves the snapshot in which it ran usable.
    """
    wanted = SQL(", ").join([table.row_name(), *table.values()])
    query = SQL("SELECT {} FROM {}").format(wanted, table.qualified)
    connection = database.connection
    with connection.transaction(), connection.cursor("readiness", binary=True) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(BATCH):
            yield rows
