"""Talking to the service over HTTP: a bounded, paced client, and what its responses look like."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import certifi
import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..parameters import Http, Request, ResponseClass, Target, keep_secret, need

LONGEST_WAIT_S = 65.0  # for a rate limiter that says when to come back
MOST_WAITS = 3  # of that kind for one request
USER_AGENT = "readiness-audit"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Exchange:
    """One request and what came back; ``error`` says why nothing did."""

    method: str
    path: str
    status: int | None
    headers: list[tuple[str, str]] = field(default_factory=list)  # names in lower case
    body: bytes = b""
    elapsed_ms: float = 0.0
    error: str | None = None

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON, or None."""
        try:
            return httpx.Response(200, content=self.body).json()
        except ValueError:
            return None


class Client:
    """Sends requests to the target: never faster, more or longer than the parameters allow.

    A 429 that says when to come back is waited for. Every request is written to ``ledger`` with
    method, path, status and time; never with headers or bodies.
    """

    def __init__(self, target: Target, http: Http, transport: httpx.Client) -> None:
        self.target = target
        self.http = http
        self.ledger: list[dict[str, Any]] = []
        self.scheme = transport.base_url.scheme
        self._transport = transport
        self._interval = 60.0 / http.requests_per_minute
        self._next = 0.0
        self._credentials: dict[str, dict[str, str]] = {}

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Exchange:
        """Send one request; what goes wrong on the way is in ``Exchange.error``, never raised.

        Raises NotMeasured ``not_permitted`` for an excluded operation, an unsafe method where
        ``active`` is not permitted, or more requests than the parameters allow.
        """
        self._may_send(method, path)
        waits = 0
        while True:
            exchange = self._send_once(method, path, headers, json, form, content)
            wait = _retry_after(exchange)
            if exchange.status != 429 or wait is None or waits == MOST_WAITS:
                return exchange
            waits += 1
            time.sleep(wait)

    def request(self, request: Request, headers: Mapping[str, str] | None = None) -> Exchange:
        """Send a request described in the parameters, with its role's credentials."""
        method, path = request.operation.split(" ", 1)
        sent = {name: value.value() for name, value in request.headers.items()}
        if request.as_role:
            sent |= self.credentials(request.as_role)
        return self.send(
            method,
            path,
            headers={**sent, **(headers or {})},
            json=request.json_body,
            form=request.form,
        )

    def credentials(self, role: str) -> dict[str, str]:
        """The headers that make a request one of ``role``; logs in once if it takes that.

        Raises NotMeasured when the role is not described or the login gives no token.
        """
        if role not in self._credentials:
            self._credentials[role] = self._obtain(role)
        return self._credentials[role]

    def _obtain(self, name: str) -> dict[str, str]:
        role = need(self.http.roles.get(name), f"target.http.roles.{name}")
        if role.credential:
            token = role.credential.value()
        else:
            login = need(role.login, f"target.http.roles.{name}.login")
            username = need(role.username, f"target.http.roles.{name}.username").value()
            password = need(role.password, f"target.http.roles.{name}.password").value()
            method, path = login.split(" ", 1)
            answer = self.send(method, path, json={"username": username, "password": password})
            body = answer.json()
            given = body.get(role.token_field) if isinstance(body, dict) else None
            if not isinstance(given, str):
                raise NotMeasured(
                    Reason.UNREACHABLE,
                    f"login as {name} gave no {role.token_field}: {login} answered "
                    f"{answer.error or answer.status}",
                )
            token = given
        keep_secret(token, f"token of {name}")
        return {role.header: f"{role.scheme} {token}".strip()}

    def _may_send(self, method: str, path: str) -> None:
        operation = f"{method} {path.split('?', 1)[0]}"
        if operation in self.http.never_call:
            raise NotMeasured(Reason.NOT_PERMITTED, f"{operation} is under never_call")
        if method not in SAFE_METHODS and "active" not in self.target.permit:
            raise NotMeasured(
                Reason.NOT_PERMITTED, f"{operation} needs permission: add active under permit"
            )
        if len(self.ledger) >= self.http.max_requests:
            raise NotMeasured(
                Reason.NOT_PERMITTED,
                f"target.http.max_requests ({self.http.max_requests}) is used up",
            )

    def _send_once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        json: Any,
        form: Mapping[str, str] | None,
        content: bytes | None,
    ) -> Exchange:
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + self._interval
        started = time.perf_counter()
        deadline = time.monotonic() + self.http.timeout_s
        status: int | None = None
        received: list[tuple[str, str]] = []
        body, error = b"", ""
        try:
            with self._transport.stream(
                method, path, headers=headers, json=json, data=form, content=content
            ) as response:
                status = response.status_code
                received = [
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in response.headers.raw
                ]
                body = _read(response, self.http.max_body_bytes, deadline)
        except httpx.TimeoutException:
            error = f"no answer within {self.http.timeout_s:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as broke:
            error = f"{type(broke).__name__}: {broke}"
        elapsed = (time.perf_counter() - started) * 1000
        entry = {"method": method, "path": path, "status": status, "ms": round(elapsed, 2)}
        self.ledger.append(entry | ({"error": error} if error else {}))
        return Exchange(method, path, status, received, body, elapsed, error or None)


def _read(response: httpx.Response, most: int, deadline: float) -> bytes:
    """The body, up to ``most`` bytes and until the deadline: a stream may have no end."""
    body = b""
    for chunk in response.iter_bytes(16_384):
        body += chunk
        if len(body) >= most:
            break
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("the body did not end in time")
    return body[:most]


def _retry_after(exchange: Exchange) -> float | None:
    said = exchange.header("retry-after") or ""
    return min(float(said), LONGEST_WAIT_S) if said.isdigit() else None


@cache
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The certificates that are believed; made once, which takes a while."""
    return ssl.create_default_context(cafile=ca_file or certifi.where())


@contextmanager
def client(target: Target) -> Iterator[Client]:
    """A client for the target's base URL; follows no redirects and keeps no cookies."""
    http = need(target.http, "target.http")
    with httpx.Client(
        base_url=http.base_url.value(),
        timeout=http.timeout_s,
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT},
        verify=_trust(http.ca_file.value() if http.ca_file else None),
        trust_env=False,
    ) as transport:
        yield Client(target, http, transport)


def reached(exchange: Exchange) -> Exchange:
    """``exchange``, or NOT_MEASURED ``unreachable`` when nothing answered."""
    if exchange.status is None:
        raise NotMeasured(
            Reason.UNREACHABLE, f"{exchange.method} {exchange.path}: {exchange.error}"
        )
    return exchange


@source("passive")
def response_classes(target: Target) -> Collected:
    """One response of each class (success, 404, redirect, ...) with all its headers.

    The classes are ``target.http.response_classes``; a service that declares none is asked for its
    root and for a path that cannot exist. A class whose request is not permitted is left out and
    named in ``facts.not_sent``; one that gives another status than its class is told apart.
    """
    http = need(target.http, "target.http")
    absent = f"/readiness-{secrets.token_hex(8)}"
    classes = http.response_classes or [
        ResponseClass(name="root", operation="GET /", status=[200, 301, 302, 307, 308, 401, 403]),
        ResponseClass(name="not found", operation=f"GET {absent}", status=404),
    ]
    records, not_sent, last_error = [], [], ""
    with client(target) as http_client:
        for wanted in classes:
            try:
                exchange = http_client.request(wanted)
            except NotMeasured as gap:
                not_sent.append({"class": wanted.name, "reason": str(gap)})
                continue
            last_error = exchange.error or last_error
            expected = wanted.status if isinstance(wanted.status, list) else [wanted.status]
            records.append(
                {
                    "class": wanted.name,
                    "operation": wanted.operation,
                    "status": exchange.status,
                    "as_expected": exchange.status in expected,
                    "expected_status": expected,
                    "headers": [list(pair) for pair in exchange.headers],
                    "error": exchange.error,
                }
            )
        facts = {
            "scheme": http_client.scheme,
            "not_sent": not_sent,
            "requests": http_client.ledger,
        }
    if records and all(r["status"] is None for r in records):
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {last_error}")
    return Collected(records, facts, {"httpx": httpx.__version__})


def header_grid(responses: Evidence, names: list[str]) -> Any:
    """A data frame: one row a response class, one column a header; repeated values joined by ⏎."""
    import pandas as pd

    rows = []
    for record in responses.records:
        row = {"class": record["class"], "status": record["status"]}
        for name in names:
            values = [value for known, value in record["headers"] if known == name.lower()]
            row[name] = " ⏎ ".join(values) or "—"
        rows.append(row)
    return pd.DataFrame(rows, columns=["class", "status", *names])
