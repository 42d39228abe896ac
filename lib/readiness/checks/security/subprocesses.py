"""Programs started and data run as code: only behind a switch, and the switch is off."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, counted, not_measured
from readiness.sources.dangerous_calls import dangerous_calls


@check(
    "SEC-SUBPROCESS",
    sources=[dangerous_calls],
    severity="high",
    strength="CONFIGURED",
    references=["CWE-78", "CWE-94", "CWE-502", "OWASP ASVS 5.0 1.2.5, 1.5"],
)
def behind_a_gate(calls: Evidence, criteria: Criteria) -> Judgement:
    """Every subprocess stands behind its gate

    The syntax tree of every Python file that runs in production is searched for calls that start a
    program (subprocess, os.system, asyncio), run data as code (eval, exec) or load it unsafely
    (pickle, yaml.load). Each must stand in a branch, or behind an early return, that asks a gate
    declared under target.repository.gates; and wherever the gate's value is set, it is off.

    Why: what starts programs turns one hole anywhere else into the whole machine.
    Bad: a call without a gate; a gate that is asked and stands on in the compose file.
    Remedy: put the call behind `if not settings.allow_...: raise`, declare the gate, leave it off.
    A call that is meant to be stands under code_allowances with its reason.
    """
    expected = "no call, or every call behind a declared gate that is off"
    facts = calls.facts
    rows = [r for r in calls.records if not r["allowed"]]
    open_calls: list[dict[str, Any]] = [r for r in rows if not r["gate"]]
    used = {r["gate"] for r in rows if r["gate"]}
    gates = [g for g in facts["gates"] if g["gate"] in used]
    on = [{"gate": g["gate"], **s} for g in gates for s in g["set"] if not s["off"]]
    samples = facts["python_files"]
    if open_calls or on:
        told = [f"{r['file']}:{r['line']} {r['call']}() without a gate" for r in open_calls]
        told += [f"{o['gate']} is on in {o['where']}" for o in on]
        said = f"{counted(len(told), 'fault')}: {'; '.join(told[:4])}"
        return Judgement(Status.FAIL, expected, said, samples, offenders=[*open_calls, *on])
    if facts["unread"]:
        said = f"{counted(len(facts['unread']), 'file')} did not parse: {facts['unread'][0]}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, samples)
    if unset := [g["gate"] for g in gates if not g["set"]]:
        said = f"nothing says what {', '.join(unset)} is set to: give its value under gates"
        return not_measured(Reason.INCONCLUSIVE, expected, said, samples)
    kept = len(calls.records) - len(rows)
    said = f"{counted(len(rows), 'call')} in {counted(samples, 'Python file')}"
    said += f", all behind {', '.join(sorted(used))}, which is off" if used else ""
    said += f"; {counted(kept, 'call')} allowed" if kept else ""
    others = {k: n for k, n in facts["languages"].items() if k != "Python"}
    said += f"; not read: {', '.join(f'{n} {k}' for k, n in others.items())}" if others else ""
    return Judgement(Status.PASS, expected, said, samples)
