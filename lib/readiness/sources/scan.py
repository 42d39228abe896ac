"""Reading sensitive columns whole and opening every value: a stream, in bounded memory.

A million values are read and opened at 0.37 of the rate at which AESGCM alone decrypts them (see
benchmarks/results.json): of 2.4 s, decryption takes 0.9, strict base64 0.5, and what remains is
taking the rows over from the server, in part while others are opened, and the loop itself. Threads
do not help, as decryption holds the interpreter's lock; a share above one half would take processes
that each read their own rows under the same snapshot, and hand the key to each.
"""

from __future__ import annotations

from array import array
from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
from cryptography.exceptions import InvalidTag
from psycopg.sql import SQL, Literal

from .columns import Table
from .database import Session, why
from .envelope import EnvelopeError, Envelopes, Kind

BATCH = 5_000  # rows in memory at a time
KINDS = tuple(str(kind) for kind in Kind)
COUNTS = ("rows", "null", "empty", *KINDS)

# What is told of a value that does not open: its column, its row's name, its kind, itself, and the
# envelopes that it was to open by.
Note = Callable[[str, str, Kind, bytes, Envelopes], None]


class Scan:
    """What the columns of some tables hold, counted; one record a column.

    ``nonces`` has eight bytes a ciphertext: the hash of its nonce.
    """

    def __init__(self, database: Session, note: Note) -> None:
        self.records: list[dict[str, Any]] = []
        self.nonces = array("q")
        self._database = database
        self._note = note

    def read(self, table: Table, envelopes: Envelopes) -> None:
        """Read a table whole, or as far as the format caps it; what stops it is said in the
        records of its columns, with the share that was read."""
        counts = [dict.fromkeys(COUNTS, 0) for _ in table.columns]
        names = [table.full_name(column) for column, _ in table.columns]
        said: dict[str, Any] = {}
        most = envelopes.format.max_values
        read = 0
        try:
            for rows in batches(self._database, table, most):
                for index, name in enumerate(names):
                    self._open(table, rows, index + 1, name, counts[index], envelopes)
                read += len(rows)
        except psycopg.Error as broke:
            if self._database.connection.broken:
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
        decrypt, nonces = envelopes.aead.decrypt, []
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
            self._look(table.named(row[0]), value, name, count, envelopes)
        self.nonces.extend(map(hash, nonces))
        count[Kind.SEALED] += len(nonces)

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
            self.nonces.append(hash(raw[: envelopes.format.header_bytes]))
            key = envelopes.decrypt(raw)[1]
            count[Kind.OLDER_KEY if key else Kind.SEALED] += 1
        except EnvelopeError as closed:
            count[closed.kind] += 1
            self._note(name, row, closed.kind, value, envelopes)

    def repeated(self) -> set[int]:
        """The hashes that stand more than once."""
        import numpy as np

        hashes = np.frombuffer(self.nonces, dtype=np.int64)
        hashes.sort()  # in place: of eighty million there is not room for two
        return set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())


@contextmanager
def snapshot(database: Session) -> Iterator[None]:
    """One unchanging view of the database, as the rows may be read twice."""
    database.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    with database.connection.transaction():
        yield


def batches(database: Session, table: Table, most: int | None = None) -> Iterator[list[Any]]:
    """A table's rows, or so many, some thousand at a time: the row's key, the values as bytes.

    The server has the next ones ready while these are opened: it is another process. It is asked
    for them one batch after another, so that the statement timeout is not spent on our own work.
    A query that fails leaves the snapshot in which it ran usable.
    """
    wanted = SQL(", ").join([table.row_key(), *table.values()])
    query = SQL("SELECT {} FROM {}").format(wanted, table.qualified)
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
