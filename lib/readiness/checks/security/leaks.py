"""What answers give away of the inside."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, not_measured
from readiness.sources.http import response_classes
from readiness.sources.leak_signs import in_headers
from readiness.sources.leaks import provoked

REACHED = (400, 404, 405, 409, 411, 413, 414, 415, 422, 500)  # the code answered, and not a guard


class Leaks(Criteria):
    allowed_headers: list[str] = []  # "server", where a version there is accepted
    allowed_doors: list[str] = []  # paths of the list that are meant to be open


@check(
    "SEC-HEADERS-LEAK",
    sources=[response_classes, provoked],
    severity="medium",
    criteria=Leaks,
    references=["CWE-209", "CWE-200", "OWASP ASVS 5.0 13.4, 16.5.1", "OWASP WSTG-INFO-02"],
)
def nothing_leaks(responses: Evidence, answers: Evidence, criteria: Leaks) -> Judgement:
    """No version, trace or documentation leaks

    Headers of every class of response are searched for versions and frameworks. Malformed requests
    (broken JSON, text for numbers, NUL, half a character, endless values) provoke errors, whose
    bodies are searched for traces, SQL and paths. Paths that are open by accident (/.env, /.git,
    debuggers) are asked for, and where target.http.documentation is off, interactive docs too.

    Why: a version says which hole to try, a trace where; documentation of an inner API is a map.
    Bad: `Server: nginx/1.18.0`; a traceback on a malformed request; /docs although it is off.
    Remedy: server_tokens off, no Server header from the application server; one handler that
    answers errors without detail; the switch for docs tested where it is deployed.
    """
    expected = "no version, no trace, no SQL, no open debugging or documentation"
    offenders = list(_headers(responses, answers, criteria))
    offenders += list(_bodies(answers, criteria))
    errors = [r for r in answers.records if r["kind"] == "error"]
    reached = [r for r in errors if r["status"] in REACHED]
    looked_at = len(responses.records) + len(answers.records)
    if offenders:
        said = "; ".join(list(_told(offenders))[:4])
        only_headers = all(o["kind"] == "header" for o in offenders)
        weight = Severity.LOW if only_headers else None
        return Judgement(Status.FAIL, expected, said, looked_at, None, offenders, weight)
    silent = [r for r in answers.records if r["status"] in (None, 429)]
    malformed = {r["sent"] for r in reached} - {"no such path", "another method"}
    if answers.facts["not_asked"] or len(silent) * 2 > len(answers.records) or not malformed:
        why = answers.facts["not_asked"] or (
            f"{len(silent)} of {len(answers.records)} requests got no answer or the limiter's"
            if silent
            else "no malformed request reached the service's own code"
        )
        return not_measured(Reason.INCONCLUSIVE, expected, why, looked_at)
    said = f"nothing in {looked_at} answers, {len(reached)} of them to malformed requests"
    if answers.facts["documentation"] is None:
        said += "; whether docs should be open is not said (target.http.documentation)"
    if why := answers.facts["api_gap"] or answers.facts["without_credentials_because"]:
        said += f"; not all that there is was asked: {why}"
    return Judgement(Status.PASS, expected, said, looked_at)


def _told(offenders: list[dict[str, Any]]) -> Any:
    """What is shown, where first, and in how many answers besides."""
    places: dict[str, list[str]] = {}
    for offender in offenders:
        places.setdefault(offender["shows"], []).append(offender["where"])
    for shows, where in places.items():
        more = f" and {len(where) - 1} more" if len(where) > 1 else ""
        yield f"{shows} ({where[0]}{more})"


def _headers(responses: Evidence, answers: Evidence, criteria: Leaks) -> Any:
    seen: dict[str, str] = {}
    for record in responses.records:
        for shown in in_headers([(name, value) for name, value in record["headers"]]):
            seen.setdefault(shown, record["class"])
    for record in answers.records:
        for shown in record["headers"]:
            seen.setdefault(shown, record["operation"])
    for shown, where in seen.items():
        if shown.split(":")[0] not in criteria.allowed_headers:
            yield {"kind": "header", "shows": shown, "where": where}


def _bodies(answers: Evidence, criteria: Leaks) -> Any:
    for record in answers.records:
        path = record["operation"].split(" ", 1)[1]
        for shown in record["body"]:
            if record["kind"] == "door":
                if path not in criteria.allowed_doors:
                    yield {"kind": "door", "shows": "open", "where": path}
            elif record["kind"] == "documentation":
                if answers.facts["documentation"] == "off":
                    yield {"kind": "documentation", "shows": "docs, which are off", "where": path}
            else:
                where = f"{record['operation']}, {record['sent']}"
                yield {"kind": "body", "shows": shown, "where": where, "status": record["status"]}
