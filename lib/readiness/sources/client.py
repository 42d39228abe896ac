"""A client for the target's HTTP service: bounded in pace, number, size and time.

Whatever the service does (answers drop by drop, without end, with a cookie, with a redirect to
somewhere else), the client comes back in time and stays who it was.
"""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import certifi
import httpx

from ..finding import NotMeasured, Reason
from ..target import Http, Request, Target, need
from ..variables import keep_secret
from .deadline import Deadline, Transport

LONGEST_WAIT_S = 65.0  # for a rate limiter that says when to come back
MOST_WAITS = 3  # of that kind for one request
USER_AGENT = "readiness-audit"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True)
class Exchange:
    """One request and what came back; ``error`` says why nothing did, or not all of it."""

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
        except (ValueError, RecursionError):
            return None


class Client:
    """Sends requests to the target: never faster, more or longer than the parameters allow.

    A 429 that says when to come back is waited for. Every request is written to ``ledger`` with
    method, path, status and time; never with headers or bodies.
    """

    def __init__(
        self, target: Target, http: Http, transport: httpx.Client, deadline: Deadline
    ) -> None:
        self.target = target
        self.http = http
        self.ledger: list[dict[str, Any]] = []
        self.scheme = transport.base_url.scheme
        self._transport = transport
        self._deadline = deadline
        self._interval = 60.0 / http.requests_per_minute
        self._next = 0.0
        self._patience = http.max_wait_s
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
        waits = 0
        while True:
            self._may_send(method, path)
            exchange = self._send_once(method, path, headers, json, form, content)
            wait = _retry_after(exchange) if exchange.status == 429 else None
            if wait is None or waits == MOST_WAITS or wait > self._patience:
                return exchange
            waits += 1
            self._patience -= wait
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
            fields = {role.username_field: username, role.password_field: password}
            answer = (
                self.send(method, path, form=fields)
                if role.login_as == "form"
                else self.send(method, path, json=fields)
            )
            given = answer.json()
            for key in role.token_field.split("."):
                given = given.get(key) if isinstance(given, dict) else None
            if not isinstance(given, str) or not given:
                raise NotMeasured(
                    Reason.UNREACHABLE,
                    f"login as {name} gave no {role.token_field}: {login} answered "
                    f"{answer.error or answer.status}",
                )
            token = given
        keep_secret(token, f"token of {name}")
        return {role.header: f"{role.scheme} {token}".strip()}

    def _may_send(self, method: str, path: str) -> None:
        if not path.startswith("/") or path.startswith("//") or re.search(r"[\x00-\x20\x7f]", path):
            raise ValueError(f"not a path of the target: {path[:80]!r}")
        operation = f"{method} {path.split('?', 1)[0]}"
        if excluded(operation, self.http.never_call):
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
        if (early := self._next - time.monotonic()) > 0:
            time.sleep(early)
        self._next = time.monotonic() + self._interval
        # A login may have set a cookie; who a request comes from is said by its headers alone.
        self._transport.cookies.clear()
        started = time.perf_counter()
        self._deadline.set_in(self.http.timeout_s)
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
                body = _read(response, self.http.max_body_bytes)
        except httpx.TimeoutException:
            error = f"no answer within {self.http.timeout_s:g} s"
            if status is not None:
                error = f"the answer did not end within {self.http.timeout_s:g} s"
        except (UnicodeEncodeError, httpx.LocalProtocolError):
            error = "the request cannot be sent: a header is not allowed in HTTP"  # and not told
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as broke:
            error = f"{type(broke).__name__}: {broke}"
        elapsed = (time.perf_counter() - started) * 1000
        entry = {"method": method, "path": path, "status": status, "ms": round(elapsed, 2)}
        self.ledger.append(entry | ({"error": error} if error else {}))
        return Exchange(method, path, status, received, body, elapsed, error or None)


def _read(response: httpx.Response, most: int) -> bytes:
    """The body, up to ``most`` bytes: a stream may have no end."""
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) >= most:
            break
    return bytes(body[:most])


def _retry_after(exchange: Exchange) -> float | None:
    """The seconds that a Retry-After asks for, given as a number or as a date (RFC 9110)."""
    said = (exchange.header("retry-after") or "").strip()
    if said.isdecimal():
        return min(float(said), LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    left = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(left, 0.0), LONGEST_WAIT_S)


def covers(template: str, operation: str) -> bool:
    """Whether ``GET /users/{id}`` is meant by an operation: the same, or with values filled in."""
    pattern = re.sub(r"\\\{[^/}]*\\\}", "[^/]+", re.escape(template))
    return re.fullmatch(pattern, operation) is not None


def excluded(operation: str, never: Iterable[str]) -> bool:
    """Whether an operation is under ``never_call``; HEAD runs the code of GET."""
    asked = {operation, re.sub("^HEAD ", "GET ", operation)}
    return any(covers(template, one) for template in never for one in asked)


@cache
def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The certificates that are believed; made once, which takes a while."""
    try:
        return ssl.create_default_context(cafile=ca_file or certifi.where())
    except (OSError, ssl.SSLError) as broke:
        raise NotMeasured(
            Reason.NO_PARAMETER, f"target.http.ca_file holds no certificates: {broke}"
        ) from None


@contextmanager
def client(target: Target) -> Iterator[Client]:
    """A client for the target's base URL; follows no redirects and keeps no cookies."""
    http = need(target.http, "target.http")
    deadline = Deadline()
    with httpx.Client(
        base_url=http.base_url.value(),
        timeout=http.timeout_s,
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT},
        transport=Transport(_trust(http.ca_file.value() if http.ca_file else None), deadline),
        trust_env=False,
    ) as transport:
        yield Client(target, http, transport, deadline)


def reached(exchange: Exchange) -> Exchange:
    """``exchange``, or NOT_MEASURED ``unreachable`` when nothing answered."""
    if exchange.status is None:
        raise NotMeasured(
            Reason.UNREACHABLE, f"{exchange.method} {exchange.path}: {exchange.error}"
        )
    return exchange


def filled(value: Any, unique: str) -> Any:
    """A copy of a body with ``{unique}`` replaced wherever it stands in a text."""
    if isinstance(value, dict):
        return {name: filled(inner, unique) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, unique) for inner in value]
    return value.replace("{unique}", unique) if isinstance(value, str) else value
