"""Constraints of the live database: there, enforced, validated, and no row that breaks them."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, not_measured, verdict_of
from readiness.sources.constraints import kept


def _problems(record: dict[str, Any]) -> list[str]:
    """What is wrong with one constraint."""
    said = []
    if not record["exists"]:
        said.append("declared by the ORM, missing in the database")
    elif not record["validated"]:
        said.append("NOT VALID: rows from before it was added were never checked")
    if record["silent_triggers"]:
        said.append("its triggers are switched off: it is not enforced")
    if not record["index_valid"]:
        said.append("its index is not valid: it is not enforced")
    if record["orphans"]:
        broken = "rows that break it" if record["kind"] == "check" else "rows that point to nothing"
        said.append(f"{broken}: {record['orphans']}")
    return said


@check(
    "DAT-CONSTRAINTS",
    sources=[kept],
    severity="high",
    references=[
        "CWE-1250",
        "https://www.postgresql.org/docs/current/ddl-constraints.html",
        "https://www.postgresql.org/docs/current/sql-altertable.html (NOT VALID, DISABLE TRIGGER)",
    ],
)
def hold(constraints: Evidence, criteria: Criteria) -> Judgement:
    """Constraints exist, are enforced and validated, and no row breaks them

    Every foreign key, unique, primary key and check of the live database is looked up in the
    catalogue: validated, its index valid, its triggers on. The rows that point to nothing are
    counted for every foreign key, and for those that only the ORM declares; those that break it,
    for every check that was never validated. Triggers of the application that were switched off,
    and a role or database whose session_replication_role lets none fire, are found too.

    Why: a constraint that is NOT VALID or switched off looks like one and protects nothing; an
    orphan is a reading whose owner is gone, which the next join silently leaves out.
    Bad: NOT VALID that was never followed by VALIDATE; triggers disabled for an import and left so;
    orphans where the key is missing; a unique index whose concurrent build failed.
    Remedy: remove or repair the rows listed, then ALTER TABLE ... VALIDATE CONSTRAINT, ENABLE
    TRIGGER ALL, REINDEX, or add the missing key.
    """
    expected = "every declared constraint is there, enforced and validated; no orphans"
    keys = [r for r in constraints.records if r["kind"] == "foreign key"]
    offenders = [
        {
            "table": record["table"],
            "constraint": record["name"] or "(missing)",
            "kind": record["kind"],
            "columns": ", ".join(record["columns"]),
            "problem": "; ".join(said),
            "orphans": record["orphans"],
        }
        for record in constraints.records
        if (said := _problems(record))
    ]
    offenders += [
        {
            "table": one["table"],
            "constraint": one["name"],
            "kind": one["kind"],
            "columns": "",
            "problem": f"session_replication_role is {one['how']}: no trigger fires"
            if one["kind"] == "setting"
            else f"the trigger is {one['how']}"
            if one["how"] == "switched off"
            else f"the trigger {one['how']}",
            "orphans": None,
        }
        for one in constraints.facts["silenced"]
    ]
    uncounted = [r for r in constraints.records if r["problem"]]
    if not offenders and uncounted:
        tables = ", ".join(sorted({r["table"] for r in uncounted})[:5])
        return not_measured(
            Reason.INCONCLUSIVE,
            expected,
            f"rows could not be counted for {len(uncounted)} of {len(constraints.records)} "
            f"constraints ({tables}): {uncounted[0]['problem']}",
            len(constraints.records) - len(uncounted),
        )
    if not offenders and constraints.facts["declared_keys"].startswith("unknown"):
        return not_measured(
            Reason.INCONCLUSIVE,
            expected,
            "what the database has holds, but the ORM could not be asked which keys it declares: "
            + constraints.facts["declared_keys"].removeprefix("unknown: "),
            len(constraints.records),
        )
    broken = any(o["orphans"] for o in offenders)
    return verdict_of(
        offenders,
        samples=len(constraints.records),
        expected=expected,
        passed=f"{len(constraints.records)} constraints hold; no orphan under any of {len(keys)} "
        f"foreign keys (declared by the ORM: {constraints.facts['declared_keys']})",
        failed=f"{{n}} of {len(constraints.records)} constraints: "
        + "; ".join(
            f"{o['table']} ({o['columns'] or o['constraint']}): {o['problem']}"
            for o in offenders[:4]
        ),
        severity=None if broken else Severity.MEDIUM,
    )
