"""The headers of a response summed up as the HTTP Observatory sums them up."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Strength, not_measured, verdict_of
from readiness.sources.http import response_classes

from .observatory import Page, grade, results, score

GRADED = (401, 403)  # beside 2xx and 3xx: what the Observatory takes for an answer of the site


class ObservatoryScore(Criteria):
    min_score: int = Field(default=90, ge=0, le=145)  # 90 is an A; extra credit counts from there


@check(
    "SEC-HEADERS-GRADE",
    sources=[response_classes],
    severity="low",
    criteria=ObservatoryScore,
    references=["MDN HTTP Observatory, scoring version 5", "OWASP Secure Headers Project"],
)
def observatory_score(responses: Evidence, criteria: ObservatoryScore) -> Judgement:
    """HTTP Observatory score

    Every response that the Observatory would take for an answer of the site (2xx, 3xx, 401, 403) is
    scored by its published rules; the lowest score counts. The redirection from HTTP to HTTPS and
    the answer to a foreign origin are left to SEC-ENC-TRANSIT and SEC-CORS. Over plain HTTP the
    headers are scored as they would count over HTTPS, and the finding is CONFIGURED.

    Why: one figure that others know and can have computed again for a public site.
    Bad: no Content-Security-Policy (-25) or one with 'unsafe-inline' (-20); a session cookie
    without Secure (-40); script from elsewhere without integrity (-5 to -50).
    Remedy: settle what the observed line names; each name is a result in the Observatory's table.
    """
    expected = f"{criteria.min_score} points or more ({grade(criteria.min_score)}) on every page"
    rows = graded(responses)
    missed = [r["class"] for r in responses.records if not r["as_expected"]]
    missed += [r["class"] for r in responses.facts["not_sent"]]
    offenders = [row for row in rows if row["score"] < criteria.min_score]
    if missed and not offenders:
        said = f"not scored on every class of response: {', '.join(missed)} could not be had"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(rows))
    if not rows:
        said = "no class of response answers 2xx, 3xx, 401 or 403"
        return not_measured(Reason.NO_SAMPLES, expected, said)
    lowest = min(rows, key=lambda row: row["score"])
    said = f"{lowest['score']} points ({lowest['grade']}) on {lowest['class']}"
    clear = responses.facts["scheme"] != "https"
    said += ", as it would count over HTTPS" if clear else ""
    lost = f": {lowest['lost']}" if lowest["lost"] else ""
    return verdict_of(
        offenders,
        samples=len(rows),
        expected=expected,
        passed=f"at least {said}, of {len(rows)} classes of response",
        failed=f"{said}{lost}; {{n}} of {len(rows)} classes of response are under the mark",
        strength=Strength.CONFIGURED if clear else None,
    )


def graded(responses: Evidence) -> list[dict[str, Any]]:
    """One row for each response that can be scored: score, grade, and what it lost points for."""
    rows = []
    for record in responses.records:
        status = record["status"] or 0
        if not record["as_expected"] or not (200 <= status < 400 or status in GRADED):
            continue
        found = results(_page(record, responses.facts["host"]))
        points = score(found.values())
        lost = [f"{name} ({by})" for name, by in found.items() if by < 0]
        where = {"class": record["class"], "operation": record["operation"]}
        rows.append({**where, "score": points, "grade": grade(points), "lost": ", ".join(lost)})
    return rows


def _page(record: dict[str, Any], host: str) -> Page:
    return Page(
        host=host,
        headers=record["headers"],
        html=record["html"],
        meta=tuple((name, content) for name, content in record["meta"]),
        scripts=tuple((one["src"], one["integrity"]) for one in record["scripts"]),
    )


def grade_table(responses: Evidence) -> Any:
    """A data frame: one row a response that is scored."""
    import pandas as pd

    columns = ["class", "operation", "score", "grade", "lost"]
    return pd.DataFrame(graded(responses), columns=columns)
