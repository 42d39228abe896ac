"""Storage: pages with checksums, indexes that are valid, numbers far from their end."""

from __future__ import annotations

from collections import Counter
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, counted, not_measured, verdict_of
from readiness.sources.storage import WRAPAROUND, kept


class Storage(Criteria):
    checksums_required: bool = True
    most_used: float = 0.8  # of the range of a key or sequence
    nearly_full: float = 0.9  # from here on it is no plan any more but an incident
    most_age: float = 0.5  # of the way to transaction wraparound
    amcheck_required: bool = False


@check(
    "DAT-STORAGE",
    sources=[kept],
    severity="high",
    criteria=Storage,
    references=[
        "https://www.postgresql.org/docs/current/checksums.html",
        "https://www.postgresql.org/docs/current/amcheck.html",
        "https://www.postgresql.org/docs/current/routine-vacuuming.html#VACUUM-FOR-WRAPAROUND",
    ],
)
def storage_sound(storage: Evidence, criteria: Storage) -> Judgement:
    """Storage is sound: page checksums on, indexes valid, keys and sequences far from their end

    The server is asked whether it checks its pages and whether a check has failed; whether every
    index is valid; how much of its range each sequence and each integer key has used, by the
    smallest type on the way, as a sequence may count further than the column it fills; and how far
    the oldest transaction is from wraparound. Where the extension amcheck is installed and the
    audit's role may call it, every B-tree index is verified; else the answer says that it was not.

    Why: without checksums a failing disk hands out wrong rows in silence and into every backup; an
    invalid index is maintained and never used, and if it is unique, enforces nothing; on the day a
    key reaches 2,147,483,647 no row can be inserted any more.
    Bad: an int4 key at 95 %; a bigint sequence that fills an integer column; an index whose
    concurrent build failed; data checksums off.
    Remedy: pg_checksums --enable while the server is down; REINDEX INDEX CONCURRENTLY; change the
    key and what points to it to bigint before it is full; let vacuum freeze the oldest tables.
    """
    expected = (
        f"data checksums on, every index valid, no key or sequence over {criteria.most_used:.0%}, "
        f"no more than {criteria.most_age:.0%} of the way to wraparound"
    )
    offenders: list[dict[str, Any]] = []
    grave = False
    for record in storage.records:
        if problem := _problem(record, criteria):
            said, bad = problem
            grave = grave or bad
            offenders.append({"kind": record["kind"], "what": record["what"], "problem": said})
    kinds = Counter(record["kind"] for record in storage.records)
    unread = [f"{r['what']}: {r['problem']}" for r in storage.records if "problem" in r]
    amcheck = storage.facts["amcheck"]
    number = len(storage.records) - len(unread)
    if not offenders and unread:
        return not_measured(Reason.INCONCLUSIVE, expected, f"not read: {'; '.join(unread)}", number)
    if not offenders and criteria.amcheck_required and not kinds["amcheck"]:
        return not_measured(
            Reason.TOOL_MISSING, expected, f"the criteria require amcheck: {amcheck}", number
        )
    used = max((r["used"] for r in storage.records if "used" in r), default=0.0)
    return verdict_of(
        offenders,
        samples=number,
        expected=expected,
        passed=f"data checksums on; {counted(kinds['index'], 'index')} valid; "
        f"{counted(kinds['key'], 'key')} and {counted(kinds['sequence'], 'sequence')} at most "
        f"{used:.1%} used; amcheck: {amcheck}".replace("indexs", "indexes"),
        failed="{n} of " + f"{number}: " + "; ".join(
            f"{o['what']}: {o['problem']}" for o in offenders[:4]
        ),
        severity=None if grave else Severity.MEDIUM,
    )  # fmt: skip


def _problem(record: dict[str, Any], criteria: Storage) -> tuple[str, bool] | None:
    """What is wrong with one thing, and whether it is grave."""
    kind = record["kind"]
    if kind == "pages":
        if record["failures"]:
            return f"{record['failures']} pages failed their checksum", True
        off = record["data_checksums"] != "on" and criteria.checksums_required
        return ("data checksums are off", False) if off else None
    if kind == "index" and not record["valid"]:
        return "the index is not valid", record["unique"]
    if kind == "amcheck" and not record.get("sound", True):
        return f"amcheck: {record['said']}", True
    if kind == "age":
        age = max(record["transactions"], record["multixacts"]) / WRAPAROUND
        return (f"{age:.0%} of the way to wraparound", True) if age > criteria.most_age else None
    if record.get("used", 0) > criteria.most_used and not record.get("cycles"):
        said = f"{record['used']:.1%} of its range is used ({record['type'] or 'its own'})"
        return said, record["used"] >= criteria.nearly_full
    return None
