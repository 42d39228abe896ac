"""Security headers on every class of response: present, sent once, and worth something."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Strength, not_measured, verdict_of
from readiness.sources.http import response_classes
from readiness.sources.met import classes

from .csp import ContentSecurityPolicy, csp_problem, reused_nonces

Grade = Callable[[str], str | None]  # a header's value -> what is wrong with it, or None
OBSERVATORY = "https://developer.mozilla.org/docs/Web/Security/Practical_implementation_guides"


def _judge(
    responses: Evidence, met: Evidence, header: str, grade: Grade, expected: str
) -> Judgement:
    """Grade one header on every response that is of the class it stands for."""
    seen = [r for r in responses.records if r["as_expected"]] + met.records
    not_had = ", ".join(met.facts["not_had"])
    missed = [
        f"{r['class']} ({r['operation']} answered {r['status'] or r['error']})"
        for r in responses.records
        if not r["as_expected"]
    ]
    missed += [f"{r['class']} ({r['reason']})" for r in responses.facts["not_sent"]]
    offenders: list[dict[str, Any]] = []
    for record in seen:
        values = [value for name, value in record["headers"] if name == header]
        if wrong := _wrong(values, grade):
            if not values:
                wrong += _instead(record, header)
            where = {"class": record["class"], "operation": record["operation"]}
            offenders.append({**where, "status": record["status"], "problem": wrong})
    if missed and not offenders:
        return not_measured(
            Reason.INCONCLUSIVE,
            expected,
            f"not judged on every class of response, as these could not be had: "
            f"{'; '.join(missed)}. Say under target.http.response_classes which requests give them",
            len(seen),
        )
    return verdict_of(
        offenders,
        samples=len(seen),
        expected=expected,
        passed=f"sound on all {len(seen)} classes of response"
        + (f"; there was none to judge of {not_had}" if not_had else ""),
        failed=f"{{n}} of {len(seen)} classes of response: {_list(offenders)}",
    )


def _wrong(values: list[str], grade: Grade) -> str | None:
    if not values:
        return "missing"
    if len(values) > 1:
        return f"sent {len(values)} times"
    return grade(values[0])


def _instead(record: dict[str, Any], header: str) -> str:
    """What stands in the header's place and does not do its work."""
    if any(name == f"{header}-report-only" for name, _ in record["headers"]):
        return ", and the one that only reports stops nothing"
    if any(name == header for name, _ in record.get("meta", [])):
        return (
            ", and a meta element in the page says nothing of frames and of what stands before it"
        )
    return ""


def _list(offenders: list[dict[str, Any]]) -> str:
    return "; ".join(f"{o['class']}: {o['problem']}" for o in offenders[:4])


@check(
    "SEC-HEADERS-CSP",
    sources=[response_classes, classes],
    severity="high",
    criteria=ContentSecurityPolicy,
    references=["CWE-79", "OWASP ASVS 5.0 3.4.3", "W3C CSP Level 3", f"{OBSERVATORY}/CSP"],
)
def content_security_policy(
    responses: Evidence, met: Evidence, criteria: ContentSecurityPolicy
) -> Judgement:
    """A Content-Security-Policy that would stop injected script, on every response

    The policy of every class of response is read directive by directive: where scripts, plugins,
    the base URL and frames may come from. Two policies on one response are a fault of the
    configuration even where the browser would combine them.

    Why: when markup gets through the escaping, this header is what still keeps it from running.
    A policy that only error pages lack protects nothing: error pages echo input.
    Bad: `script-src 'unsafe-inline' *`; a nonce beside `https:` and no 'strict-dynamic', so that
    any host is let in; a host that serves everybody's script (a public CDN); the same nonce on two
    responses; `frame-ancestors *`; a header on 200 but
    not on 404 or on a cached answer; two policies from application and proxy.
    Remedy: send one policy from one place for all responses, for instance `default-src 'none';
    script-src 'self'; base-uri 'none'; frame-ancestors 'none'`; use nonces for inline script.
    """
    seen = [r for r in responses.records if r["as_expected"]] + met.records
    sent = [dict(map(tuple, r["headers"])) for r in seen]
    reused = reused_nonces(headers.get("content-security-policy", "") for headers in sent)

    def grade(policy: str) -> str | None:
        again = "nonce of another response" if any(n in policy for n in reused) else None
        return csp_problem(policy, criteria) or again

    return _judge(
        responses,
        met,
        "content-security-policy",
        grade,
        "one policy on every response, with no way in for foreign or inline script",
    )


class StrictTransportSecurity(Criteria):
    min_max_age_s: int = 31_536_000  # one year, as the preload list asks
    include_subdomains: bool = True


def hsts_problem(value: str, criteria: StrictTransportSecurity) -> str | None:
    """What is wrong with a Strict-Transport-Security value (RFC 6797)."""
    directives = [part.strip().lower() for part in value.split(";")]
    ages = [d.split("=", 1)[1].strip(' "') for d in directives if d.startswith("max-age=")]
    if len(ages) != 1 or not ages[0].isdigit():
        return "no valid max-age"
    if int(ages[0]) < criteria.min_max_age_s:
        return f"max-age is {ages[0]} s, less than {criteria.min_max_age_s} s"
    if criteria.include_subdomains and "includesubdomains" not in directives:
        return "no includeSubDomains"
    return None


@check(
    "SEC-HEADERS-HSTS",
    sources=[response_classes, classes],
    severity="medium",
    criteria=StrictTransportSecurity,
    references=["RFC 6797", "OWASP ASVS 5.0 3.4.1", f"{OBSERVATORY}/TLS"],
)
def strict_transport_security(
    responses: Evidence, met: Evidence, criteria: StrictTransportSecurity
) -> Judgement:
    """Strict-Transport-Security for a year or more, on every response

    The value on every class of response is read for its max-age and scope. Browsers obey the
    header over HTTPS only: what is seen over plain HTTP is CONFIGURED and not MEASURED, and a
    header that is missing there everywhere says nothing.

    Why: without it the first request of a visit can be answered by whoever sits on the line.
    Bad: `max-age=300`; on the page but not on redirects or errors; two values in conflict.
    Remedy: send `Strict-Transport-Security: max-age=63072000; includeSubDomains` from the place
    that terminates TLS, with `always` in nginx so that errors carry it too.
    """
    expected = f"max-age of at least {criteria.min_max_age_s} s on every response, over HTTPS"
    judged = _judge(
        responses,
        met,
        "strict-transport-security",
        lambda value: hsts_problem(value, criteria),
        expected,
    )
    if responses.facts["scheme"] == "https":
        return judged
    never_sent = all(o["problem"] == "missing" for o in judged.offenders)
    if judged.offenders and never_sent and len(judged.offenders) == judged.samples:
        return not_measured(
            Reason.INCONCLUSIVE,
            expected,
            f"missing on all {judged.samples} classes of response, but over plain HTTP, where "
            "browsers ignore it: give the HTTPS address as base_url",
            judged.samples,
        )
    seen = f"{judged.observed}, seen over plain HTTP"
    return replace(judged, observed=seen, strength=Strength.CONFIGURED)


def _one_of(*allowed: str) -> Grade:
    def grade(value: str) -> str | None:
        return None if value.strip().lower() in allowed else f"is {value[:60]!r}"

    return grade


@check(
    "SEC-HEADERS-XCTO",
    sources=[response_classes, classes],
    severity="medium",
    references=["CWE-430", "OWASP ASVS 5.0 3.4.4", "WHATWG Fetch: nosniff"],
)
def content_type_options(responses: Evidence, met: Evidence, criteria: Criteria) -> Judgement:
    """X-Content-Type-Options: nosniff on every response

    Every class of response must carry the header once with its only defined value.

    Why: a browser that guesses types can be talked into running an upload as script.
    Bad: missing on static assets, where uploads are served from; `nosniff, nosniff`.
    Remedy: send `X-Content-Type-Options: nosniff` from one place for all responses.
    """
    expected = "nosniff, once, on every response"
    return _judge(responses, met, "x-content-type-options", _one_of("nosniff"), expected)


@check(
    "SEC-HEADERS-XFO",
    sources=[response_classes, classes],
    severity="medium",
    references=["CWE-1021", "RFC 7034", "OWASP ASVS 5.0 3.4.6"],
)
def frame_options(responses: Evidence, met: Evidence, criteria: Criteria) -> Judgement:
    """X-Frame-Options: DENY or SAMEORIGIN on every response

    Every class of response must carry the header once with a value that browsers obey.

    Why: a page that others may frame can be overlaid, and its visitors clicked through.
    Bad: `ALLOW-FROM https://...`, which browsers ignore; missing on the login page.
    Remedy: send `X-Frame-Options: DENY`, beside `frame-ancestors 'none'` in the policy.
    """
    expected = "DENY or SAMEORIGIN, once, on every response"
    return _judge(responses, met, "x-frame-options", _one_of("deny", "sameorigin"), expected)


REFERRER_POLICIES = (
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
)


class ReferrerPolicy(Criteria):
    allowed: list[str] = [
        "no-referrer",
        "same-origin",
        "strict-origin",
        "strict-origin-when-cross-origin",
    ]


@check(
    "SEC-HEADERS-REFERRER",
    sources=[response_classes, classes],
    severity="low",
    criteria=ReferrerPolicy,
    references=["CWE-200", "W3C Referrer Policy", "OWASP ASVS 5.0 3.4.5"],
)
def referrer_policy(responses: Evidence, met: Evidence, criteria: ReferrerPolicy) -> Judgement:
    """A Referrer-Policy that keeps addresses to oneself, on every response

    The value must keep paths and queries from other sites. Of a list of fallbacks the browser takes
    the last one it knows, so the last one is judged.

    Why: addresses hold identifiers and tokens, and the referrer hands them to every linked site.
    Bad: `unsafe-url`; `no-referrer-when-downgrade`; no header on error pages.
    Remedy: send `Referrer-Policy: no-referrer` or `strict-origin-when-cross-origin`.
    """

    def grade(value: str) -> str | None:
        known = [v for v in re.split(r"[\s,]+", value.lower()) if v in REFERRER_POLICIES]
        obeyed = known[-1] if known else ""
        return None if obeyed in criteria.allowed else f"is {value[:60]!r}"

    expected = f"one of {', '.join(criteria.allowed)} on every response"
    return _judge(responses, met, "referrer-policy", grade, expected)


class PermissionsPolicy(Criteria):
    restricted: list[str] = ["camera", "microphone", "geolocation"]


@check(
    "SEC-HEADERS-PERMISSIONS",
    sources=[response_classes, classes],
    severity="low",
    criteria=PermissionsPolicy,
    references=["W3C Permissions Policy", "RFC 9651"],
)
def permissions_policy(
    responses: Evidence, met: Evidence, criteria: PermissionsPolicy
) -> Judgement:
    """A Permissions-Policy that shuts off what the application does not use

    Every class of response must carry a policy in which each feature of the criteria is named and
    not open to everyone.

    Why: a script that gets in inherits the page's right to ask for camera, microphone or place.
    Bad: `camera=*`; `camera=none` or the old `camera 'none'`, which browsers do not understand and
    therefore ignore.
    Remedy: send `Permissions-Policy: camera=(), microphone=(), geolocation=()`.
    """

    def grade(value: str) -> str | None:
        policy = {
            name.strip(): allowed.strip()
            for name, _, allowed in (part.partition("=") for part in value.split(","))
        }
        wrong = [f"{name} is not named" for name in criteria.restricted if name not in policy]
        for name in criteria.restricted:
            allowed = policy.get(name, "()")
            if "*" in allowed.strip("()").split():
                wrong.append(f"{name} is open")
            elif not re.fullmatch(r'self|\(.*\)|".*"', allowed):
                wrong.append(f"{name}={allowed[:30]} is no allow-list")
        return ", ".join(wrong) or None

    expected = f"{', '.join(criteria.restricted)} shut off on every response"
    return _judge(responses, met, "permissions-policy", grade, expected)
