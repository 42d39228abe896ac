"""Contents of the tables, against what was there before and what stands elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, counted, not_measured, verdict_of
from readiness.sources.checksums import of_tables, since


@check(
    "DAT-CHECKSUMS",
    sources=[of_tables],
    severity="high",
    references=[
        "CWE-354",
        "NIST SP 800-53 SI-7",
        "https://www.postgresql.org/docs/current/warm-standby.html",
    ],
)
def contents_agree(tables: Evidence, criteria: Criteria) -> Judgement:
    """Row counts and content checksums agree with the last run, a replica, a restored backup

    Every row of every table is hashed in the server and the hashes are added up, with the number of
    rows: the order of rows makes no difference, a row that was doubled does, and so does a NULL. In
    a table that the parameters call immutable nothing may change between two runs; in one that is
    append-only, the rows that were there must still be there as they were. A replica must hold the
    same rows, in every table that holds still while it is compared; of a restored backup that is
    asked of immutable tables and of what append-only ones had then, as the others have lived on.
    Any other table may change between runs, which is shown; but it may not vanish or be emptied.

    Why: a disk, a careless script and an intruder all change rows in silence; a replica that has
    drifted is found out on the day it has to take over.
    Bad: one changed value in a table of the books; a pair of rows that was doubled; a row that the
    replica lacks; a table that is empty now.
    Remedy: find what wrote (the audit log, the server's log), restore the rows from a backup taken
    before, set the replica up anew; or correct the declaration, if the table may change after all.
    """
    expected = (
        "immutable tables as they were, append-only ones only longer, none vanished or emptied, "
        "the replica the same"
    )
    facts = tables.facts
    offenders: list[dict[str, Any]] = []
    unclear, compared, strict = [], 0, 0
    for record in tables.records:
        name = record["table"]
        places = [p for p in ("previous", "replica", "restored") if p in record]
        compared += bool(places)
        strict += bool(places) and bool(record["declared"] or "replica" in record)
        if said := _problem(record):
            offenders.append({"table": name, "problem": said, "rows": record["rows"]})
        if "problem" in record and not record.get("gone"):
            unclear.append(f"{name}: {record['problem']}")
        elif record.get("replica", "same").startswith(("changing", "not read")):
            unclear.append(f"{name}: the replica could not be compared ({record['replica']})")
    unclear += [str(facts[p]) for p in ("replica", "restored") if "not comp" in facts.get(p, "")]
    if not offenders and not compared:
        return not_measured(
            Reason.NO_SAMPLES,
            expected,
            f"nothing to compare with: {facts.get('why') or 'no table was there before'}; this "
            "run's checksums are kept for the next one",
        )
    if not offenders and unclear:
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(unclear[:4]), compared)
    grave = any(not o["problem"].startswith("emptied") for o in offenders)
    return verdict_of(
        offenders,
        samples=compared,
        expected=expected,
        passed=f"{counted(compared, 'table')} compared with {_with(facts)}"
        f"{_changes(tables)}; {strict} of them strictly"
        + ("" if strict else " (none is declared immutable or append_only)"),
        failed="{n} of " + f"{counted(len(tables.records), 'table')}, compared with "
        f"{_with(facts)}: " + "; ".join(f"{o['table']}: {o['problem']}" for o in offenders[:4]),
        severity=None if grave else Severity.MEDIUM,
    )


def _with(facts: dict[str, Any]) -> str:
    said = [f"run {facts['previous']}"] if facts.get("previous") else []
    said += ["the replica"] * ("replica" in facts) + ["the restored backup"] * ("restored" in facts)
    return " and ".join(said) or "nothing"


def _changes(tables: Evidence) -> str:
    found = Counter(since(r).split(" ")[0].strip(",") for r in tables.records if "previous" in r)
    return f" ({', '.join(f'{n} {word}' for word, n in found.items())})" if found else ""


def _problem(record: dict[str, Any]) -> str | None:
    """What may not be, of one table."""
    kind, change = record["declared"], since(record)
    if change == "gone":
        return f"gone: it had {record['previous_rows']} rows"
    if kind == "immutable" and change not in ("", "unchanged"):
        return f"declared immutable, and {change}"
    if kind == "append_only" and change.startswith("changed"):
        if "prefix" in record or record["rows"] < record["previous_rows"]:
            return f"declared append-only, and rows that were there are not as they were ({change})"
        if change == "changed":
            return "declared append-only, and changed without growing"
    if record.get("previous_rows") and record["rows"] == 0 and not kind:
        return f"emptied: it had {record['previous_rows']} rows"
    if record.get("replica") in ("differs", "missing", "only there"):
        return f"the replica: {record['replica']}"
    if kind and record.get("restored") in ("differs", "missing"):
        was = "is missing in" if record["restored"] == "missing" else "differs from"
        return f"declared {kind.replace('_', '-')}, and {was} the restored backup"
    return None
