"""The script that makes the database: does it load, and does it load again."""

from __future__ import annotations

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Severity, verdict_of
from readiness.sources.init_sql import ABORTED, loading


@check(
    "DEP-INIT-SQL",
    sources=[loading],
    severity="high",
    references=[
        "https://www.postgresql.org/docs/current/app-psql.html (ON_ERROR_STOP)",
        "https://www.postgresql.org/docs/current/sql-commands.html",
    ],
)
def loads_twice(loading: Evidence, criteria: Criteria) -> Judgement:
    """init.sql loads without error into an empty database, and a second time

    Every statement of the script is sent to an empty scratch database, and once more to the
    database it has made. What counts is each statement's own answer: psql ends with success after
    any number of errors unless ON_ERROR_STOP is set.

    Why: the script runs on the day a new environment is made, or an old one is to be rebuilt in a
    hurry. An error in it then leaves half a database, often without anybody noticing.
    Bad: a syntax error at line 404, after which nothing was made; CREATE TABLE without IF NOT
    EXISTS; a BEGIN without COMMIT; GRANT to a role that nothing creates.
    Remedy: correct the statement; make it repeatable (IF NOT EXISTS, ON CONFLICT DO NOTHING); load
    the script with ON_ERROR_STOP in the pipeline. A role that the platform makes belongs under
    target.repository.init_roles.
    """
    script = loading.facts["script"]
    # After an error in a transaction every statement is refused: that is not another error.
    errors = [r for r in loading.records if r["error"] and r["sqlstate"] != ABORTED]
    first = [r for r in errors if r["pass"] == 1]
    again = [r for r in errors if r["pass"] == 2]
    statements = loading.facts["statements"]
    worst = first or again
    told = f"{worst[0]['error']} at line {worst[0]['line']}" if worst else ""
    return verdict_of(
        worst,
        samples=statements,
        expected="every statement succeeds in an empty database, and again",
        passed=f"{script}: {statements} statements loaded, and loaded again",
        failed=f"{script}: {{n}} of {statements} statements failed in an empty database: {told}"
        if first
        else f"{script} loads once, but {{n}} of {statements} statements fail the second time: "
        + told,
        severity=None if first else Severity.MEDIUM,
    )
