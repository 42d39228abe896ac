"""Comparing two schemas of 100, 1,000 and 10,000 tables: ours, Alembic's, and pg_dump with diff.

Each runs alone in a process of its own, which tells its seconds and its peak of memory. Ours reads
and compares two catalogues, and is also measured as the sources run it, with evidence sealed;
Alembic reads one database and has the models in memory before its clock starts.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psycopg
from readiness import postgresql

TABLES = (100, 1_000, 10_000)
TYPES = ("varchar(80)", "text", "integer", "bigint", "numeric(10, 2)", "boolean")
TYPES += ("timestamptz", "jsonb")
RUNS = {100: 5, 1_000: 3, 10_000: 1}


def make(server: postgresql.Server, tables: int) -> tuple[str, str]:
    """Two databases of so many tables, each of ten columns, a key, an index, a foreign key; the
    second differs in one column of every hundredth table."""
    names = f"a{tables}", f"b{tables}"
    columns = ", ".join(f"c{n} {kind} NOT NULL" for n, kind in enumerate(TYPES))
    with psycopg.connect(server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {names[0]}".encode())
        with psycopg.connect(server.url(names[0]), autocommit=True) as connection:
            for start in range(0, tables, 200):
                batch = [
                    f"CREATE TABLE t{n} (id bigserial PRIMARY KEY, parent bigint"
                    f" REFERENCES t{n - n % 200}, {columns}); CREATE INDEX t{n}_c0 ON t{n} (c0);"
                    for n in range(start, min(start + 200, tables))
                ]
                connection.execute("".join(batch).encode())
            connection.execute("ANALYZE")
        admin.execute(f"CREATE DATABASE {names[1]} TEMPLATE {names[0]}".encode())
    with psycopg.connect(server.url(names[1]), autocommit=True) as connection:
        for n in range(0, tables, 100):
            connection.execute(f"ALTER TABLE t{n} ALTER c2 TYPE bigint".encode())
    return server.url(names[0]), server.url(names[1])


def ours(live: str, wanted: str) -> int:
    from readiness.sources import catalogue, drift

    found = []
    for url in (live, wanted):
        with psycopg.connect(url, autocommit=True) as connection:
            found.append(catalogue.read(connection, ["public"]))
    return len(drift.compare(*found))


def as_evidence(live: str, wanted: str) -> int:
    from readiness.parameters import validated
    from readiness.sources import catalogue, drift
    from readiness.target import Target

    found = []
    for url in (live, wanted):
        raw = {"name": "bench", "database": {"url": url}}
        evidence = catalogue.live(validated(Target, raw, "bench", {}, specimen=True))
        assert evidence.problem is None, evidence.problem
        found.append(evidence.records)
    return len(drift.compare(*found))


def alembic(live: str, metadata: Any) -> int:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    engine = create_engine(live.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        return len(compare_metadata(MigrationContext.configure(connection), metadata))


def models(tables: int) -> Any:
    """The second database as SQLAlchemy metadata."""
    from sqlalchemy import BigInteger as Big
    from sqlalchemy import (
        Boolean,
        Column,
        DateTime,
        ForeignKey,
        Index,
        Integer,
        MetaData,
        Numeric,
        String,
        Table,
        Text,
    )
    from sqlalchemy.dialects.postgresql import JSONB

    metadata = MetaData()
    for n in range(tables):
        kinds = [String(80), Text(), Big() if n % 100 == 0 else Integer(), Big(), Numeric(10, 2)]
        kinds += [Boolean(), DateTime(timezone=True), JSONB()]
        Table(
            f"t{n}",
            metadata,
            Column("id", Big, primary_key=True),
            Column("parent", Big, ForeignKey(f"t{n - n % 200}.id")),
            *(Column(f"c{i}", kind, nullable=False) for i, kind in enumerate(kinds)),
            Index(f"t{n}_c0", "c0"),
        )
    return metadata


def dumps(live: str, wanted: str) -> int:
    program = str(postgresql.installation().bin / "pg_dump")
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for n, url in enumerate((live, wanted)):
            files.append(str(Path(folder, f"{n}.sql")))
            subprocess.run([program, "--schema-only", "-f", files[-1], url], check=True)
        done = subprocess.run(["diff", *files], capture_output=True, text=True)
    return done.stdout.count("\n> ")


def alone(what: str, tables: int, live: str, wanted: str) -> None:
    """One way, timed in this process; prints its seconds, its memory and what it found."""
    work = {"ours": ours, "as_evidence": as_evidence, "pg_dump": dumps}.get(what)
    metadata = models(tables) if what == "alembic" else None
    taken, found = [], 0
    for _ in range(RUNS[tables]):
        started = time.perf_counter()
        found = work(live, wanted) if work else alembic(live, metadata)
        taken.append(time.perf_counter() - started)
    # Of this program alone: what getrusage tells begins with the size of whoever started it.
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024
    print(json.dumps({"s": round(median(taken), 3), "peak_mb": peak, "found": found}))


def measure() -> dict[str, Any]:
    """Seconds and memory of each way for each number of tables, and how ours compares."""
    results: dict[str, Any] = {}
    with postgresql.temporary({"max_locks_per_transaction": "1024"}) as server:
        for tables in TABLES:
            live, wanted = make(server, tables)
            row: dict[str, Any] = {}
            for what in ("ours", "as_evidence", "alembic", "pg_dump"):
                command = [sys.executable, __file__, what, str(tables), live, wanted]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                row[what] = json.loads(done.stdout.splitlines()[-1])
            for other in ("alembic", "pg_dump"):
                row[f"times_faster_than_{other}"] = round(row[other]["s"] / row["ours"]["s"], 1)
            results[f"{tables}_tables"] = row
            print(json.dumps({tables: row}, indent=1), flush=True)
    return results


if __name__ == "__main__":
    if len(sys.argv) > 1:
        alone(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    else:
        measure()
