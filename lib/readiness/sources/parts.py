"""A large table read by several processes, each its own rows, and all of them the same snapshot.

It pays where there are cores beside those that the server needs: a million values on two cores, one
of which the server keeps busy, take two processes as long as one (benchmarks/results.json).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Literal

from .. import progress
from ..finding import NotMeasured
from ..target import Encryption, Target
from .columns import Table
from .database import Session, session
from .envelope import Envelopes, Kind
from .pieces import in_blocks
from .scan import COUNTS, MOST_LISTED, Scan, snapshot

LARGE = 500_000  # rows: of fewer, starting the processes takes longer than it saves
ROWS = 250_000  # of one part
MOST_PROCESSES = 4  # each is a session of the target's database
RANGES_SINCE = 140_000  # server_version_num: an older one reads the whole table for each range
AWAKE_S = 10  # so often the snapshot is touched, as a session that idles is ended
SIZE: LiteralString = """
SELECT COALESCE((SELECT max(pg_relation_size(relid)) FROM pg_partition_tree(oid)),
                pg_relation_size(oid)) / 8192 AS blocks FROM (SELECT {}::regclass AS oid) AS t
"""
EXPORT: LiteralString = "SELECT pg_export_snapshot() AS snapshot"
Noted = tuple[str, str, Kind, bytes]


@dataclass(frozen=True)
class Part:
    """What one process reads, and what it needs for it."""

    target: Target
    snapshot: str
    table: Table
    format: Encryption
    keys: list[bytes]
    start: int  # blocks
    end: int


@dataclass(frozen=True)
class Opened:
    """What was in one part."""

    records: list[dict[str, Any]]  # as Scan has them
    nonces: bytes
    noted: list[Noted]


@contextmanager
def shared(database: Session) -> Iterator[str | None]:
    """A snapshot, and the name by which other sessions can have the same, if the server gives one.

    That is tried beforehand: where it fails, the transaction is lost.
    """
    able = False
    with suppress(psycopg.Error), snapshot(database):
        able = bool(database.rows(EXPORT))
    with snapshot(database):
        yield database.rows(EXPORT)[0]["snapshot"] if able else None


def read(
    scan: Scan, target: Target, table: Table, envelopes: Envelopes, exported: str | None
) -> None:
    """``scan.read``, by several processes where a table is large and the server can share it."""
    processes = min(os.cpu_count() or 1, MOST_PROCESSES)
    database = scan.database
    capped = envelopes.format.max_values is not None
    ranges = database.connection.info.server_version >= RANGES_SINCE and table.kind in "rpm"
    if exported is None or capped or not ranges or processes < 2 or table.estimate < LARGE:
        scan.read(table, envelopes)
        return
    parts = _parts(database, target, table, envelopes, exported, processes)
    found = []
    with _pool(processes) as pool:
        for number, one in enumerate(_opened(pool, scan, parts, envelopes)):
            progress.at(f"{table.schema}.{table.name}", number, len(parts))
            scan.nonces.add(one.nonces)
            found.append(replace(one, nonces=b""))
    _add(scan, table, envelopes, found)


def _parts(
    database: Session,
    target: Target,
    table: Table,
    envelopes: Envelopes,
    exported: str,
    processes: int,
) -> list[Part]:
    name = table.qualified.as_string(database.connection)
    (size,) = database.rows(SQL(SIZE).format(Literal(name)))
    number = max(processes, table.estimate // ROWS)
    step = max(1, -(-size["blocks"] // number))
    return [
        Part(target, exported, replace(table, estimate=0), envelopes.format,
             envelopes.keys, start, start + step)
        for start in range(0, size["blocks"] + 1, step)
    ]  # fmt: skip


def _opened(
    pool: ProcessPoolExecutor, scan: Scan, parts: list[Part], envelopes: Envelopes
) -> Iterator[Opened]:
    """The parts as they come, whatever their order. One that a process could not read, as it got no
    session, the snapshot was not to be had there, or it was killed, is read here."""
    try:
        waiting = {pool.submit(opened, part): part for part in parts}
    except BrokenProcessPool:
        waiting = {}
        yield from (_here(scan, part, envelopes) for part in parts)
    while waiting:
        done, _ = wait(waiting, AWAKE_S, FIRST_COMPLETED)
        scan.database.rows("SELECT")
        for future in done:
            part = waiting.pop(future)
            lost = isinstance(future.exception(), (NotMeasured, BrokenProcessPool))
            yield _here(scan, part, envelopes) if lost else future.result()


def _here(scan: Scan, part: Part, envelopes: Envelopes) -> Opened:
    alone = Scan(scan.database, scan.note)
    alone.read(part.table, envelopes, in_blocks(part.start, part.end))
    return Opened(alone.records, alone.nonces.held(), [])


@contextmanager
def _pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that are copies of one with everything imported, and without our connections."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(processes, mp_context=context)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def opened(part: Part) -> Opened:
    """Read one part; runs in a process of its own."""
    noted: list[Noted] = []
    number = Counter[Kind]()

    def note(column: str, row: str, kind: Kind, value: bytes, _: Envelopes) -> None:
        number[kind] += 1
        if number[kind] <= MOST_LISTED:
            noted.append((column, row, kind, value))

    with session(part.target) as database:
        database.connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with database.connection.transaction():
            imported = SQL("SET TRANSACTION SNAPSHOT {}").format(Literal(part.snapshot))
            database.connection.execute(imported)
            scan = Scan(database, note)
            envelopes = Envelopes(part.format, *part.keys)
            scan.read(part.table, envelopes, in_blocks(part.start, part.end))
    return Opened(scan.records, scan.nonces.held(), noted)


def _add(scan: Scan, table: Table, envelopes: Envelopes, parts: list[Opened]) -> None:
    for records in zip(*(part.records for part in parts), strict=True):
        whole = {"column": records[0]["column"]}
        whole |= {name: sum(record[name] for record in records) for name in COUNTS}
        if problem := next((r["problem"] for r in records if "problem" in r), None):
            share = min(100 * whole["rows"] / table.estimate, 99)
            whole["problem"] = f"{problem} (about {share:.0f} % of its rows had been read)"
        scan.records.append(whole)
    for part in parts:
        for noted in part.noted:
            scan.note(*noted, envelopes)
