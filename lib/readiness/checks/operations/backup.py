"""Backup: not whether there is a script, but whether what it makes can be restored."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, not_measured, verdict_of
from readiness.sources.backup import rehearsal

SMALLEST = 100  # bytes: less holds no database


class Backup(Criteria):
    max_restore_s: float = Field(default=3600, gt=0)  # the recovery time objective
    max_age_hours: float = Field(default=24, gt=0)  # the recovery point objective


@check(
    "OPS-BACKUP",
    sources=[rehearsal],
    severity="critical",
    criteria=Backup,
    references=[
        "PostgreSQL documentation, chapter 26: Backup and Restore",
        "NIST SP 800-34, 3.4.2 and 3.5.2",
        "CWE-693",
    ],
)
def backup_restores(trial: Evidence, criteria: Backup) -> Judgement:
    """A backup is taken, restored and agrees

    The target's own command takes a backup, its own command restores it into an empty scratch
    database, and the two databases are compared: every object of the schema, the rows of every
    table by count and by checksum, and where the sequences stand. Rows that changed while the
    backup ran are told apart, and not compared. A file cut in half is given to the restore as well,
    which must refuse it. The time of the restore stands against the
    recovery time objective, and the age of the newest kept backup, where the parameters say where
    backups are kept, against the recovery point objective. Where they name no commands,
    PostgreSQL's own show whether the database can be backed up at all, which is no pass: nobody
    may be doing it.

    Why: a backup that was never restored is a hope. Scripts end well and leave an empty file, and
    the day it matters is the day it shows.
    Bad: a dump of 20 bytes with exit status 0; a cut archive that is restored "with warnings"; a
    table that is left out; a restore that drops rows, or that waits for its own connection.
    Remedy: `pg_dump --format=custom`, then `pg_restore --exit-on-error --single-transaction`, both
    under `set -euo pipefail`; run this rehearsal on a schedule, with the file that was really
    kept.
    """
    facts, ours = trial.facts, trial.facts["own_commands"]
    expected = (
        "the restored backup equals the database, within "
        f"{criteria.max_restore_s:g} s, and none older than {criteria.max_age_hours:g} h"
    )
    offenders = _steps(facts)
    if ours and offenders and facts["steps"][0]["exit"] != 0:
        said = f"{offenders[0]['problem']} (pg_dump by the audit, as the role of source_url)"
        return not_measured(Reason.INCONCLUSIVE, expected, said)
    tables = [row for row in trial.records if row["problem"] is None]
    if not offenders:
        offenders = [
            {"problem": _difference(row), **row} for row in facts["schema"] if not _is_table(row)
        ]
        offenders += [o for row in tables if (o := _rows(row))]
        offenders += [o for row in facts["counters"] if (o := _counter(row))]
        _, restore, halved = facts["steps"]
        if restore["seconds"] > criteria.max_restore_s:
            offenders.append({"problem": f"the restore took {restore['seconds']:.0f} s"})
        if halved["exit"] == 0:
            problem = "a file cut in half is restored with exit status 0, as if it were whole"
            offenders.append({**halved, "problem": problem})
    offenders += _stored(facts["stored"], criteria)
    if not offenders:
        if unread := [row for row in trial.records if row["problem"]]:
            said = f"{unread[0]['table']} could not be read: {unread[0]['problem']}"
            more = f" (and {len(unread) - 1} more tables)" if len(unread) > 1 else ""
            return not_measured(Reason.INCONCLUSIVE, expected, said + more, len(tables))
        if not any(row["rows_restored"] for row in tables):
            said = "the database holds no row, so a restore that loses rows could not be told"
            return not_measured(Reason.NO_SAMPLES, expected, said, len(tables))
        if ours:
            said = (
                "the audit's own pg_dump and pg_restore keep everything, but how the service takes "
                "its backups is not known: give target.backup.dump and restore"
            )
            return not_measured(Reason.NO_PARAMETER, expected, said, len(tables))
    return verdict_of(
        offenders,
        samples=len(trial.records) or len(facts["steps"]),
        expected=expected,
        passed="" if offenders else _agreement(facts, tables),
        failed=f"{{n}} wrong: {'; '.join(o['problem'] for o in offenders[:4])}",
    )


def _steps(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """What went wrong before there was anything to compare."""
    offenders = []
    for step in facts["steps"][:2]:
        said = f": {step['said']}" if step["said"] else ""
        if step["exit"] is None:
            problem = f"the {step['step']} did not end within {step['timeout_s']:g} s{said}"
            offenders.append({**step, "problem": problem})
        elif step["exit"] != 0:
            problem = f"the {step['step']} ended with status {step['exit']}{said}"
            offenders.append({**step, "problem": problem})
    file = facts["file"]
    if file["problem"] and not offenders:
        ended = "the dump ended well and " if facts["steps"][0]["exit"] == 0 else ""
        offenders.append({**file, "problem": f"{ended}the backup is no good: {file['problem']}"})
    return offenders


def _is_table(row: dict[str, Any]) -> bool:
    """Whether a whole table is missing, which is told with its rows."""
    return bool(row["kind"] == "table" and row["restored"] == "missing")


def _difference(row: dict[str, Any]) -> str:
    inside = row["table"] not in ("", row["object"])
    place = f"{row['table']}.{row['object']}" if inside else row["object"]
    return f"{row['kind']} {place} is {row['restored']} in the restored database"


def _rows(row: dict[str, Any]) -> dict[str, Any] | None:
    """A table whose rows were not restored as they were."""
    lost, foreign = row["rows_lost"], row["rows_foreign"]
    problem = None
    if not row["restored"]:
        problem = f"{row['table']} was not restored ({row['rows_before']} rows)"
    elif row["rows_restored"] == 0 and row["rows_touched"] == 0 and lost:
        problem = f"{row['table']} was restored without any of its {row['rows_before']} rows"
    elif lost or foreign:
        least = "at least " if row["looked_at"] < 1 else ""
        problem = (
            f"{row['table']} has {row['rows_restored']} rows restored of {row['rows_before']}; "
            f"{least}{lost} are lost, {foreign} were never there"
        )
    return {**row, "problem": problem} if problem else None


def _counter(row: dict[str, Any]) -> dict[str, Any] | None:
    """A sequence, or the number of large objects, that is behind what it was."""
    known = [value for value in (row["before"], row["after"]) if value is not None]
    if not known or (row["restored"] is not None and row["restored"] >= min(known)):
        return None
    told = f"{row['name']} stands at {row['restored'] or 'nothing'}, in the source at {min(known)}"
    return {**row, "problem": told}


def _stored(stored: dict[str, Any] | None, criteria: Backup) -> list[dict[str, Any]]:
    """What is wrong with the backups that are kept."""
    if stored is None:
        return []
    if not stored["backups"]:
        return [{"problem": "no kept backup was found under target.backup.stored"}]
    offenders = []
    if stored["age_hours"] > criteria.max_age_hours:
        offenders.append({"problem": f"the newest kept backup is {stored['age_hours']:.0f} h old"})
    if stored["bytes"] < SMALLEST:
        offenders.append({"problem": f"the newest kept backup has {stored['bytes']} bytes"})
    return offenders


def _agreement(facts: dict[str, Any], tables: list[dict[str, Any]]) -> str:
    dump, restore, _ = facts["steps"]
    rows = sum(row["rows_restored"] for row in tables)
    moved = sum(row["rows_touched"] > 0 for row in tables)
    sampled = " (a sample of them)" if any(row["looked_at"] < 1 for row in tables) else ""
    kept = facts["stored"]
    said = [
        f"{facts['file']['bytes']:,} bytes ({facts['file']['format']}) taken in "
        f"{dump['seconds']:.1f} s and restored in {restore['seconds']:.1f} s; {len(tables)} tables "
        f"with {rows:,} rows, and {facts['objects']} objects, agree; half the file was refused",
        f"{moved} changed meanwhile: there the rows that nobody touched{sampled}" if moved else "",
        f"the newest of {kept['backups']} kept backups is {kept['age_hours']:.1f} h old"
        if kept
        else "kept backups were not looked at (target.backup.stored)",
    ]
    return "; ".join(part for part in said if part)
