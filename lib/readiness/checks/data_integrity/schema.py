"""The live schema against what the ORM and init.sql say it is, each difference with its class."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Severity, verdict_of
from readiness.sources import catalogue
from readiness.sources.drift import BREAKING, CLASSES, COSMETIC, RISKY, between

DDL = "https://www.postgresql.org/docs/current/ddl.html"


def _judge(live: Evidence, wanted: Evidence, who: str) -> Judgement:
    found = between(live, wanted)
    counts = Counter(one["class"] for one in found)
    offenders = [one for one in found if one["class"] in (BREAKING, RISKY)]
    tables = sum(record["kind"] == "table" for record in wanted.records)
    said = ", ".join(f"{counts[name]} {name}" for name in CLASSES if counts[name])
    cosmetic = f" (cosmetic differences: {counts[COSMETIC]})" if counts[COSMETIC] else ""
    touched = {o["table"] for o in offenders}
    judged = verdict_of(
        offenders,
        samples=len(wanted.records),
        expected=f"no breaking or risky difference to {who}",
        passed=f"{tables} tables and all that belongs to them agree with {who}{cosmetic}",
        failed=f"differences to {who} ({said}) in {len(touched)} of {tables} tables: "
        + "; ".join(_sentence(o, who) for o in offenders[:3]),
    )
    if offenders and not counts[BREAKING]:
        return replace(judged, severity=Severity.MEDIUM)
    return judged


def _sentence(offender: dict[str, str], who: str) -> str:
    name, table = offender["object"], offender["table"]
    place = f"{offender['kind']} {name}"
    if table and name != table:
        place = f"{table}: {place}"
    if offender["live"] == "missing":
        said = f"{place} is missing"
    elif offender["wanted"] == "missing":
        said = f"only the database has {place}"
    else:
        said = f"{place} is {offender['live']} where {who} says {offender['wanted']}"
    return f"{said} ({offender['reason']})"


@check(
    "DAT-SCHEMA-ORM",
    sources=[catalogue.live, catalogue.orm],
    severity="high",
    references=["CWE-1250", DDL, "https://docs.sqlalchemy.org/en/20/core/metadata.html"],
)
def live_matches_orm(live: Evidence, orm: Evidence, criteria: Criteria) -> Judgement:
    """The live database is the one that the ORM's models describe

    The models are asked for their DDL in the target's own interpreter; it is loaded into a scratch
    database, and the two catalogues are compared object by object: tables, columns with type,
    nullability and default, keys, checks, indexes, enums, sequences. Each difference is classed:
    breaking (a statement the ORM will issue fails or loses data), risky (it works until it does
    not), cosmetic (no statement notices). What is called breaking is tried: the ORM's own SELECT
    and INSERT run on an empty copy of the live table, and the server's error stands as proof.

    Why: the application is tested against its models and runs against the database. Where the two
    drifted apart, the first request that touches the place fails, or quietly stores something else.
    Bad: a uuid column mapped as VARCHAR; a missing column; NOT NULL that the ORM leaves empty; a
    naive timestamp over timestamptz; INTEGER over bigint; JSON over text.
    Remedy: for each row of the table decide which side is right, then migrate the database or
    correct the model, and let the pipeline compare both from now on. A table of another tool
    belongs under target.database.ignore_tables.
    """
    return _judge(live, orm, who="the ORM")


@check(
    "DAT-SCHEMA-INIT",
    sources=[catalogue.live, catalogue.init_sql],
    severity="high",
    references=["CWE-1250", DDL],
)
def live_matches_init_sql(live: Evidence, init_sql: Evidence, criteria: Criteria) -> Judgement:
    """The live database is the one that init.sql would make

    The script is loaded into a scratch database, and the two catalogues are compared object by
    object, views, functions and triggers included. What only the live database has counts, too:
    the script claims to describe all of it.

    Why: a new environment, a test run or a recovery starts from this script. What it lacks was
    changed by hand once, and will be missing on the day it is needed.
    Bad: a column added on the server and not in the script; a type that differs; a constraint that
    was dropped during an incident.
    Remedy: bring the script to the state of the database (or write the migration that brings the
    database to the script), and load the script in the pipeline. Name tables that other tools keep
    there under target.database.ignore_tables.
    """
    return _judge(live, init_sql, who="init.sql")
