"""A client for the target's HTTP service: bounded in pace, number, size and time.

Whatever the service does (answers drop by drop, without end, with a cookie, with a redirect to
somewhere else), the client comes back in time and stays who it was.
"""

from __future__ import annotations

import re
import ssl
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import certifi
import httpx

from ..finding import NotMeasured, Reason
from ..target import Http, Request, Target, need
from ..traffic import Stopped
from ..variables import keep_secret
from .deadline import Deadline, Transport
from .exchange import Exchange as Exchange
from .exchange import meet
from .login import headers_with, log_in_as, role_of, token_in
from .pace import Pace, allowance, retry_after

MOST_WAITS = 3  # of that kind for one request
USER_AGENT = "readiness-audit"
PACKED = ("gzip", "deflate")  # what is asked for, and unpacked no further than it is read
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Client:
    """Sends requests to the target: never faster, more or longer than the parameters allow.

    Nor faster than the service's own headers allow; a 429 that says when to come back is waited
    for. Every request is written down in the target's traffic, of which ``ledger`` is this client's
    part: operation, path, status and time, never headers or bodies.
    """

    def __init__(
        self, target: Target, http: Http, transport: httpx.Client, deadline: Deadline
    ) -> None:
        self.target = target
        self.http = http
        self.ledger: list[dict[str, Any]] = []
        self.scheme = transport.base_url.scheme
        self.host = transport.base_url.host
        self.base = str(transport.base_url)
        self._transport = transport
        self._deadline = deadline
        self._interval = 60.0 / http.requests_per_minute
        self._next = 0.0
        self._pace = Pace()
        self._patience = http.max_wait_s
        self._credentials: dict[str, dict[str, str]] = {}
        self._stubs = http.stubs

    def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        operation: str | None = None,
        patient: bool = True,
        burst: bool = False,
        fresh: bool = False,
        timed: bool = True,
        failing: bool = False,
        provoked: bool = False,
    ) -> Exchange:
        """Send one request; what goes wrong on the way is in ``Exchange.error``, never raised.

        ``operation`` names it in the ledger where the path has values filled in. A request that
        is not ``patient`` takes a 429 for an answer; one of a ``burst`` is sent at once besides,
        for the question whether there is a limit. ``fresh``
        opens a connection for this request alone, so that any worker may take it. ``timed`` is
        False where the request itself asks for a slow answer, and ``failing`` is True where the
        service is meant to fail just then: neither shows that it suffers from the audit. Nor does
        an error that was ``provoked`` by what was sent, as long as there is an answer at all.

        Raises NotMeasured ``not_permitted`` for an excluded operation, an unsafe method where
        ``active`` is not permitted, or more requests than the parameters allow; and Stopped when
        the service has begun to fail.
        """
        named = operation or f"{method} {path.split('?', 1)[0]}"
        sent = {**(headers or {}), **({"Connection": "close"} if fresh else {})}
        waits = 0
        while True:
            self._may_send(method, path)
            if not burst:
                self._keep_pace(sent, named, patient)
            exchange = self._send_once(method, path, sent, json, form, content)
            meant = failing or (provoked and exchange.status is not None)
            self.note(exchange, named, timed, meant)
            meet(self.target.traffic, self.base, named, exchange)
            told = allowance(exchange.header)
            self._pace.learn(sent, named, told)
            if told:
                self.target.traffic.limits.add(f"{told.limit} requests in a window")
            if burst or not patient or waits == MOST_WAITS or not self.wait_for(exchange):
                return exchange
            waits += 1

    def wait_for(self, exchange: Exchange) -> bool:
        """Wait as long as a 429 asks for; False when it is none, or patience is at its end."""
        wait = retry_after(exchange.header) if exchange.status == 429 else None
        if wait is None or wait > self._patience:
            return False
        self._wait(wait)
        return True

    def _keep_pace(self, headers: Mapping[str, str], operation: str, patient: bool) -> None:
        """Wait until the parameters and what the service said of its limit allow the next."""
        if (early := self._next - time.monotonic()) > 0:
            time.sleep(early)
        wait = self._pace.wait_s(headers, operation) if patient else 0.0
        if 0 < wait <= self._patience:
            self._wait(wait)

    def _wait(self, seconds: float) -> None:
        """Wait because of the service's limit, which patience and the evidence count."""
        self._patience -= seconds
        self.target.traffic.waited_s += seconds
        time.sleep(seconds)

    def note(
        self, exchange: Exchange, operation: str, timed: bool = True, failing: bool = False
    ) -> None:
        """Write an exchange down, and learn from it whether the service begins to fail."""
        traffic, status = self.target.traffic, exchange.status
        entry = traffic.note(
            operation,
            exchange.method,
            exchange.path,
            status,
            exchange.elapsed_ms,
            exchange.error or "",
        )
        self.ledger.append(entry)
        stubs = (s.operation for s in self._stubs if s.status == status)
        if failing or any(covers(stub, operation) for stub in stubs):
            return  # fails by design
        traffic.watch(
            entry,
            most_errors=self.http.stop_at_errors,
            slowdown=self.http.stop_at_slowdown,
            timed=timed,
        )

    def request(
        self, request: Request, headers: Mapping[str, str] | None = None, **how: Any
    ) -> Exchange:
        """Send a request described in the parameters, with its role's credentials, as ``send``."""
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
            **how,
        )

    def credentials(self, role: str) -> dict[str, str]:
        """The headers that make a request one of ``role``; logs in once if it takes that.

        Raises NotMeasured when the role is not described or the login gives no token.
        """
        if role not in self._credentials:
            self._credentials[role] = self._obtain(role)
        return self._credentials[role]

    def _obtain(self, name: str) -> dict[str, str]:
        role = role_of(self, name)
        if role.credential:
            token = keep_secret(role.credential.value(), f"token of {name}")
        else:
            token = token_in(log_in_as(self, name), role, name)
        return headers_with(role, token)

    def admit(self, method: str, path: str) -> None:
        """Ask for a request that is sent by other means than ``send``, and wait for its turn."""
        self._may_send(method, path)
        self._keep_pace({}, f"{method} {path}", patient=False)
        self._next = time.monotonic() + self._interval

    def make_room(self, callers: int, headers: Mapping[str, str], operation: str) -> None:
        """Wait until one may ask, and take the time of so many who are going to ask at once."""
        self._keep_pace(headers, operation, patient=True)
        self._next = time.monotonic() + callers * self._interval

    @property
    def trust(self) -> ssl.SSLContext:
        """The certificates that are believed of the service."""
        return _trust(self.http.ca_file.value() if self.http.ca_file else None)

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
        self.target.traffic.go_on()
        if len(self.target.traffic.entries) >= self.http.max_requests:
            raise Stopped(
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
        self._next = max(self._next, time.monotonic() + self._interval)
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
        return Exchange(method, path, status, received, body, elapsed, error or None)


def _read(response: httpx.Response, most: int) -> bytes:
    """The body, up to ``most`` bytes: a stream may have no end, and a small one may unpack to much.

    Unpacked here, as httpx would unpack what has arrived in full and look at its size afterwards.
    """
    packed = response.headers.get("content-encoding", "").strip().lower() in PACKED
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None  # 32: zlib or gzip
    body = bytearray()
    for chunk in response.iter_raw():
        try:
            body += unpack.decompress(chunk, most - len(body)) if unpack else chunk
        except zlib.error as broke:
            raise httpx.DecodingError(f"the body does not unpack: {broke}") from None
        if len(body) >= most:
            break
    return bytes(body[:most])


# What cannot be taken back, whatever else is wrong with the request: a JupyterHub shuts down on
# POST /shutdown with a body that is no JSON.
HAZARDS = re.compile(
    r"shut-?_?down|power|reboot|restart|terminate|kill|stop|halt|reset|purge|prune|truncate|wipe|flush"
    r"|drop|destroy|erase|delete|remove|disable|deactivate|revoke|log-?_?out|sign-?_?out|migrate"
    r"|rollback|restore|deploy|transfer|payment|payout|refund|broadcast|notify|send",
    re.I,
)


def hazardous(operation: str) -> bool:
    """Whether a probe keeps away from an operation, by its method and the words of its path."""
    method, _, path = operation.partition(" ")
    return method == "DELETE" or (method not in SAFE_METHODS and HAZARDS.search(path) is not None)


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
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": ", ".join(PACKED)},
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


def worker_of(http_client: Client, exchange: Exchange) -> str | None:
    """The process that answered, by the name that it gives itself, where the service says it."""
    header = http_client.http.worker_header
    return (exchange.header(header.lower()) or "")[:60] or None if header else None


def filled(value: Any, unique: str) -> Any:
    """A copy of a body with ``{unique}`` replaced wherever it stands in a text."""
    if isinstance(value, dict):
        return {name: filled(inner, unique) for name, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, unique) for inner in value]
    return value.replace("{unique}", unique) if isinstance(value, str) else value
