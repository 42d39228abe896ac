"""Every table's rows counted and added up, beside what others say of the same table.

The server hashes its rows; the hashes are added, so that order does not matter and two equal rows
do not cancel out (see ``contents``). What is compared is the previous run, a replica and a restored
backup, as far as the parameters name them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from psycopg.sql import SQL, Composable, Identifier, Literal

from .. import progress
from ..documents import ROOT
from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..target import Target, need
from ..variables import Secret
from .contents import Rows, Table, added, pin, rows, tables
from .database import Session, session
from .pieces import over

if TYPE_CHECKING:
    import pandas as pd

CHECK = "DAT-CHECKSUMS"
PREVIOUS_VARIABLE = "READINESS_PREVIOUS"  # as audit.py has it, which stands above sources
TRIES = 3  # of a table that a replica has otherwise: it may be a moment behind
Record = dict[str, Any]


@source("passive")
def of_tables(target: Target) -> Collected:
    """The rows and the checksum of every table of every schema, partitions each for itself.

    One record a table: ``rows``, ``checksum`` (in hexadecimal), ``mode`` of hashing, the
    ``declared`` kind (immutable, append_only or none), for an append-only table ``last``, its
    greatest key; beside them ``previous``, ``previous_rows`` and, of an append-only table,
    ``prefix``: the checksum of the rows up to the previous greatest key. ``replica`` and
    ``restored`` say ``same`` (of an append-only table: as far as it goes), ``differs``,
    ``missing`` or ``changing`` (the table is written to faster than it can be compared). ``facts``
    say what there was to compare with, and why not.
    """
    with session(target) as database:
        pin(database)
        version = database.facts["server_version"]
        before, facts = _previous(target, version.split(".")[0])
        # Servers may differ in version: a row's text means the same on both.
        by_text = bool(target.checksums.replica_url or target.checksums.restored_url)
        records = [
            _record(database, target, table, before.pop(str(table), None))
            for table in tables(database, by_text=by_text)
        ]
        records += [
            {"table": name, "declared": _declared(target, name), "rows": None, "checksum": None,
             "previous": old["checksum"], "previous_rows": old["rows"], "gone": True}
            for name, old in before.items()
        ]  # fmt: skip
        urls = {"replica": target.checksums.replica_url, "restored": target.checksums.restored_url}
        for name, url in urls.items():
            if url:
                facts[name] = _beside(database, target, name, url, records)
    return Collected(records, facts, {"PostgreSQL": version})


def _record(database: Session, target: Target, table: Table, old: Record | None) -> Record:
    progress.at(str(table))
    kind = _declared(target, str(table))
    now = _rows(database, table)
    record: Record = {"table": str(table), "declared": kind, "mode": table.mode}
    record |= {"rows": now.count, "checksum": now.checksum}
    if now.problem:
        return {**record, "rows": None, "checksum": None, "problem": now.problem}
    if old and old.get("mode") == table.mode and old.get("checksum"):
        record |= {"previous": old["checksum"], "previous_rows": old["rows"]}
    if kind == "append_only" and (key := _key(database, table)):
        record["last"] = _greatest(database, table, key)
        if "previous" in record and old and old.get("last") is not None:
            until = SQL("{} <= {}").format(Identifier(key), Literal(old["last"]))
            prefix = _rows(database, table, until)
            record |= {"prefix": prefix.checksum, "prefix_rows": prefix.count}
    return record


def _rows(database: Session, table: Table, where: Composable | None = None) -> Rows:
    """The rows of a table; in ranges of blocks where the whole takes too long."""

    def read(blocks: Composable) -> Rows:
        condition = blocks if where is None else SQL("{} AND {}").format(blocks, where)
        return rows(database, table, condition, buckets=False)

    reading = over(database, table.schema, table.name, read)
    return added(reading.found, reading.problem)


def _declared(target: Target, name: str) -> str | None:
    for kind in ("immutable", "append_only"):
        patterns: list[str] = getattr(target.checksums, kind)
        short = name.split(".", 1)[1]
        if any(fnmatchcase(name, p) or fnmatchcase(short, p) for p in patterns):
            return kind
    return None


KEY = """
SELECT a.attname::text AS name FROM pg_index x
JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]
JOIN pg_type t ON t.oid = a.atttypid
WHERE x.indisprimary AND x.indnkeyatts = 1 AND x.indrelid = to_regclass(%s)
  AND t.typname IN ('int2', 'int4', 'int8', 'timestamp', 'timestamptz')
"""


def _key(database: Session, table: Table) -> str | None:
    """The column by which an append-only table grows: its key, of integers or times."""
    name = Identifier(table.schema, table.name).as_string(database.connection)
    found = database.rows(KEY, (name,))
    return found[0]["name"] if found else None


def _greatest(database: Session, table: Table, key: str) -> str | None:
    query = SQL("SELECT max({})::text AS last FROM {}")
    found = database.rows(query.format(Identifier(key), Identifier(table.schema, table.name)))
    last: str | None = found[0]["last"]
    return last


def _previous(target: Target, major: str) -> tuple[dict[str, Record], dict[str, Any]]:
    """What the previous run kept of each table, if it is there and as it was then."""
    named = target.checksums.previous
    folder = named.value() if named else os.environ.get(PREVIOUS_VARIABLE)
    if not folder:
        return {}, {"previous": None, "why": "no run of this environment came before"}
    run = (ROOT / folder).resolve()
    try:
        found = json.loads((run / "findings.json").read_text(encoding="utf-8"))
        kept = next(f for f in found["findings"] if f["check"] == CHECK)
        file = next(e for e in kept["evidence"] if e["path"].endswith("/tables.json"))
        content = (run / file["path"]).read_bytes()
        if hashlib.sha256(content).hexdigest() != file["sha256"]:
            return {}, {"previous": None, "why": f"{file['path']} of {run.name} was changed"}
        evidence = Evidence.from_json(content.decode())
    except (OSError, ValueError, KeyError, StopIteration):
        return {}, {"previous": None, "why": f"{Path(folder).name} holds no checksums"}
    if evidence.problem or evidence.tools.get("PostgreSQL", "").split(".")[0] != major:
        return {}, {"previous": None, "why": f"{run.name} read another server version, or none"}
    facts = {"previous": run.name, "previous_at": evidence.collected_at.isoformat()}
    return {r["table"]: r for r in evidence.records if not r.get("gone")}, facts


def _beside(
    database: Session, target: Target, name: str, url: Secret, records: list[Record]
) -> str:
    """Compare with another database; each record says how its table stands there."""
    parameters = need(target.database, "target.database").model_copy(update={"url": url})
    other_target = target.model_copy(update={"database": parameters})
    compared = 0
    try:
        with session(other_target) as other:
            pin(other)
            there = {str(table): table for table in tables(other, by_text=True)}
            here = {str(table): table for table in tables(database, by_text=True)}
            for record in records:
                if record.get("gone") or "problem" in record:
                    continue
                table = there.pop(record["table"], None)
                if table is None:
                    record[name] = "missing"
                    continue
                ours = here[record["table"]]
                if name == "restored" and record["declared"] == "append_only":
                    record[name] = _same_so_far(database, ours, other, table)
                else:
                    record[name] = _same(database, ours, other, table, record)
                compared += 1
            records += [
                {"table": t, "declared": _declared(target, t), "rows": None, "checksum": None,
                 name: "only there"} for t in there
            ]  # fmt: skip
    except NotMeasured as gap:
        return f"not compared: {gap}"
    return f"{compared} tables"


def _same_so_far(database: Session, ours: Table, other: Session, theirs: Table) -> str:
    """Whether the rows that an older copy of an append-only table has are ours, too."""
    key = _key(other, theirs)
    last = _greatest(other, theirs, key) if key else None
    if key is None or last is None:
        return "not read: it has no key that rises" if key is None else "same"
    until = SQL("{} <= {}").format(Identifier(key), Literal(last))
    both = [_rows(*one, until) for one in ((other, theirs), (database, ours))]
    if problem := both[0].problem or both[1].problem:
        return f"not read: {problem}"
    return "same" if both[0].checksum == both[1].checksum else "differs"


def _same(database: Session, ours: Table, other: Session, theirs: Table, record: Record) -> str:
    """Whether another server has the same rows, as far as ours hold still for it."""
    before = (record["rows"], record["checksum"])
    for attempt in range(TRIES):
        found = _rows(other, theirs)
        if found.problem:
            return f"not read: {found.problem}"
        if (found.count, found.checksum) == before:
            return "same"
        now = _rows(database, ours)
        if now.problem:
            return f"not read: {now.problem}"
        if (now.count, now.checksum) == before and attempt:
            return "differs"
        before = (now.count, now.checksum)
        time.sleep(0.3)
    return "changing"


def changes(evidence: Evidence) -> pd.DataFrame:
    """A row a table: its rows and what became of them since, and how it stands elsewhere."""
    import pandas as pd

    rows_ = []
    for r in evidence.records:
        row = {"table": r["table"], "declared": r["declared"] or "", "rows": r["rows"]}
        row |= {"since the previous run": since(r)}
        row |= {name: r.get(name, "") for name in ("replica", "restored")}
        rows_.append(row | {"problem": r.get("problem", "")})
    columns = ["table", "declared", "rows", "since the previous run", "replica", "restored"]
    table = pd.DataFrame(rows_, columns=[*columns, "problem"]).astype(object)
    return table.where(table.notna(), "")


def since(record: Record) -> str:
    """What became of a table since the previous run, in a word."""
    if record.get("gone"):
        return "gone"
    if "previous" not in record:
        return ""
    if record["previous"] == record["checksum"] and record["previous_rows"] == record["rows"]:
        return "unchanged"
    difference = record["rows"] - record["previous_rows"]
    if record.get("prefix") == record["previous"]:
        return f"grew by {difference:,}"
    if not difference:
        return "changed"
    return f"changed, {abs(difference):,} {'more' if difference > 0 else 'fewer'}"
