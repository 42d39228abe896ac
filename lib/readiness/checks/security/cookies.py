"""Cookies that carry a session: whether the browser keeps them to itself."""

from __future__ import annotations

import re
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, counted, not_measured
from readiness.sources.cookies import at_login, set_by
from readiness.sources.http import response_classes
from readiness.sources.met import classes

TOKEN = re.compile(r"c[sr]rf|xsrf", re.I)  # to be read by the page's own script and sent back


class Cookies(Criteria):
    session_names: str = r"sess|sid$|auth|token|jwt|login|remember|identity|sso"
    ignore: list[str] = []  # names of cookies that carry nothing, e.g. of a load balancer


@check(
    "SEC-COOKIES",
    sources=[response_classes, at_login, classes],
    severity="medium",
    criteria=Cookies,
    references=["CWE-614", "CWE-1004", "CWE-1275", "OWASP ASVS 5.0 3.3", "RFC 6265bis"],
)
def session_cookies(
    responses: Evidence, login: Evidence, met: Evidence, criteria: Cookies
) -> Judgement:
    """Secure, HttpOnly, SameSite on session cookies

    The cookies of every class of response, of one login and of every other answer that the audit
    was given are read. Each must be Secure; one that
    logging in set, or that is called like a session, must be HttpOnly and say SameSite too. A token
    against forged requests is meant to be read by script and need not be HttpOnly.

    Why: the cookie is the session. Without Secure it crosses the line in clear, without HttpOnly
    any script takes it, without SameSite other sites have the browser send it.
    Bad: each missing; `SameSite=None`; a name with `__Host-` and a Domain, which browsers refuse.
    Remedy: set `Secure; HttpOnly; SameSite=Lax` (or Strict) in the framework's settings, and name
    the cookie `__Host-...` with `Path=/`.
    """
    expected = "every cookie Secure; session cookies HttpOnly and SameSite=Lax or Strict"
    seen = [r for r in responses.records if r["as_expected"]]
    rows = [(row, False) for row in set_by(responses, login, met)]
    rows += [({"where": "login", **row}, True) for row in login.records]
    rows = [(r, own) for r, own in rows if not r["removed"] and r["cookie"] not in criteria.ignore]
    looked_at = len(seen) + (login.facts["status"] is not None)
    offenders = []
    for row, at_the_login in rows:
        if wrong := _wrong(row, at_the_login, criteria):
            offenders.append({"cookie": row["cookie"], "where": row["where"], "problem": wrong})
    names = list(dict.fromkeys(row["cookie"] for row, _ in rows))
    if offenders:
        told = "; ".join(dict.fromkeys(f"{o['cookie']}: {o['problem']}" for o in offenders))
        number = len({o["cookie"] for o in offenders})
        said = f"{number} of {counted(len(names), 'cookie')}: {told[:300]}"
        return Judgement(Status.FAIL, expected, said, looked_at, offenders=offenders)
    if login.facts["not_asked"]:
        said = "no login was watched, which is when session cookies are set: "
        said += f"{login.facts['not_asked']}"
        said += f"; sound otherwise: {', '.join(names)}" if names else ""
        return not_measured(Reason.INCONCLUSIVE, expected, said, looked_at)
    kept = f"{counted(len(names), 'cookie')}, all sound: {', '.join(names)}"
    none = "the service sets no cookie"
    said = f"{kept if names else none}, in {looked_at} answers with the login's among them"
    return Judgement(Status.PASS, expected, said, looked_at)


def _wrong(row: dict[str, Any], at_the_login: bool, criteria: Cookies) -> str | None:
    name = row["cookie"]
    problems = [] if row["secure"] else ["not Secure"]
    against_forgery = TOKEN.search(name) is not None
    session = at_the_login or re.search(criteria.session_names, name, re.I) is not None
    if session and not against_forgery and not row["http_only"]:
        problems.append("not HttpOnly")
    if session or against_forgery:
        said = row["same_site"]
        if said not in ("lax", "strict"):
            problems.append(f"SameSite={said[:20]}" if said else "no SameSite")
    if name.startswith("__Host-") and (row["domain"] or row["path"] != "/" or not row["secure"]):
        problems.append("not what __Host- promises")
    return ", ".join(problems) or None
