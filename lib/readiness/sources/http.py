"""What the service's responses look like over HTTP, class by class.

The client that sends all requests is in ``readiness.client``; its names are at home here too.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable
from typing import Any

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Http, ResponseClass, Target, need
from ..traffic import Planned
from . import planning
from .client import SAFE_METHODS, Client, Exchange, client, reached
from .page import described, is_html

__all__ = [
    "SAFE_METHODS",
    "Client",
    "Exchange",
    "client",
    "header_grid",
    "header_values",
    "reached",
    "response_classes",
]


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None:
        return []
    if not http.response_classes:
        return [Planned("GET /"), Planned("GET /*")]
    return planning.requests(http, http.response_classes)


@source("passive", plan=_planned)
def response_classes(target: Target) -> Collected:
    """One response of each class (success, 404, redirect, ...) with all its headers.

    The classes are ``target.http.response_classes``; a service that declares none is asked for its
    root and for a path that cannot exist. With ``target.http.direct_url`` each is asked for twice,
    through the proxy and past it. A class whose request is not permitted is left out and named in
    ``facts.not_sent``; one that gives another status than its class is told apart. The value of a
    cookie is cut out; its name and attributes stay.
    """
    http = need(target.http, "target.http")
    absent = f"/readiness-{secrets.token_hex(8)}"
    classes = http.response_classes or [
        ResponseClass(name="root", operation="GET /", status=[200, 301, 302, 307, 308, 401, 403]),
        ResponseClass(name="not found", operation=f"GET {absent}", status=404),
    ]
    records: list[dict[str, Any]] = []
    not_sent: list[dict[str, str]] = []
    facts: dict[str, Any] = {"not_sent": not_sent}
    ways = {"": target} | ({"direct": _past_proxy(target, http)} if http.direct_url else {})
    for way, through in ways.items():
        with client(through) as http_client:
            facts.setdefault("scheme", http_client.scheme)
            facts.setdefault("host", http_client.host)
            for wanted in classes:
                name = f"{wanted.name} (direct)" if way else wanted.name
                try:
                    exchange = http_client.request(wanted)
                except NotMeasured as gap:
                    not_sent.append({"class": name, "reason": str(gap)})
                    continue
                records.append(_record(name, wanted, exchange))
    if records and all(r["status"] is None for r in records):
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {records[-1]['error']}")
    return Collected(records, facts, {"httpx": httpx.__version__})


def _past_proxy(target: Target, http: Http) -> Target:
    return target.model_copy(
        update={"http": http.model_copy(update={"base_url": http.direct_url, "direct_url": None})}
    )


def _record(name: str, wanted: ResponseClass, exchange: Exchange) -> dict[str, Any]:
    expected = wanted.status if isinstance(wanted.status, list) else [wanted.status]
    html = is_html(exchange.header("content-type"))
    return {
        "class": name,
        "operation": wanted.operation,
        "status": exchange.status,
        "as_expected": exchange.status in expected,
        "expected_status": expected,
        "headers": [[known, _kept(known, value)] for known, value in exchange.headers],
        "html": html,
        **(described(exchange.text) if html else {"meta": [], "scripts": []}),
        "error": exchange.error,
    }


def _kept(name: str, value: str) -> str:
    """A header as it is kept: a session's cookie is as good as its password."""
    if name != "set-cookie":
        return value
    return re.sub(r"=[^;]*", "=…", value, count=1)


def header_grid(responses: Evidence, names: list[str]) -> Any:
    """A data frame: one row a response class, one column a header: sent, missing, differing."""
    import pandas as pd

    usual = {name: _usual(responses, name) for name in names}
    rows = []
    for record in responses.records:
        row = {
            "class": record["class"],
            "operation": record["operation"],
            "status": str(record["status"] or "–"),
        }
        for name in names:
            values = _values(record, name)
            said = "●" if values == [usual[name]] else "▲ another value"
            said = f"▲ {len(values)} times" if len(values) > 1 else said
            row[name] = said if values else "○ missing"
        rows.append(row)
    return pd.DataFrame(rows, columns=["class", "operation", "status", *names])


def header_values(responses: Evidence, names: list[str]) -> Any:
    """A data frame: one row a value that a header was sent with, and the classes that sent it."""
    import pandas as pd

    seen: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for record in responses.records:
            for value in _values(record, name):
                seen.setdefault((name, value), []).append(record["class"])
    every = len({record["class"] for record in responses.records})
    rows = []
    for (name, value), sent_on in seen.items():
        classes = list(dict.fromkeys(sent_on))
        where = "every class" if len(classes) == every else ", ".join(classes)
        rows.append({"header": name, "value": value, "sent on": where})
    return pd.DataFrame(rows, columns=["header", "value", "sent on"])


def _values(record: dict[str, Any], name: str) -> list[str]:
    return [value for known, value in record["headers"] if known == name.lower()]


def _usual(responses: Evidence, name: str) -> str | None:
    """The value that most responses have."""
    counted = Counter(value for r in responses.records for value in _values(r, name))
    return counted.most_common(1)[0][0] if counted else None
