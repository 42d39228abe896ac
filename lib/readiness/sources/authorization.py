"""Every operation of the service, asked for by nobody: what answers a caller without credentials.

Nothing here can be had with a credential, and what could change something is asked for with an
identifier that nobody has and a body that is empty. Only where the service looked at the body
before it asked who is calling, the request is repeated with the least body that its schema asks
for, to see whether it is refused then.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import Http, Role, Target, need
from ..traffic import Planned
from . import planning
from .answers import reading
from .client import SAFE_METHODS, Client, Exchange, client, covers, excluded
from .login import headers_with
from .openapi import Api, Operation, body_of, path_of, read_api, shape, wrong_base

CSRF = re.compile(r"csrf|xsrf|cross-site request", re.I)
PASSWORD_FIELD = re.compile(r"<input[^>]+type=[\"']?password", re.I)
CHANGING = re.compile(r"[0-9a-fA-F-]{8,}|\d+")  # ids and times, different in every answer
OTHER_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SILENCES = 3  # in a row: the service is gone, and asking on would take hours


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    """Each operation, filled and with a slash at its end, without and with an invalid credential;
    its path by other methods; and what is not there, to compare with."""
    http = target.http
    if http is None:
        return
    yield from planning.document(http)
    paths = list(dict.fromkeys(operation.split(" ", 1)[1] for operation in operations))
    other = [f"{m} {path}" for path in paths for m in OTHER_METHODS]
    other = [operation for operation in other if operation not in operations]
    yield from (Planned(operation, 8) for operation in operations)
    yield from (Planned(operation, 4) for operation in other)
    yield from planning.absent([*operations, *other])
    if http.authentication:  # the control, where nothing else shows that the service can be heard
        yield Planned(http.authentication.protected)
        yield from planning.logins(http, http.authentication.token_role)


@source("passive", plan=_planned)
def anonymous(target: Target) -> Collected:
    """One row for each operation of the API, with what it answered to a caller without credentials.

    Where only ``passive`` is permitted, operations that may change something are not asked, and
    their rows say so. DELETE without an identifier, which would empty a collection, is asked only
    where ``write`` is permitted.
    """
    http = need(target.http, "target.http")
    records: list[dict[str, Any]] = []
    with client(target) as http_client:
        api = read_api(target, http_client)
        asker = Asker(http_client, api)
        for operation in api.operations:
            records.append(asker.ask(operation))
        stranger = Asker(http_client, api, _nobodys_credential(http_client))
        stranger.absent = asker.absent
        invalid = [stranger.ask(o) for o in api.operations if o.shape not in asker.public]
        unlisted = [asker.ask(o) for o in _unlisted(api, asker.public)]
        control = _control(http_client, api, records)
    if records and asker.answered == 0 and asker.silences:
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {asker.last_error}")
    declared = [shape(operation) for operation in http.public]
    known = {operation.shape for operation in api.operations}
    facts = {
        "operations_from": api.read_from,
        "left_out": api.left_out,
        "declared_public_but_unknown": [
            name for name, form in zip(http.public, declared, strict=True) if form not in known
        ],
        "control": control,
        "absent": asker.absent,
        "invalid": invalid,
        "wrong_base": _wrong_base(http, records),
        "unlisted": unlisted,
    }
    return Collected(records, facts, {"httpx": httpx.__version__})


def _wrong_base(http: Http, records: list[dict[str, Any]]) -> str:
    """Why all that was asked for is not there, where that is so."""
    asked = [reading(row) for row in records if row["answers"]]
    return wrong_base(http, len(asked), asked.count("absent"))


def _nobodys_credential(http_client: Client) -> dict[str, str]:
    """A credential that nobody was given, sent as valid ones are."""
    authentication = http_client.http.authentication
    role = http_client.http.roles.get(authentication.token_role if authentication else "")
    return headers_with(role or Role(), secrets.token_urlsafe(32))


def _unlisted(api: Api, public: set[str]) -> list[Operation]:
    """The documented paths with the methods that the document does not list for them."""
    listed: dict[str, dict[str, Operation]] = {}
    for operation in api.operations:
        place = operation.shape.split(" ", 1)[1]
        listed.setdefault(place, {})[operation.method] = operation
    found = []
    for place, known in listed.items():
        if any(f"{method} {place}" in public for method in known):
            continue  # open to all by one method, it has nothing to hide by another
        like = next(iter(known.values()))
        for method in OTHER_METHODS:
            if method not in known and f"{method} {place}" not in public:
                found.append(replace(like, method=method, body_type=None, body_schema={}))
    return found


class Asker:
    """Asks for one operation after the other, and knows when to stop.

    ``headers`` are the credentials that it asks with, by default none.
    """

    def __init__(
        self, http_client: Client, api: Api, headers: Mapping[str, str] | None = None
    ) -> None:
        self.client = http_client
        self.headers = dict(headers or {})
        self.api = api
        self.http = http_client.http
        self.permit = http_client.target.permit
        self.public = {shape(operation) for operation in self.http.public}
        self.stubs = {shape(stub.operation): stub.status for stub in self.http.stubs}
        self.absent: dict[str, dict[str, Any]] = {}  # answers to paths that are not there
        self.answered = 0
        self.silences = 0
        self.last_error = ""
        self.stopped = ""

    def ask(self, operation: Operation, fill: bool = True) -> dict[str, Any]:
        """What an operation answers; a body found faulty is filled and sent again if ``fill``."""
        path = path_of(self.api, operation, self.http.examples)
        row: dict[str, Any] = {
            "operation": operation.name,
            "path": path,
            "public": operation.shape in self.public,
            "stub": self.stubs.get(operation.shape),
            "document_asks_for_credentials": operation.secured,
            "not_asked": self._not_asked(operation, path),
            "answers": [],
        }
        if row["not_asked"]:
            return row
        try:
            row["answers"].append(self._send(operation, path, filled=False))
            if fill and reading(row) == "validated" and not operation.safe:
                row["answers"].append(self._send(operation, path, filled=True))
        except NotMeasured as gap:
            row["not_asked"] = str(gap)
            return row
        self._watch(row)
        return row

    def _not_asked(self, operation: Operation, path: str) -> str | None:
        if self.stopped:
            return self.stopped
        if any(excluded(one, self.http.never_call) for one in (operation.name, operation.shape)):
            return "under never_call"
        if operation.safe:
            return None
        if operation.shape in self.public:
            return "public, and it may change something"
        if "active" not in self.permit:
            return "may change something, and active is not permitted"
        if operation.method == "DELETE" and "{" not in operation.template:
            return (
                None
                if "write" in self.permit
                else "removes without an identifier, and write is not permitted"
            )
        return None

    def _send(self, operation: Operation, path: str, filled: bool) -> dict[str, Any]:
        parts = body_of(self.api, operation, filled)
        parts["headers"] = {**self.headers, **parts.get("headers", {})}
        parts["operation"] = operation.name
        exchange = self.client.send(operation.method, path, **parts)
        if (again := _same_but_slash(exchange)) is not None:
            exchange = self.client.send(operation.method, again, **parts)
        sent = "nothing" if operation.safe else "a filled body" if filled else "an empty body"
        said = self.describe(exchange)
        return {"sent": sent, **said, "like_absent": self.like_absent(operation, said)}

    def like_absent(self, operation: Operation, said: dict[str, Any]) -> bool:
        """Whether the answer is the one for a path that is not there, in any folder on the way."""
        status = said["status"] or 0
        if not (200 <= status < 300 or status in (404, 405)):
            return False
        parts = operation.template.split("{")[0].split("/")[1:-1]
        folders = ["/".join(["", *parts[:n]]) for n in range(len(parts) + 1)]
        for folder in folders:
            absent = self._absent(operation.method, folder)
            if absent is None:
                continue
            unknown = absent["status"] in (None, 429)  # nothing to compare with: cannot tell
            if unknown or (absent["status"], absent["digest"]) == (status, said["digest"]):
                return True
        return False

    def _absent(self, method: str, folder: str) -> dict[str, Any] | None:
        """What a method gets where there is nothing; None where an operation would take it."""
        path = f"{folder}/readiness-{secrets.token_hex(8)}"
        if any(covers(operation.template, path) for operation in self.api.operations):
            return None
        key = f"{method} {folder}/*"
        if key not in self.absent:
            body: Any = None if method in SAFE_METHODS else {}
            sent = self.client.send(method, path, headers=self.headers, json=body, operation=key)
            self.absent[key] = self.describe(sent)
        return self.absent[key]

    @staticmethod
    def describe(exchange: Exchange) -> dict[str, Any]:
        """What is kept of an answer: what it was like, and not what it said."""
        text = exchange.text[:100_000]
        for part in {exchange.path, exchange.path.split("?")[0], exchange.path.rpartition("/")[2]}:
            text = text.replace(part, "") if len(part) > 1 else text
        digest = hashlib.sha256(CHANGING.sub("", text).encode()).hexdigest()
        location = exchange.header("location")
        return {
            "status": exchange.status,
            "content_type": (exchange.header("content-type") or "").split(";")[0][:60],
            "bytes": len(exchange.body),
            "digest": digest[:16],
            "location": location and location[:120],
            "asks_for_login": bool(PASSWORD_FIELD.search(text)),
            "speaks_of_csrf": exchange.status == 403 and bool(CSRF.search(text)),
            "error": exchange.error,
        }

    def _watch(self, row: dict[str, Any]) -> None:
        last = row["answers"][-1]
        if last["status"] is None:
            self.silences += 1
            self.last_error = last["error"] or ""
        else:
            self.answered += 1
            self.silences = 0
        if last["status"] == 429:
            self.stopped = "not asked: the rate limiter had begun to answer instead"
        if self.silences == SILENCES:
            self.stopped = f"not asked: the service had stopped answering ({self.last_error})"


def _same_but_slash(exchange: Exchange) -> str | None:
    """The path that a redirect leads to when only the slash at its end differs."""
    location = exchange.header("location")
    if exchange.status not in (301, 302, 307, 308) or not location:
        return None
    path, mark, query = exchange.path.partition("?")
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    led_to = urlsplit(location).path
    same = led_to.endswith(other) and led_to.endswith("/") == other.endswith("/")
    return other + mark + query if same and len(other) > 1 else None


def _control(http_client: Client, api: Api, records: list[dict[str, Any]]) -> str | None:
    """What shows that the service itself can be heard, and not only a gate that refuses all."""
    if api.served:
        return f"{api.read_from} is served"
    for row in records:
        if row["public"] and reading(row) == "open":
            return f"{row['operation']}, which is public, answers"
    authentication = http_client.http.authentication
    if authentication is None:
        return None
    method, path = authentication.protected.split(" ", 1)
    try:
        headers = http_client.credentials(authentication.token_role)
        status = http_client.send(method, path, headers=headers).status
    except NotMeasured:
        return None
    opened = status is not None and 200 <= status < 300
    return f"{authentication.protected} answers with credentials" if opened else None
