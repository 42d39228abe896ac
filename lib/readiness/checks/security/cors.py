"""What other sites may read through a visitor's browser."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, not_measured
from readiness.sources.cors import allowed, answers


class Cors(Criteria):
    any_origin_may_read_protected: bool = False  # without credentials; meant for open token APIs


@check(
    "SEC-CORS",
    sources=[answers],
    severity="high",
    criteria=Cors,
    references=[
        "CWE-942",
        "CWE-346",
        "WHATWG Fetch: CORS protocol",
        "OWASP ASVS 5.0 3.4.2",
        "OWASP WSTG-CLNT-07",
    ],
)
def no_foreign_origin(responses: Evidence, criteria: Cors) -> Judgement:
    """No arbitrary origin is allowed with credentials

    The service is asked from origins that nobody trusts, by simple requests and by preflights, with
    credentials and without: a random site, `null`, names that begin or end like a trusted one, a
    trusted one without TLS. An origin that comes back together with
    `Access-Control-Allow-Credentials: true` may read as the visitor. `*`, or an origin that comes
    back without credentials, is harmless for what is public anyway; on a protected operation it is
    a minor failure: nothing is sent along, but the answer is open to every site that has a token.

    Why: the browser sends the visitor's cookies to the service from any site; only these headers
    keep that site from reading the answer.
    Bad: the Origin header copied into the answer; `null` allowed; an expression without an end,
    so that `https://app.example.org.evil.example` fits; `*` on what needs credentials.
    Remedy: compare the whole origin with a fixed list of front ends, send nothing to others, add
    `Vary: Origin`. Where no browser calls from elsewhere, send no CORS header at all.
    """
    expected = "no CORS permission for origins that are not trusted"
    rows = [r for r in responses.records if r["status"] is not None and r["status"] != 429]
    lost = responses.facts["planned"] - len(rows)
    grave = [_told(r) for r in rows if allowed(r) == "with credentials"]
    if grave:
        return Judgement(
            Status.FAIL,
            expected,
            f"{len(grave)} of {len(rows)} answers let a foreign origin read with credentials: "
            f"{_kinds(grave)}",
            len(rows),
            offenders=grave,
        )
    reads = [r for r in rows if r["protected"] and allowed(r)]
    if reads and not criteria.any_origin_may_read_protected:
        return Judgement(
            Status.FAIL,
            expected,
            f"every origin may read {reads[0]['path']}, which needs credentials; the browser sends "
            "none along",
            len(rows),
            offenders=[_told(r) for r in reads],
            severity=Severity.LOW,
        )
    if lost:
        said = (
            f"{lost} of {responses.facts['planned']} requests got no answer or the limiter's: "
            "lower target.http.requests_per_minute to what it allows"
        )
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(rows))
    if not any(r["request"] != "preflight" and 200 <= r["status"] < 300 for r in rows):
        return not_measured(
            Reason.INCONCLUSIVE,
            expected,
            "no request succeeded, and errors often lack the headers of success: name a path "
            "that answers 2xx under target.http.health or response_classes",
            len(rows),
        )
    return Judgement(Status.PASS, expected, _passed(responses, rows), len(rows))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    names = ("path", "request", "origin_kind", "origin", "status", "allow_origin")
    return {**{name: row[name] for name in names}, "allow_credentials": row["allow_credentials"]}


def _kinds(offenders: list[dict[str, Any]]) -> str:
    kinds = dict.fromkeys(f"{o['origin_kind']} ({o['request']})" for o in offenders)
    return ", ".join(list(kinds)[:4])


def _passed(responses: Evidence, rows: list[dict[str, Any]]) -> str:
    paths = len({r["path"] for r in rows})
    said = f"nothing allowed to foreign origins in {len(rows)} answers of {paths} paths"
    if public := sorted({r["path"] for r in rows if allowed(r)}):
        said = f"only what is public may be read from everywhere ({', '.join(public[:3])}); {said}"
        said = said.replace("nothing", "nothing else")
    if why := responses.facts["without_credentials_because"]:
        said += f"; asked without credentials only ({why})"
    return said
