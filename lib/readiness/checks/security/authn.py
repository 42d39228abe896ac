"""Whether the doors hold: forged, expired and default credentials."""

from __future__ import annotations

from collections import Counter
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, not_measured
from readiness.sources.attempts import outcome
from readiness.sources.authentication import attempts
from readiness.sources.login import opened


class Authentication(Criteria):
    max_lifetime_minutes: float | None = None  # None: as target.http.authentication says
    expiry_must_be_tried: bool = True


@check(
    "SEC-AUTHN",
    sources=[attempts],
    severity="critical",
    criteria=Authentication,
    references=[
        "CWE-287",
        "CWE-347",
        "CWE-613",
        "CWE-1392",
        "RFC 8725",
        "OWASP ASVS 5.0 9.1, 9.2",
        "OWASP Cheat Sheet: JSON Web Token",
    ],
)
def forgeries_refused(tried: Evidence, criteria: Authentication) -> Judgement:
    """Forged, expired and default credentials are refused

    Every credential is presented at an operation that answers the valid one and refuses none:
    tokens without a signature, with another key, with an altered payload, with the public key as
    secret; expired ones; what shares its beginning or its end with the valid one; secrets from a
    list of known defaults and from the target's own example files, as signing key, as bearer token
    and as API key. Altered credentials are tried cold and again right after the same request with
    the valid one. The same at further operations and
    in the handshake of a WebSocket, where the parameters name them. The lifetime of the token is
    read from it. Keys that a token names by URL (jku, x5u) are not tried.

    Why: whoever forges one token is everybody. Libraries refuse these by default; options, caches
    and secrets copied from a tutorial undo that without a failing test.
    Bad: a service that takes `alg: none` or an unchecked signature; a cache keyed on the first 40
    characters, which are the same for all; a secret that was left as in `.env.example`; a token
    that is good for a month.
    Remedy: name the one algorithm when verifying, require `exp`, key a cache on the whole token or
    its digest, refuse to start with a placeholder secret, and issue tokens for an hour at most.
    """
    expected = "every credential refused that was not issued, and tokens that end in time"
    rows, facts = tried.records, tried.facts
    offenders = [_told(row) for row in rows if outcome(row) == "accepted"]
    if offenders:
        return Judgement(
            Status.FAIL,
            expected,
            f"{len(offenders)} of {len(rows)} attempts got in: {_names(offenders)}",
            len(rows),
            offenders=offenders,
        )
    most = criteria.max_lifetime_minutes or facts["max_lifetime_minutes"]
    if lifetime := _lifetime(facts["token"], most):
        severity = Severity.HIGH if facts["token"]["lifetime_minutes"] is None else Severity.MEDIUM
        return Judgement(
            Status.FAIL,
            expected,
            f"all {len(rows)} attempts were refused, but {lifetime}",
            len(rows),
            offenders=[{"credential": "the token itself", "problem": lifetime}],
            severity=severity,
        )
    if gaps := _gaps(rows, facts, criteria):
        said = f"nothing got in, but not all could be tried: {'; '.join(gaps)}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(rows))
    return Judgement(Status.PASS, expected, _passed(rows, facts), len(rows))


def _told(row: dict[str, Any]) -> dict[str, Any]:
    names = ("credential", "family", "attempt", "moment", "status")
    return {name: row[name] for name in names}


def _names(offenders: list[dict[str, Any]]) -> str:
    """The attempts that got in, each once, those of a kind together."""
    shown = list(dict.fromkeys(f"{o['attempt']} ({o['moment']})" for o in offenders))
    return ", ".join(shown[:4]) + (f" and {len(shown) - 4} more" if len(shown) > 4 else "")


def _lifetime(token: dict[str, Any], most: float) -> str:
    """What is wrong with the lifetime of the token, as far as it can be read from it."""
    if token["kind"] != "jwt":
        return ""
    if token["lifetime_minutes"] is None:
        return "the token has no expiry"
    if token["lifetime_minutes"] > most:
        return f"the token is good for {token['lifetime_minutes']:g} min, more than {most:g} min"
    return ""


def _gaps(rows: list[dict[str, Any]], facts: dict[str, Any], criteria: Authentication) -> list[str]:
    """What keeps the refusals from being the whole answer."""
    gaps = [facts["stopped"]] if facts.get("stopped") else []
    unclear = Counter(outcome(row) for row in rows if outcome(row) != "refused")
    if unclear:
        gaps.append(", ".join(f"{n} {what}" for what, n in unclear.items()))
    if not opened(facts["valid_at_the_end"]):
        gaps.append(f"the valid token got {facts['valid_at_the_end']} in the end")
    if facts["token"]["declared"] == "jwt" and facts["token"]["kind"] != "jwt":
        gaps.append("the token is no JWT: declare target.http.authentication.token as opaque")
    if facts["confusion_tried"] is False:
        gaps.append("no public key to try as a secret: name target.http.authentication.jwks")
    for door in facts["doors"]:
        status = door["valid_answered"]
        usable = status is None or opened(status) or status == 403  # known, not allowed here
        if not usable:
            gaps.append(f"the {door['credential']} got {status} when valid")
    expiry = facts["expiry"]
    if expiry["problem"]:
        gaps.append(expiry["problem"])
    elif not expiry["with"] and criteria.expiry_must_be_tried:
        gaps.append(
            "whether an expired token is refused: give target.http.authentication.expired_token or "
            "signing_key, or judge without it by criteria expiry_must_be_tried"
        )
    return gaps


def _passed(rows: list[dict[str, Any]], facts: dict[str, Any]) -> str:
    parts = [
        f"all {len(rows)} attempts refused, {facts['default_secrets']['tried']} known defaults"
    ]
    token = facts["token"]
    if token["kind"] == "jwt":
        parts.append(
            f"the token ({token['algorithm']}) ends after {token['lifetime_minutes']:g} min"
        )
    tried = facts["expiry"]["with"]
    parts.append(f"expiry tried with {' and '.join(tried)}" if tried else "expiry not tried")
    closed = [d["credential"] for d in facts["doors"] if d["valid_answered"] == 403]
    if closed:
        parts.append(f"{', '.join(closed)} may not use this operation, so tried cold only")
    socket = facts.get("websocket")
    if socket:
        parts.append(f"the WebSocket {socket['path']} likewise")
    if socket and socket["token_in"] == "query":
        parts.append("its token stands in the query, where logs keep it")
    if missing := facts["default_secrets"]["files_not_found"]:
        parts.append(f"no {', '.join(missing)} to take placeholders from")
    return "; ".join(parts)
