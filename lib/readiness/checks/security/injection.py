"""Whether what a caller sends is taken for code: by a database, a shell, a template, a path."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, Strength, counted, not_measured
from readiness.sources.probes import parameters
from readiness.sources.sqlmap import opinions
from readiness.sources.static_code import queries

LOST = ("limiter", "stopped", "silence", "failure")  # nobody's design: it may have hidden a hole


class Injection(Criteria):
    min_reached: float = 0.5  # share of the parameters whose usual value is answered by the code


@check(
    "SEC-INJECTION",
    sources=[queries, parameters, opinions],
    severity="critical",
    criteria=Injection,
    partial=True,
    references=[
        "CWE-89",
        "CWE-78",
        "CWE-1336",
        "CWE-22",
        "OWASP ASVS 5.0 1.2",
        "OWASP WSTG-INPV-05",
        "bandit B608",
    ],
)
def no_injection(
    code: Evidence, probed: Evidence, sqlmap: Evidence, criteria: Injection
) -> Judgement:
    """No SQL or command injection

    Python code is searched for SQL that is built from strings (syntax tree, bandit and ruff,
    suppressing comments ignored). On the running service every parameter of the API's operations is
    probed: a quote, conditions, commands to wait, arithmetic for templates, a path that climbs out.
    A hit is repeated beside a control. Conditions that widen a query go to reading operations only.
    Where target.http.probing.sqlmap_requests allows it and sqlmap is installed, it gives a second
    opinion on reading operations and logins; its requests are sent by the audit's own client.

    Why: one parameter that reaches a query as text is the whole database.
    Bad: `text(f"... {x}")`; a search whose answer changes with `' AND '1'='2`; a parameter that
    makes the database sleep.
    Remedy: bind parameters, in SQLAlchemy as `:name`; take names of columns from a list of one's
    own; what must be built is built by psycopg.sql. A place that is meant to be stands under
    target.repository.code_allowances with its reason.
    """
    expected = "no SQL from strings in the code, and no parameter taken for code by the service"
    offenders = [
        {"file": r["file"], "line": r["line"], "problem": r["problem"]}
        for r in code.records
        if not r["allowed"]
    ]
    hits = [
        {"operation": r["operation"], "parameter": r["parameter"], **one}
        for r in probed.records
        for one in r["found"]
    ]
    for row in sqlmap.records:
        if row["found"]:
            how = f"sqlmap: {', '.join(row['found'])}"
            where = {"operation": row["operation"], "parameter": row["parameter"]}
            hits.append({**where, "kind": "SQL", "how": how})
    reached, possible = probed_in_full(probed)
    samples = len(reached) + code.facts.get("python_files", 0)
    if offenders or hits:
        told = [f"{h['operation']} {h['parameter']}: {h['how']}" for h in hits]
        told += [f"{o['file']}:{o['line']}: {o['problem']}" for o in offenders]
        kind = "" if hits else " in the code"
        said = f"{counted(len(told), 'place')}{kind}: {'; '.join(told[:3])}"
        strength = None if hits else Strength.CONFIGURED
        every: list[dict[str, Any]] = [*hits, *offenders]
        return Judgement(Status.FAIL, expected, said, samples, None, every, None, strength)
    if gap := _gap(code, probed, criteria):
        return not_measured(gap[0], expected, gap[1], samples)
    said = (
        f"nothing in {counted(len(reached), 'parameter')} of "
        f"{counted(len({r['operation'] for r in reached}), 'operation')}, by "
        f"{sum(r['asked'] for r in reached):,} requests; no SQL from strings in "
        f"{counted(code.facts['python_files'], 'Python file')}"
        f"{_left_out(code, probed, len(possible) - len(reached))}{_second(sqlmap)}"
    )
    return Judgement(Status.PASS, expected, said, samples)


def probed_in_full(probed: Evidence) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The parameters whose usual value the code itself answered, and all that might be so."""
    possible = [r for r in probed.records if r["kept_out"] not in ("stub", "not a parameter")]
    return [r for r in possible if not r["kept_out"]], possible


def lost_probes(possible: list[dict[str, Any]]) -> str | None:
    """Why the probing is not complete; None when it is."""
    lost = [r for r in possible if r["kept_out"] in LOST]
    if not lost:
        return None
    return f"{len(lost)} of {len(possible)} parameters were not probed: {lost[0]['note']}"


def too_few(probed: Evidence, least: float) -> str | None:
    """Why the code was not reached often enough to speak of all parameters; None when it was."""
    reached, possible = probed_in_full(probed)
    if reached and len(reached) >= least * len(possible):
        return None
    return probed.facts.get("wrong_base") or (
        f"the usual value of only {len(reached)} of {len(possible)} parameters was answered by "
        "the code behind it: give values under target.http.examples, and roles"
    )


def _gap(code: Evidence, probed: Evidence, criteria: Injection) -> tuple[Reason, str] | None:
    for one in (probed, code):
        if one.problem and one.problem.reason:
            return one.problem.reason, one.problem.message
    if lost := lost_probes(probed_in_full(probed)[1]):
        return Reason.INCONCLUSIVE, lost
    if few := too_few(probed, criteria.min_reached):
        return Reason.INCONCLUSIVE, few
    if not code.facts["python_files"]:
        named = ", ".join(code.facts["languages"])
        return Reason.INCONCLUSIVE, f"the code is {named}, which is not looked at"
    if code.facts["unread"] or code.facts["cut"]:
        unread = code.facts["unread"]
        said = f"{len(unread)} Python files do not parse: {', '.join(unread[:3])}"
        return Reason.INCONCLUSIVE, said if unread else "there are more files than are read"
    return None


def _second(sqlmap: Evidence) -> str:
    """What sqlmap adds to nothing found."""
    if sqlmap.problem:
        return f"; without a second opinion: {sqlmap.problem.message}"
    clean = sum(row["clean"] for row in sqlmap.records)
    without = [row["note"] for row in sqlmap.records if not row["clean"]]
    said = f"; sqlmap {sqlmap.tools['sqlmap']} finds nothing in {counted(clean, 'parameter')}"
    return said + (f" and has no opinion on {len(without)}: {without[0]}" if without else "")


def _left_out(code: Evidence, probed: Evidence, behind: int) -> str:
    parts = []
    if others := {k: n for k, n in code.facts["languages"].items() if k != "Python"}:
        parts.append(f"not looked at: {', '.join(f'{n} {k}' for k, n in others.items())} files")
    if behind:
        parts.append(f"{counted(behind, 'parameter')} not reached")
    if created := probed.facts["created"] - probed.facts["removed"]:
        parts.append(f"{counted(created, 'object')} of the probes left behind")
    if code.facts["without"]:
        parts.append(f"without {'; '.join(code.facts['without'])}")
    return f" ({'; '.join(parts)})" if parts else ""
