"""What the service's responses look like over HTTP, class by class.

The client that sends all requests is in ``readiness.client``; its names are at home here too.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Http, ResponseClass, Target, need
from ..traffic import Planned
from . import planning
from .client import SAFE_METHODS, Client, Exchange, client, reached
from .exchange import guarded
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
        return [Planned("GET /", 4), Planned("GET /*", 2)]
    return planning.requests(http, http.response_classes, 4 if http.direct_url else 2)


@source("passive", plan=_planned)
def response_classes(target: Target) -> Collected:
    """One response of each class (success, 404, redirect, ...) with all its headers.

    The classes are ``target.http.response_classes``; a service that declares none is asked for its
    root and for a path that cannot exist. With ``target.http.direct_url`` each is asked for twice,
    through the proxy and past it. A class whose request is not permitted is left out and named in
    ``facts.not_sent``; one that gives another status than its class is told apart. The value of a
    cookie is cut out; its name and attributes stay. What is answered with success is asked for
    again at once, as the second answer may come from a cache that does not keep all headers; it is
    a row of its own where it differs, comes from a cache by its own word, or has a nonce.
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
    for way, through in ways(target, http).items():
        with client(through) as http_client:
            facts.setdefault("scheme", http_client.scheme)
            facts.setdefault("host", http_client.host)
            for wanted in classes:
                name = wanted.name + way
                try:
                    exchange = http_client.request(wanted)
                except NotMeasured as gap:
                    not_sent.append({"class": name, "reason": str(gap)})
                    continue
                records.append(record_of(name, wanted.operation, exchange, expected_of(wanted)))
                if not (records[-1]["as_expected"] and _may_be_cached(exchange)):
                    continue
                again = http_client.request(wanted)
                if again.status is not None and _tells_more(exchange, again):
                    records.append(record_of(f"{name}, again", wanted.operation, again))
    if records and all(r["status"] is None for r in records):
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {records[-1]['error']}")
    return Collected(records, facts, {"httpx": httpx.__version__})


def ways(target: Target, http: Http) -> dict[str, Target]:
    """The ways to the service, by what is put behind a name: through the proxy and past it."""
    if not http.direct_url:
        return {"": target}
    direct = http.model_copy(update={"base_url": http.direct_url, "direct_url": None})
    return {"": target, " (direct)": target.model_copy(update={"http": direct})}


def expected_of(wanted: ResponseClass) -> list[int]:
    return wanted.status if isinstance(wanted.status, list) else [wanted.status]


def _may_be_cached(exchange: Exchange) -> bool:
    return exchange.method == "GET" and exchange.status is not None and exchange.status < 300


def _tells_more(first: Exchange, again: Exchange) -> bool:
    """Whether the second of two like requests shows what the first did not."""
    differs = first.status != again.status or guarded(first) != guarded(again)
    nonce = "'nonce-" in (again.header("content-security-policy") or "")
    return differs or nonce or _from_cache(again)


def record_of(
    name: str, operation: str, exchange: Exchange, expected: list[int] | None = None
) -> dict[str, Any]:
    """What is kept of an answer; without ``expected`` it is of its class as it is."""
    expected = expected or [exchange.status or 0]
    html = is_html(exchange.header("content-type"))
    return {
        "class": name,
        "operation": operation,
        "status": exchange.status,
        "as_expected": exchange.status in expected,
        "expected_status": expected,
        "from_cache": _from_cache(exchange),
        "headers": [[known, _kept(known, value)] for known, value in exchange.headers],
        "html": html,
        **(described(exchange.text) if html else {"meta": [], "scripts": []}),
        "error": exchange.error,
    }


def _from_cache(exchange: Exchange) -> bool:
    """Whether the answer says that it came from a cache; many caches do not say so."""
    said = [v for k, v in exchange.headers if k in ("x-cache", "x-cache-status", "cf-cache-status")]
    said += [v for k, v in exchange.headers if k in ("x-proxy-cache", "cache-status")]
    hit = any(re.search(r"\bhit\b", value, re.I) for value in said)
    return hit or (exchange.header("age") or "0").strip().strip("0") != ""


def _kept(name: str, value: str) -> str:
    """A header as it is kept: a session's cookie is as good as its password."""
    if name != "set-cookie":
        return value
    return re.sub(r"=[^;]*", "=…", value, count=1)


def header_grid(names: list[str], *collected: Evidence) -> Any:
    """A data frame: one row a response class, one column a header: sent, missing, differing.

    The classes that could not be had are its last rows.
    """
    import pandas as pd

    usual = {name: _usual(collected, name) for name in names}
    rows = []
    for record in _records(collected):
        row = {
            "class": record["class"] + (" (from a cache)" if record["from_cache"] else ""),
            "operation": record["operation"],
            "status": str(record["status"] or "–"),
        }
        for name in names:
            values = _values(record, name)
            said = "●" if values == [usual[name]] else "▲ another value"
            said = f"▲ {len(values)} times" if len(values) > 1 else said
            row[name] = said if values else "○ missing"
        rows.append(row)
    for evidence in collected:
        for wanted, why in evidence.facts.get("not_had", {}).items():
            rows.append({"class": wanted, "operation": why, "status": "not had"})
    return pd.DataFrame(rows, columns=["class", "operation", "status", *names]).fillna("")


def header_values(names: list[str], *collected: Evidence) -> Any:
    """A data frame: one row a value that a header was sent with, and the classes that sent it."""
    import pandas as pd

    seen: dict[tuple[str, str], list[str]] = {}
    for name in names:
        for record in _records(collected):
            for value in _values(record, name):
                seen.setdefault((name, value), []).append(record["class"])
    every = len({record["class"] for record in _records(collected)})
    rows = []
    for (name, value), sent_on in seen.items():
        classes = list(dict.fromkeys(sent_on))
        where = "every class" if len(classes) == every else ", ".join(classes)
        rows.append({"header": name, "value": value, "sent on": where})
    return pd.DataFrame(rows, columns=["header", "value", "sent on"])


def _records(collected: Sequence[Evidence]) -> list[dict[str, Any]]:
    return [record for evidence in collected for record in evidence.records]


def _values(record: dict[str, Any], name: str) -> list[str]:
    return [value for known, value in record["headers"] if known == name.lower()]


def _usual(collected: Sequence[Evidence], name: str) -> str | None:
    """The value that most responses have."""
    counted = Counter(value for r in _records(collected) for value in _values(r, name))
    return counted.most_common(1)[0][0] if counted else None
