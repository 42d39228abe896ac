"""What the service allows other sites to read through a browser (CORS, Fetch standard).

Requests carry an Origin that nobody trusts: a random site, ``null`` (a sandboxed frame or a local
file), and names made to look like the service's own to a careless comparison.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Http, Target, need
from ..traffic import Planned
from . import planning
from .client import Client, Exchange, client, excluded

MOST_PATHS = 8
MOST_TRUSTED = 3  # origins that names are made from
SILENCES = 3  # in a row: the service is gone
EVERY_TRICK = 2  # paths that get all origins; the others get the plain ones


@dataclass(frozen=True)
class Origin:
    kind: str
    value: str
    plain: bool = False  # tried on every path


def _requests_planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None:
        return
    role = http.authentication.token_role if http.authentication else None
    for path, _, _, how, _ in _planned(http, {"Authorization": "planned"} if role else {}):
        yield Planned(f"{'OPTIONS' if how == 'preflight' else 'GET'} {path}")
    yield from planning.logins(http, role)


@source("passive", plan=_requests_planned)
def answers(target: Target) -> Collected:
    """One row for each path, origin and kind of request, with the CORS headers of the answer.

    Simple requests are sent without credentials, and with those of ``token_role`` where they can
    be had; preflights ask for a method and a header that need permission.
    """
    http = need(target.http, "target.http")
    records: list[dict[str, Any]] = []
    with client(target) as http_client:
        credentials, why_none = _credentials(http_client, http)
        planned = list(_planned(http, credentials))
        for path, protected, origin, how, headers in planned:
            method = "OPTIONS" if how == "preflight" else "GET"
            exchange = http_client.send(method, path, headers=headers)
            records.append(_row(exchange, path, protected, origin, how))
            silent = [r["status"] is None for r in records[-SILENCES:]]
            if exchange.status == 429 or (len(silent) == SILENCES and all(silent)):
                break  # the rate limiter answers, or nobody does
        facts = {
            "scheme": http_client.scheme,
            "planned": len(planned),
            "without_credentials_because": why_none,
            "trusted": http.origins,
        }
    if records and all(r["status"] is None for r in records):
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {records[-1]['error']}")
    return Collected(records, facts, {"httpx": httpx.__version__})


def _planned(
    http: Http, credentials: dict[str, str]
) -> Iterator[tuple[str, bool, Origin, str, dict[str, str]]]:
    for number, (path, protected) in enumerate(_paths(http)):
        for origin in _origins(http):
            if origin.plain or (number < EVERY_TRICK and origin.value not in http.origins):
                for how, headers in _requests(origin, credentials):
                    yield path, protected, origin, how, headers


def _credentials(http_client: Client, http: Http) -> tuple[dict[str, str], str | None]:
    if http.authentication is None:
        return {}, "target.http.authentication is not set"
    try:
        return http_client.credentials(http.authentication.token_role), None
    except NotMeasured as gap:
        return {}, str(gap)


def _paths(http: Http) -> Iterator[tuple[str, bool]]:
    """Paths to ask for, and whether they need credentials; the protected one first."""
    protected = http.authentication.protected if http.authentication else None
    operations = [protected, *(f"GET {h.path}" for h in http.health), *http.public]
    operations += [r.operation for r in [*http.response_classes, *http.latency]]
    operations += [*http.operations, "GET /"]
    seen: list[str] = []
    for operation in operations:
        if operation is None or not operation.startswith("GET ") or "{" in operation:
            continue
        path = operation.removeprefix("GET ")
        if path not in seen and not excluded(operation.split("?")[0], http.never_call):
            seen.append(path)
            yield path, operation == protected
        if len(seen) == MOST_PATHS:
            return


def _origins(http: Http) -> Iterator[Origin]:
    """Origins that must not be trusted."""
    somewhere = f"readiness-{secrets.token_hex(6)}.example"  # a name that nobody can have
    yield Origin("any site", f"https://{somewhere}", plain=True)
    yield Origin("null", "null", plain=True)
    for trusted in [http.base_url.value(), *http.origins][: MOST_TRUSTED + 1]:
        url = urlsplit(trusted)
        host, port = url.hostname or "", f":{url.port}" if url.port else ""
        yield Origin("begins like a trusted name", f"{url.scheme}://{host}.{somewhere}")
        yield Origin("ends like a trusted name", f"{url.scheme}://readiness{host}{port}")
        letters, dot, rest = host.partition(".")
        if dot and not host.replace(".", "").isdigit():
            yield Origin("a letter for the dot", f"{url.scheme}://{letters}x{rest}{port}")
        if url.scheme == "https":
            yield Origin("a trusted name without TLS", f"http://{host}{port}")


def _requests(origin: Origin, credentials: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    said = {"Origin": origin.value}
    yield "simple", said
    if credentials:
        yield "with credentials", said | credentials
    asked = {"Access-Control-Request-Method": "GET"}
    asked["Access-Control-Request-Headers"] = "authorization,content-type"
    yield "preflight", said | asked


def _row(
    exchange: Exchange, path: str, protected: bool, origin: Origin, how: str
) -> dict[str, Any]:
    def sent(name: str) -> str | None:
        values = [value for known, value in exchange.headers if known == name]
        return ", ".join(values)[:200] if values else None

    return {
        "path": path,
        "protected": protected,
        "origin_kind": origin.kind,
        "origin": origin.value,
        "request": how,
        "status": exchange.status,
        "allow_origin": sent("access-control-allow-origin"),
        "allow_credentials": sent("access-control-allow-credentials"),
        "allow_headers": sent("access-control-allow-headers"),
        "vary": sent("vary"),
        "error": exchange.error,
    }


def allowed(row: dict[str, Any]) -> str | None:
    """What the answer lets the origin do, or None: "with credentials", "any", "reflected".

    Headers that are sent twice are taken one by one: which of them counts is up to the next proxy.
    """
    origins = [value.strip() for value in (row["allow_origin"] or "").split(",")]
    named = row["origin"] in origins or "null" in origins
    credentials = "true" in [v.strip() for v in (row["allow_credentials"] or "").split(",")]
    if named:
        return "with credentials" if credentials else "reflected"
    return "any" if "*" in origins else None


def cors_table(answers: Evidence) -> Any:
    """A data frame: one row a path and kind of request, one column a kind of origin."""
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, Any]] = {}
    kinds = list(dict.fromkeys(r["origin_kind"] for r in answers.records))
    for record in answers.records:
        key = (record["path"], record["request"])
        row = rows.setdefault(key, {"path": key[0], "request": key[1]})
        status = record["status"] or "no answer"
        row[record["origin_kind"]] = f"{status}: {allowed(record) or 'nothing allowed'}"
    return pd.DataFrame(list(rows.values()), columns=["path", "request", *kinds]).fillna("–")
