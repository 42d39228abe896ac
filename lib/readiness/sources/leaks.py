"""What answers give away: headers of every kind of answer, bodies of provoked errors, open doors.

Errors are provoked with what a careless program sends: broken JSON, text for a number, a NUL, a
path that is too long. Of a body only the kinds of detail it holds are kept, never the body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Target, need
from ..traffic import Planned
from .client import Client, Exchange, client, excluded, hazardous
from .leak_signs import DOCUMENTATION, DOORS, in_body, in_headers, is_documentation, is_open_door
from .openapi import Api, Operation, path_of, read_api

MOST_OPERATIONS = 25
READ = 200_000  # characters of a body that are searched
BROKEN_BODIES = {
    "broken JSON": (b'{"a": ', "application/json"),
    "JSON of another shape": (b'[[{"a": null}]]', "application/json"),
    "no UTF-8": (b'{"a": "\xff\xfe"}', "application/json"),
    "another content type": (b"<a/>", "application/xml"),
}
WRONG_VALUES = {
    "a quote": "'\"\\",
    "a NUL": "\0",
    "half a character": "\ud800",
    "a very long value": "9" * 5000,
    "a negative number": "-9223372036854775809",
}
ODD_PATHS = {
    "no such path": "/readiness-no-such-path",
    "broken escape": "/%zz",
    "a NUL in the path": "/%00",
    "no UTF-8 in the path": "/%ff%fe",
    "a path that climbs": "/..%2f..%2fetc/passwd",
    "a very long path": "/" + "a" * 9000,
}


@dataclass(frozen=True)
class _Probe:
    what: str
    method: str
    path: str
    operation: str
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    for path in (*ODD_PATHS.values(), *DOORS, *DOCUMENTATION):
        yield Planned(f"GET {path}"[:300], 1)
    yield Planned("TRACE /", 1)
    for operation in operations[: 4 * MOST_OPERATIONS]:
        yield Planned(operation, len(WRONG_VALUES) + len(BROKEN_BODIES))
    if target.http and target.http.openapi and target.http.openapi.startswith("/"):
        yield Planned(f"GET {target.http.openapi}", 2)
    if target.http and target.http.authentication:
        role = target.http.roles.get(target.http.authentication.token_role)
        if role and role.login:
            yield Planned(role.login, 1)


@source("active", plan=_planned)
def provoked(target: Target) -> Collected:
    """One row for each request, with what its answer gives away.

    ``kind`` is ``error`` (a malformed request), ``door`` (a path that should answer nobody) or
    ``documentation``. Requests carry the credentials of ``token_role`` where they can be had, so
    that they reach the code behind the guard.
    """
    http = need(target.http, "target.http")
    records: list[dict[str, Any]] = []
    facts: dict[str, Any] = {"documentation": http.documentation, "not_asked": ""}
    with client(target) as http_client:
        facts["api_gap"], api = _api(target, http_client)
        headers, facts["without_credentials_because"] = _credentials(http_client)
        try:
            for kind, probe in _probes(http_client, api):
                records.append(_row(http_client, kind, probe, headers))
        except NotMeasured as gap:  # the service begins to fail, or the allowance is used up
            facts["not_asked"] = str(gap)
    if not any(r["status"] for r in records):
        said = records[-1]["error"] if records else facts["not_asked"]
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {said}")
    return Collected(records, facts)


def _api(target: Target, http_client: Client) -> tuple[str, Api]:
    try:
        return "", read_api(target, http_client)
    except NotMeasured as gap:
        return str(gap), Api([], "", False, {}, [])


def _credentials(http_client: Client) -> tuple[dict[str, str], str]:
    authentication = http_client.http.authentication
    if authentication is None:
        return {}, "target.http.authentication is not set"
    try:
        return http_client.credentials(authentication.token_role), ""
    except NotMeasured as gap:
        return {}, str(gap)


def _probes(http_client: Client, api: Api) -> Iterator[tuple[str, _Probe]]:
    for what, path in ODD_PATHS.items():
        yield "error", _Probe(what, "GET", path, f"GET {path}")
    yield "error", _Probe("another method", "TRACE", "/", "TRACE /")
    for path in DOORS:
        yield "door", _Probe("a path that should answer nobody", "GET", path, f"GET {path}")
    for path in DOCUMENTATION:
        yield "documentation", _Probe("interactive documentation", "GET", path, f"GET {path}")
    for operation in _spread(api.operations):
        if excluded(operation.name, http_client.http.never_call) or hazardous(operation.name):
            continue
        for probe in _malformed(http_client, api, operation):
            yield "error", probe


def _spread(operations: list[Operation]) -> list[Operation]:
    """As many with a body as without, up to the limit: each kind has a parser of its own."""
    with_body = [o for o in operations if not o.safe and o.body_schema]
    with_value = [o for o in operations if o.safe and (o.parameters or "{" in o.template)]
    return [*with_body[:MOST_OPERATIONS], *with_value[:MOST_OPERATIONS]]


def _malformed(http_client: Client, api: Api, operation: Operation) -> Iterator[_Probe]:
    path = path_of(api, operation, http_client.http.examples)
    if not operation.safe:
        for what, (content, kind) in BROKEN_BODIES.items():
            headers = {"Content-Type": kind}
            yield _Probe(what, operation.method, path, operation.name, content, headers)
        return
    names = [str(p["name"]) for p in operation.parameters if p.get("in") == "query"]
    for what, value in WRONG_VALUES.items():
        escaped = quote(value.encode("utf-8", "surrogatepass"), safe="")
        if names:
            bare = path.split("?")[0]
            yield _Probe(what, operation.method, f"{bare}?{names[0]}={escaped}", operation.name)
        elif "{" in operation.template:
            head, _, rest = operation.template.partition("{")
            filled = head + escaped + rest.partition("}")[2].replace("{", "").replace("}", "")
            yield _Probe(what, operation.method, filled, operation.name)


def _row(http_client: Client, kind: str, probe: _Probe, headers: dict[str, str]) -> dict[str, Any]:
    own = {} if kind != "error" or probe.operation.startswith("GET /readiness") else headers
    exchange = http_client.send(
        probe.method,
        probe.path,
        headers={**own, **probe.headers},
        content=probe.content,
        operation=probe.operation[:300],
        provoked=kind == "error",
    )
    return {
        "kind": kind,
        "sent": probe.what,
        "operation": probe.operation[:120],
        "status": exchange.status,
        "headers": in_headers(exchange.headers),
        "body": _in_body(kind, probe, exchange),
        "error": exchange.error,
    }


def _in_body(kind: str, probe: _Probe, exchange: Exchange) -> list[str]:
    text = exchange.text[:READ]
    if kind == "door":
        opened = exchange.status == 200 and is_open_door(probe.path, text)
        return ["open"] if opened else []
    if kind == "documentation":
        return ["open"] if exchange.status == 200 and is_documentation(text) else []
    # What the request itself said and the answer repeats is no secret of the service.
    return in_body(text.replace(probe.path, "")) if (exchange.status or 0) >= 400 else []


def leaks_table(provoked: Evidence) -> Any:
    """A data frame: one row a kind of request, the statuses it got, and what they gave away."""
    import pandas as pd

    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for record in provoked.records:
        key = (record["kind"], record["sent"])
        row = rows.setdefault(
            key, {"kind": key[0], "sent": key[1], "times": 0, "answered": set(), "shows": set()}
        )
        row["times"] += 1
        row["answered"].add(str(record["status"] or "nothing"))
        row["shows"] |= {f"{record['operation']}: {one}" for one in record["body"]}
        row["shows"] |= set(record["headers"])
    for row in rows.values():
        row["answered"] = ", ".join(sorted(row["answered"]))
        row["shows"] = "; ".join(sorted(row["shows"])[:4]) or "nothing"
    return pd.DataFrame(list(rows.values()), columns=["kind", "sent", "times", "answered", "shows"])
