"""Reading a table that may be too large for the timeout: whole if it can be, else as far as it can.

Whole, the server may use several processes. Where that reaches the statement timeout, the table is
read again in ranges of its blocks, for as long again, so that what was found in them counts and the
share that was read is known.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from psycopg import errors
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from .database import Session, why

PIECES = 64  # of a table, at most
SMALLEST = 256  # blocks
T = TypeVar("T")

WHOLE = SQL("true")


@dataclass(frozen=True)
class Reading(Generic[T]):
    """What the statements gave that came to an end, and why not all did."""

    found: list[T]
    share: float = 1.0  # of the table's blocks
    problem: str | None = None


def over(database: Session, schema: str, table: str, read: Callable[[Composable], T]) -> Reading[T]:
    """What ``read`` gives of a table: it is handed a condition for the rows to look at."""
    try:
        return Reading([read(WHOLE)])
    except errors.QueryCanceled as late:
        said = why(late)
    except psycopg.Error as broke:
        if database.connection.broken:
            raise
        return Reading([], 0.0, why(broke))
    found: list[T] = []
    share = 0.0
    try:
        size = SQL("SELECT pg_relation_size({}::regclass) / 8192 AS blocks")
        name = Identifier(schema, table).as_string(database.connection)
        blocks = int(database.rows(size.format(Literal(name)))[0]["blocks"])
        step = max(SMALLEST, -(-blocks // PIECES))
        ends = time.monotonic() + database.facts["statement_timeout_s"]
        for start in range(0, blocks, step):
            if time.monotonic() > ends:
                break
            found.append(read(in_blocks(start, start + step)))
            share = min(1.0, (start + step) / blocks)
    except psycopg.Error:
        if database.connection.broken:
            raise
    if share == 1.0:
        return Reading(found)
    return Reading(found, share, f"{said} ({share:.0%} of it was read)")


def sifting(database: Session) -> None:
    """Settings for queries that read much and give little: compiling their conditions would take
    longer than most tables take to read, and the server expects too many rows to share the work."""
    for name, value in (("jit", "off"), ("parallel_tuple_cost", "0")):
        database.rows("SELECT set_config(%s, %s, false)", (name, value))


@contextmanager
def streamed(database: Session, query: Composed) -> Iterator[Iterator[Any]]:
    """The rows of a query as they come, in bounded memory; leaving the block ends the query."""
    with database.connection.cursor(binary=True) as cursor:
        rows = cursor.stream(query)
        try:
            yield rows
        finally:
            rows.close()  # type: ignore[attr-defined]  # a generator, though it is not declared so


def in_blocks(start: int, end: int) -> Composable:
    """The condition for the rows in a range of a table's blocks."""
    return SQL("(ctid >= {}::tid AND ctid < {}::tid)").format(
        Literal(f"({start},0)"), Literal(f"({end},0)")
    )
