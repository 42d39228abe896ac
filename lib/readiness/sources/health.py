"""What the health endpoints answer, and what a path beside them that cannot exist answers."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Iterable
from typing import Any

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import HealthEndpoint, Request, Target, need
from ..traffic import Planned
from . import planning
from .http import Client, Exchange, client

LONGEST_VALUE = 200  # characters of a text that is kept


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    """Each endpoint twice, and a path beside it that cannot be there."""
    for endpoint in target.http.health if target.http else []:
        yield Planned(f"GET {endpoint.path}", 2)
        yield Planned(f"GET {endpoint.path.rpartition('/')[0]}/*")
    if target.http:
        yield from planning.logins(target.http, *(e.as_role for e in target.http.health))


@source("passive", plan=_planned)
def answers(target: Target) -> Collected:
    """Each health endpoint, once or (where a value must vary) twice, and a nonsense path beside it.

    Of a JSON body only the fields that are declared are kept, and of a text that is declared by its
    type only that it is there.
    """
    http = need(target.http, "target.http")
    endpoints = need(http.health, "target.http.health")
    records: list[dict[str, Any]] = []
    beside: dict[str, Exchange] = {}
    with client(target) as http_client:
        for endpoint in endpoints:
            records.append(_row(endpoint, "endpoint", _ask(http_client, endpoint)))
            parent = endpoint.path.split("?")[0].rpartition("/")[0]
            if parent not in beside:
                beside[parent] = http_client.send("GET", f"{parent}/{secrets.token_hex(8)}")
            records.append(_row(endpoint, "nonsense", beside[parent]))
        again = [e for e in endpoints if any(_option(w, "varies") for w in e.body.values())]
        time.sleep(max((e.again_after_s for e in again), default=0))
        records += [_row(e, "again", _ask(http_client, e)) for e in again]
    if all(record["status"] is None for record in records):
        raise NotMeasured(
            Reason.UNREACHABLE, f"no health endpoint was reached: {records[0]['error']}"
        )
    declared = [endpoint.model_dump(mode="json") for endpoint in endpoints]
    return Collected(records, {"declared": declared}, {"httpx": httpx.__version__})


def _ask(http_client: Client, endpoint: HealthEndpoint) -> Exchange:
    wanted = Request(operation=f"GET {endpoint.path}", as_role=endpoint.as_role)
    return http_client.request(wanted)


def _row(endpoint: HealthEndpoint, probe: str, exchange: Exchange) -> dict[str, Any]:
    content_type = (exchange.header("content-type") or "").split(";")[0].strip().lower()
    html = content_type == "text/html" or exchange.text.lstrip()[:14].lower() == "<!doctype html"
    body = exchange.json()
    return {
        "endpoint": endpoint.path,
        "kind": endpoint.kind,
        "probe": probe,  # endpoint, again, or nonsense
        "path": exchange.path,
        "status": exchange.status,
        "content_type": content_type,
        "html": html,
        "bytes": len(exchange.body),
        "age_s": exchange.header("age"),
        "text_matches": None if endpoint.text is None else exchange.text.strip() == endpoint.text,
        "fields": [_field(body, name, wanted) for name, wanted in endpoint.body.items()],
        "error": exchange.error,
    }


def _field(body: Any, name: str, wanted: Any) -> dict[str, Any]:
    """One declared field: is it there, of which type, and its value where that is compared."""
    try:
        value = _at(body, name)
    except (KeyError, IndexError, TypeError, ValueError):
        return {"name": name, "found": False}
    kind = _type(value)
    by_type = _option(wanted, "type") is not None
    row = {"name": name, "found": True, "type": kind, "empty": value in ("", [], {}, None)}
    if kind == "number" or not by_type:
        row["value"] = value[:LONGEST_VALUE] if isinstance(value, str) else value
    row["digest"] = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
    return row


def _at(body: Any, name: str) -> Any:
    """The value at a dotted path; a number steps into a list, and a name may itself hold dots."""
    if isinstance(body, dict) and name in body:
        return body[name]
    for step in name.split("."):
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    names: dict[type, str] = {str: "string", dict: "object", list: "array"}
    return names.get(type(value), "null")


def _option(wanted: Any, name: str) -> Any:
    """An option of a field that is declared by what it must be, not by its value."""
    described = isinstance(wanted, dict) and ("type" in wanted or "one_of" in wanted)
    return wanted.get(name) if described else None


def overview(evidence: Evidence) -> Any:
    """A data frame: every request, what came back, and how many declared fields it held."""
    import pandas as pd

    columns = ["kind", "asked for", "status", "content type", "bytes", "declared fields found"]
    rows = []
    for record in evidence.records:
        path = record["path"] if record["probe"] != "nonsense" else f"{record['path']} (nonsense)"
        found = sum(field["found"] for field in record["fields"])
        known = f"{found} of {len(record['fields'])}" if record["fields"] else "—"
        status = record["error"] or record["status"]
        rows.append(
            [record["kind"], path, status, record["content_type"] or "—", record["bytes"], known]
        )
    return pd.DataFrame(rows, columns=columns)
