"""A restored database against the one that was backed up, which may have gone on changing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import psycopg

from . import catalogue
from .contents import BUCKETS, Rows, Table, rows, schemas, tables, versions
from .database import Session, why
from .drift import BREAKING, RISKY, compare

MOST_ROWS = 200_000  # of a table, looked up one by one where buckets differ


def compared(
    before: Session, after: Session, there: Session, wanted: Sequence[Table]
) -> list[dict[str, Any]]:
    """One row a table: the source before and after the backup, and the restored copy.

    Where all three agree bucket by bucket, nothing was lost. In the other buckets the rows are
    looked up: those that have the same version before and after must be in the copy (``rows_lost``
    counts the ones that are not), and if no row was touched there must be no others
    (``rows_foreign``).
    """
    present = {str(table) for table in tables(there)}
    return [_table(before, after, there, table, str(table) in present) for table in wanted]


def _table(
    before: Session, after: Session, there: Session, table: Table, is_there: bool
) -> dict[str, Any]:
    one, other = rows(before, table), rows(after, table)
    copy = rows(there, table) if is_there else Rows()
    problem = one.problem or other.problem or copy.problem
    sides = (one.buckets, other.buckets, copy.buckets)
    unequal = [k for k in set().union(*sides) if len({side.get(k) for side in sides}) > 1]
    record: dict[str, Any] = {
        "table": str(table),
        "restored": is_there,
        "rows_before": one.count,
        "rows_after": other.count,
        "rows_restored": copy.count,
        "checksum_before": one.checksum,
        "checksum_restored": copy.checksum,
        "hashed_by": table.mode,
        "rows_lost": 0,
        "rows_foreign": 0,
        "rows_touched": 0,
        "looked_at": 1.0,  # the share of what is unequal that was looked up
        "problem": problem,
    }
    if unequal and is_there and not problem:
        try:
            chosen = _affordable(unequal, max(one.count, copy.count))
            record |= _looked_up(before, after, there, table, chosen)
            record["looked_at"] = round(len(chosen) / len(unequal), 4)
        except psycopg.Error as broke:
            record["problem"] = why(broke)
    return record


def _affordable(unequal: list[int], total: int) -> list[int]:
    """As many of the unequal buckets as can be looked up row by row, by lot."""
    most = max(1, MOST_ROWS * BUCKETS // max(1, total))
    return unequal if len(unequal) <= most else random.sample(unequal, most)


def _looked_up(
    before: Session, after: Session, there: Session, table: Table, buckets: list[int]
) -> dict[str, int]:
    one, other = versions(before, table, buckets), versions(after, table, buckets)
    copy = Counter(versions(there, table, buckets).values())
    kept = Counter(hashed for version, hashed in one.items() if other.get(version) == hashed)
    touched = (len(one) - kept.total()) + (len(other) - kept.total())
    return {
        "rows_lost": (kept - copy).total(),
        "rows_foreign": 0 if touched else (copy - kept).total(),
        "rows_touched": touched,
    }


def schema_differences(before: Session, there: Session) -> dict[str, Any]:
    """The restored schema against the source's, object by object."""
    names = schemas(before)
    wanted = catalogue.read(before.connection, names)
    found = catalogue.read(there.connection, sorted({*names, *schemas(there)}))
    told = [d for d in compare(found, wanted, whole=True) if d["class"] in (BREAKING, RISKY)]
    kept = {"kind": "kind", "table": "table", "object": "object"}
    kept |= {"live": "restored", "wanted": "source"}
    rows_ = [{name: row[key] for key, name in kept.items()} for row in told]
    return {"schema": rows_, "objects": len(wanted)}


def joined(
    before: dict[str, int | None], after: dict[str, int | None], there: dict[str, int | None]
) -> list[dict[str, Any]]:
    """Sequences and the number of large objects, side by side."""
    return [
        {"name": n, "before": before[n], "after": after.get(n), "restored": there.get(n)}
        for n in sorted(before)
    ]
