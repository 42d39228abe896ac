"""Health endpoints: do they say what they are documented to say, and nobody else for them?"""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Strength, not_measured, verdict_of
from readiness.sources.health import answers
from readiness.sources.outage import NOT_LET_IN, outages

KINDS = ("liveness", "readiness")
# Where no dependency was taken away, and why.
UNTRIED = {
    "not permitted": "write is not permitted here",
    "not declared": "target.http.outages names none",
}


@check(
    "OPS-HEALTH",
    sources=[answers, outages],
    severity="high",
    references=[
        "Kubernetes: liveness, readiness and startup probes",
        "RFC 9111 5.1 (Age)",
        "draft-inadarei-api-health-check",
    ],
)
def health_endpoints(responses: Evidence, outages: Evidence, criteria: Criteria) -> Judgement:
    """Health endpoints answer with the documented content, and readiness turns

    Liveness and readiness are asked and compared with what is documented: status, content type,
    and the body field by field. A path beside each that cannot exist is asked too: if it gets an
    answer that would do as well, the front end answers for everything and the endpoint shows
    nothing. Figures that are all nought, values that should move and do not, and answers out of a
    cache are no health. Where the environment permits to write, each declared dependency is taken
    away for a moment: readiness must then answer 400 or above, or nothing, as orchestrators look at
    the status alone, and must be well again once the dependency is given back. Elsewhere the
    answer says that this was not tried, and counts as CONFIGURED.

    Why: orchestrators restart and route by these answers; one that is always well keeps a dead
    instance in service.
    Bad: the single-page application's index page with 200 for every path; `{"uptime": 0,
    "connections": 0}` written into the code; a health answer kept by a proxy for a minute; 200 with
    `"database": "failed"` in the body; a readiness that stays ill when the database is back.
    Remedy: route the health paths past caches and the front end's catch-all to the application;
    answer from what the process knows at that moment, with 503 while a dependency is away; document
    the answer under target.http.health and the dependencies under target.http.outages.
    """
    rows = {(r["endpoint"], r["kind"], r["probe"]): r for r in responses.records}
    declared = responses.facts["declared"]
    tried = outages.facts["state"] not in UNTRIED
    expected = "liveness and readiness answer with the documented status, type and content"
    expected += ", and readiness turns while a dependency is away" * tried
    offenders: list[dict[str, Any]] = []
    unknown: list[str] = []
    for endpoint in declared:
        path, kind = endpoint["path"], endpoint["kind"]
        first, beside = rows[path, kind, "endpoint"], rows[path, kind, "nonsense"]
        again = rows.get((path, kind, "again"))
        if refused := [r["status"] for r in (first, again) if r and r["status"] in NOT_LET_IN]:
            unknown.append(f"{path} answers {refused[0]}: the audit is not let in (as_role)")
            continue
        wrong = _problems(endpoint, first)
        if not wrong and not _problems(endpoint, beside):
            wrong.append("a path that cannot exist gets an answer as good: a catch-all answers")
        if not wrong:
            wrong = _hard_coded(endpoint, first) + _stands_still(endpoint, first, again)
        offenders += [_offender(endpoint, problem) for problem in wrong]
        if not wrong and beside["status"] in (None, 429):
            said = beside["error"] or beside["status"]
            unknown.append(f"{path} could not be told from a catch-all: nonsense got {said}")
    if tried:
        offenders += _turning(outages)
        unknown += _not_seen(outages)
    if not offenders:
        undeclared = _undeclared(declared)
        if undeclared or unknown:
            reason = Reason.INCONCLUSIVE if unknown else Reason.NO_PARAMETER
            return not_measured(reason, expected, "; ".join(unknown + undeclared), len(rows))
    return verdict_of(
        offenders,
        samples=len(rows),
        expected=expected,
        passed=(
            f"{', '.join(d['path'] for d in declared)} answer as documented, and a path that "
            f"cannot exist does not; {_turned(outages)}"
        ),
        failed=f"{{n}} wrong: {'; '.join(o['problem'] for o in offenders[:4])}",
        strength=None if tried else Strength.CONFIGURED,
    )


def _turning(outages: Evidence) -> list[dict[str, Any]]:
    """In what readiness did not follow a dependency, and what was not given back."""
    offenders = []
    for one in outages.facts["dependencies"]:
        name, wrong = one["name"], []
        if "given" in one and one["given"]["exit"] != 0:
            wrong.append(f"{name} WAS NOT GIVEN BACK: {_ended(one['given'])}")
        for phase, key, within, gone in (
            ("away", "turned", "within_s", "taken away"),
            ("back", "recovered", "back_within_s", "given back"),
        ):
            answers = _answers(outages, name, phase)
            if one.get(key) is False and all(a["let_in"] for a in answers):
                said = ", ".join(
                    dict.fromkeys(str(a["status"] or a["error"]) for a in answers[-6:])
                )
                how = "stays well" if phase == "away" else "stays ill"
                wrong.append(f"readiness {how} ({said}) {one[within]:g} s after {name} was {gone}")
        offenders += [{"dependency": name, "problem": problem} for problem in wrong]
    return offenders


def _not_seen(outages: Evidence) -> list[str]:
    """Why it cannot be said how readiness follows a dependency."""
    facts = outages.facts
    unknown = [facts["message"]] if facts["state"] == "failed" else []
    for one in facts["dependencies"]:
        name = one["name"]
        if one.get("ready") is False:
            unknown.append(f"{name} was left alone, as the service was not ready to begin with")
        if "taken" in one and one["taken"]["exit"] != 0:
            unknown.append(f"{name} could not be taken away: {_ended(one['taken'])}")
        refused = [
            a for p in ("away", "back") for a in _answers(outages, name, p) if not a["let_in"]
        ]
        if refused:
            said = f"{refused[0]['endpoint']} answered {refused[0]['status']}"
            unknown.append(f"{said} while {name} was {refused[0]['phase']}")
    return unknown


def _answers(outages: Evidence, dependency: str, phase: str) -> list[dict[str, Any]]:
    return [r for r in outages.records if r["dependency"] == dependency and r["phase"] == phase]


def _turned(outages: Evidence) -> str:
    state = outages.facts["state"]
    if state in UNTRIED:
        return (
            "whether readiness turns when a dependency is away was not tried, as " + UNTRIED[state]
        )
    names = ", ".join(one["name"] for one in outages.facts["dependencies"])
    return f"readiness turned while {names} was away, and back again"


def _ended(step: dict[str, Any]) -> str:
    how = "stopped at its time limit" if step["exit"] is None else f"exit {step['exit']}"
    return f"{how}, {step['said']}" if step["said"] else how


def _offender(endpoint: dict[str, Any], problem: str) -> dict[str, Any]:
    path = endpoint["path"]
    return {"endpoint": path, "kind": endpoint["kind"], "problem": f"{path}: {problem}"}


def _problems(endpoint: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """In what an answer differs from what is documented."""
    if row["status"] is None:
        return [f"no answer ({row['error']})"]
    if row["status"] != endpoint["status"]:
        return [f"answers {row['status']} instead of {endpoint['status']}"]
    wrong = []
    given, wanted = row["content_type"] or "no content type", endpoint["content_type"]
    if wanted and given != wanted.split(";")[0].strip().lower():
        wrong.append(f"answers {'an HTML page' if row['html'] else given} instead of {wanted}")
    if row["age_s"] not in (None, "0"):
        wrong.append(f"answered by a cache, {row['age_s']} s old")
    if row["text_matches"] is False:
        wrong.append(f"the text is not {endpoint['text']!r}")
    for field in row["fields"] if not wrong else ():
        if problem := _field_problem(field, endpoint["body"][field["name"]]):
            wrong.append(f"{field['name']} {problem}")
    return wrong


def _field_problem(field: dict[str, Any], wanted: Any) -> str | None:
    if not field["found"]:
        return "is missing"
    if isinstance(wanted, dict) and "one_of" in wanted:
        allowed = wanted["one_of"]
        return None if field["value"] in allowed else f"is {field['value']!r}, not of {allowed}"
    if isinstance(wanted, dict) and "type" in wanted:
        if field["type"] != wanted["type"]:
            return f"is of type {field['type']}, not {wanted['type']}"
        return "is empty" if field["empty"] else None
    # 1 == True in Python, and a health that says true is no health that says 1.
    same = field["value"] == wanted and (field["type"] == "boolean") == isinstance(wanted, bool)
    return None if same else f"is {field['value']!r} instead of {wanted!r}"


def _hard_coded(endpoint: dict[str, Any], row: dict[str, Any]) -> list[str]:
    """Figures that are nought one and all."""
    numbers = [
        field
        for field in row["fields"]
        if field["found"]
        and field["type"] == "number"
        and _described(endpoint["body"][field["name"]])
        and not endpoint["body"][field["name"]].get("zero")
    ]
    if not numbers or any(field["value"] for field in numbers):
        return []
    names = ", ".join(field["name"] for field in numbers)
    return [f"every figure is nought ({names}), as if written into the code"]


def _stands_still(
    endpoint: dict[str, Any], first: dict[str, Any], again: dict[str, Any] | None
) -> list[str]:
    """Values that should differ when asked again and do not."""
    if not again:
        return []
    if wrong := _problems(endpoint, again):
        return [f"asked again: {problem}" for problem in wrong]
    before = {field["name"]: field["digest"] for field in first["fields"]}
    return [
        f"{field['name']} should move and stands still"
        for field in again["fields"]
        if _described(wanted := endpoint["body"][field["name"]])
        and wanted.get("varies")
        and field["digest"] == before[field["name"]]
    ]


def _described(wanted: Any) -> bool:
    return isinstance(wanted, dict) and ("type" in wanted or "one_of" in wanted)


def _undeclared(declared: list[dict[str, Any]]) -> list[str]:
    """What the parameters leave open, so that nobody can ask it."""
    said = [
        f"target.http.health does not say what {endpoint['path']} answers: give body or text"
        for endpoint in declared
        if not endpoint["body"] and endpoint["text"] is None
    ]
    missing = [k for k in KINDS if all(e["kind"] != k for e in declared)]
    return said + [f"target.http.health names no {kind} endpoint" for kind in missing]
