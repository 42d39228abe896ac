"""The migrations: one head, applied in the live database, and giving its schema when replayed."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Severity, Status, Strength, counted, verdict_of
from readiness.sources import catalogue, migrations
from readiness.sources.drift import BREAKING, RISKY, between

EXPECTED = "one head, applied in the live database, and replayed to its schema from nothing"


@check(
    "DAT-SCHEMA-MIGRATIONS",
    sources=[catalogue.live, migrations.replayed],
    severity="medium",
    references=["CWE-1250", "https://alembic.sqlalchemy.org/en/latest/branches.html"],
)
def migrations_give_the_schema(live: Evidence, replayed: Evidence, criteria: Criteria) -> Judgement:
    """The migrations have one head, are applied, and replay to the live schema

    The repository is searched for a migration tool (Alembic, Django, numbered SQL files) unless
    the parameters describe one. Its revisions are held against what the live database lists as
    applied, and are replayed from nothing into a scratch database, whose catalogue is compared
    with the live one. Without any tool this fails as a minor gap where init.sql describes the
    whole schema (DAT-SCHEMA-INIT holds it against the database), and as a greater one elsewhere.

    Why: the next release brings a change of the schema. Without migrations it is done by hand and
    differently on each server; with two heads, or a history that does not replay, it stops half
    way, on the day of the release.
    Bad: two heads after a merge; a revision that is not applied; one that the database has and
    nobody else; a column added on the server by hand; a migration that fails on an empty database.
    Remedy: merge the heads, apply what is pending, write a migration for what was changed by hand,
    and replay the whole history in the pipeline. Where there is no tool: introduce one with the
    present schema as its first revision.
    """
    facts = replayed.facts
    if facts["tool"] is None:
        return _without_tool(facts)
    told = [
        *_history(facts),
        *([] if facts["failed"] or not facts["from"] else _differences(live, replayed)),
    ]
    number = len(facts["revisions"])
    tables = sum(record["kind"] == "table" for record in replayed.records)
    end = f"replayed from {facts['from']} to the {counted(tables, 'table')} of the live database"
    if not facts["from"]:
        end = "not replayed, as the parameters say (target.migrations.replays)"
    return verdict_of(
        told,
        samples=number + len(replayed.records),
        expected=EXPECTED,
        passed=f"{counted(number, 'revision')} with one head, applied, {end}",
        failed="; ".join(f"{one['problem']}: {one['what']}" for one in told[:4]),
        strength=None if facts["from"] else Strength.CONFIGURED,
    )


def _without_tool(facts: dict[str, Any]) -> Judgement:
    script, files = facts["script"], facts["files"]
    observed = f"no migration tool in {counted(files, 'file')} of the repository"
    severity = Severity.MEDIUM
    if script:
        severity = Severity.LOW
        observed += f": raw SQL, {script}, which says nothing of how a database in use follows it"
    return Judgement(
        Status.FAIL,
        EXPECTED,
        observed,
        files,
        offenders=[{"problem": "no migration tool", "what": script or "no script either"}],
        severity=severity,
    )


def _history(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """What is wrong with the revisions themselves, and with what the database applied."""
    told = []
    if len(facts["heads"]) > 1:
        told.append(_one("more than one head", ", ".join(facts["heads"])))
    if facts["failed"]:
        told.append(_one("the history does not replay from nothing", facts["failed"]))
    if facts.get("unwritten"):
        told.append(_one("the models are ahead of the migrations", "makemigrations finds changes"))
    if facts["applied"] is None:
        told.append(_one("the live database does not say what was applied", facts["table"]))
        return told
    told += [_one("not applied in the live database", one) for one in facts["pending"]]
    told += [_one("applied, and not in the repository", one) for one in facts["unknown"]]
    undone = [one for one in facts["revisions"] if one["undo"]]
    if undone:  # who writes some rollbacks means to have them all
        told += [
            _one("has no rollback, where others have", one["revision"])
            for one in facts["revisions"]
            if not one["undo"]
        ]
    return told


def _differences(live: Evidence, replayed: Evidence) -> list[dict[str, Any]]:
    return [
        _one(f"{one['class']} difference after the replay", _place(one)) | one
        for one in between(live, replayed)
        if one["class"] in (BREAKING, RISKY)
    ]


def _place(one: dict[str, Any]) -> str:
    table = f"{one['table']}: " if one["table"] not in ("", one["object"]) else ""
    return f"{table}{one['kind']} {one['object']} is {one['live']}, replayed {one['wanted']}"


def _one(problem: str, what: str) -> dict[str, Any]:
    return {"problem": problem, "what": what}
