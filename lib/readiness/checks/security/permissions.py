"""Who may do what: the matrix of operations and roles, and the objects of others."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, counted, not_measured
from readiness.sources.login import opened
from readiness.sources.permissions import kind, matrix


class Scopes(Criteria):
    objects_must_be_tried: bool = True  # of one user, by another


@check(
    "SEC-AUTHZ-SCOPES",
    sources=[matrix],
    severity="critical",
    criteria=Scopes,
    references=[
        "CWE-639",
        "CWE-285",
        "CWE-863",
        "OWASP API Security Top 10 2023: API1, API3, API5",
        "OWASP ASVS 5.0 8.2.1, 8.2.2",
    ],
)
def as_declared(cells: Evidence, criteria: Scopes) -> Judgement:
    """The role x operation matrix is the declared one

    Every operation is asked for by every role, and the answer compared with the scopes that the
    API document asks for, or with the roles that the parameters name. 403 is a refusal; an answer
    about the object (404), about the body (422) or with success means that the role was let in.
    A 404 alone is less grave, as the service may look the object up before it asks who is calling,
    and refuse where there is one. Then one user tries to list, read, change and delete an object
    that another user of the same role has just made; whether it was changed, its owner looks.
    Values within an object that only some may see, and what a role may do once its body is right,
    are not tried.

    Why: most break-ins of APIs are one changed identifier in a request that is otherwise right.
    Bad: a reader who may delete; an identifier that is not checked against its owner; a list
    without an owner filter.
    Remedy: refuse by default and ask for a scope on every operation; let every query of an object
    carry its owner, in one function that all routes use.
    """
    expected = "each role lets in where declared and nowhere else, each object to its owner alone"
    asked = [c for c in cells.records if c["seen"] in ("allowed", "denied")]
    others = cells.facts["others"]
    samples = len(asked) + len(others)
    offenders = [_told(c) for c in cells.records if kind(c).startswith("let in")]
    offenders += [_stolen(r) for r in others if r["got_through"]]
    too_strict = [_told(c) for c in cells.records if kind(c).startswith("refused")]
    if offenders or too_strict:
        found = [*offenders, *too_strict]
        shown = "; ".join(o["problem"] for o in found[:4])
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        looked = all(o.get("answer") == "reached" for o in offenders)
        severity = (Severity.HIGH if looked else None) if offenders else Severity.MEDIUM
        return Judgement(
            Status.FAIL, expected, shown + more, samples, offenders=found, severity=severity
        )
    if gaps := _gaps(cells, criteria):
        said = f"nobody got further than declared, but: {'; '.join(gaps)}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, samples)
    return Judgement(Status.PASS, expected, _passed(cells, len(asked)), samples)


def _told(cell: dict[str, Any]) -> dict[str, Any]:
    said = "let in" if cell["seen"] == "allowed" else "refused"
    said = "told about the object, and not refused," if cell["answer"] == "reached" else said
    made = cell["operation"].startswith("POST ") and opened(cell["status"])
    left = "; what that made is not removed" if made and said == "let in" else ""
    return {
        "operation": cell["operation"],
        "role": cell["role"],
        "declared": cell["declared"],
        "answer": cell["answer"],
        "status": cell["status"],
        "problem": f"{cell['role']} is {said} at {cell['operation']} ({cell['status']}), "
        f"declared {cell['declared']}{left}",
    }


def _stolen(row: dict[str, Any]) -> dict[str, Any]:
    could = {"list": "lists", "read": "reads", "change": "changes", "delete": "deletes"}
    problem = f"{row['by']} {could[row['attempt']]} the {row['object']} of {row['of']}"
    return {
        "operation": row["operation"],
        "role": row["by"],
        "status": row["status"],
        "problem": f"{problem} ({row['status']})",
    }


def _gaps(cells: Evidence, criteria: Scopes) -> list[str]:
    """What keeps the refusals from being the whole answer."""
    facts, gaps = cells.facts, list(cells.facts["gaps"])
    undeclared = sorted({c["operation"] for c in cells.records if c["declared"] is None})
    if undeclared:
        gaps.append(f"nothing is declared for {_few(undeclared)} (permissions.allowed)")
    open_questions = [
        f"{c['role']} at {c['operation']}"
        for c in cells.records
        if c["declared"] == "denied" and c["seen"] in ("unclear", "not asked")
    ]
    if open_questions:
        gaps.append(f"could not be told: {_few(open_questions)}")
    heard = {c["role"] for c in cells.records if c["seen"] == "allowed"}
    if silent := [role for role in facts["roles"] if role not in heard]:
        gaps.append(f"{_few(silent)} got in nowhere, so its refusals say nothing")
    if unsure := [f"{r['attempt']} {r['object']}" for r in facts["others"] if not r["sure"]]:
        gaps.append(f"not to be told from the answers: {_few(unsure)}")
    if facts["left_out"]:
        gaps.append(f"no usable path in the document: {_few(facts['left_out'])}")
    if criteria.objects_must_be_tried and not facts["owned_declared"]:
        gaps.append("no object of one user was tried by another (permissions.owned)")
    return gaps


def _few(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _passed(cells: Evidence, asked: int) -> str:
    facts = cells.facts
    not_asked = sum(c["seen"] in ("not asked", "unclear") for c in cells.records)
    operations = len({c["operation"] for c in cells.records})
    said = (
        f"{counted(operations, 'operation')} x {counted(len(facts['roles']), 'role')}: {asked} as "
        f"declared, {not_asked} of what is allowed not asked"
    )
    if tried := len(facts["others"]):
        said += f"; {counted(tried, 'attempt')} at objects of others refused"
    left = [r["left"] for r in facts["others"] if r["left"]]
    return said + (f"; {'; '.join(left)}" if left else "")
