"""Operations that answer 501 or 503: the declared stubs, and those that nobody declared."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Stub, Target, need
from ..traffic import Planned
from . import planning
from .client import Client, Exchange, client
from .openapi import Api, Operation, path_of, read_api, shape

UNAVAILABLE = (501, 503)
REPEATS = 2  # of a 503
PAUSE_S = 0.1
SILENCES = 3  # in a row: the service is gone
ENDS_SESSIONS = re.compile(r"log-?out|sign-?out|revoke", re.I)


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    """Every GET as every role that is tried, and each declared stub."""
    http = target.http
    if http is None:
        return
    yield from planning.document(http)
    yield Planned("GET /*")
    asked = [o for o in operations if o.startswith("GET ")]
    asked += [s.operation for s in http.stubs if s.operation not in asked]
    yield from (Planned(operation, 2 * max(len(http.roles), 1)) for operation in asked)
    yield from planning.logins(http, *http.roles)


@source("passive", plan=_planned)
def operations(target: Target) -> Collected:
    """One row for each operation that was called: every GET of the API, and each declared stub.

    Where a role has credentials they are sent, so that the answer is that of the operation and not
    of its guard. A stub that is no GET is called only where ``active`` is permitted.
    """
    http = need(target.http, "target.http")
    gap = ""
    with client(target) as http_client:
        try:
            api = read_api(target, http_client)
        except NotMeasured as missing:
            gap, api = str(missing), Api([], "", False, {}, [])
            if not http.stubs:
                raise NotMeasured(
                    missing.reason, f"{gap}, and target.http.stubs declares none"
                ) from missing
        caller = _Caller(http_client, api, _catch_all(http_client))
        records = [caller.call(operation) for operation in _wanted(http.stubs, api)]
        caller.call_again()
        facts = {
            "operations_from": api.read_from,
            "operations_gap": gap,
            "not_listed": caller.not_listed,
            "credentials_gap": caller.gaps,
        }
    if caller.asked and not caller.answered:
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {caller.last_error}")
    return Collected(records, facts, {"httpx": httpx.__version__})


def _catch_all(http_client: Client) -> bytes | None:
    """The page that answers a path which cannot exist, where it is answered as if it did."""
    answer = http_client.send("GET", f"/readiness-{secrets.token_hex(8)}")
    return answer.body if answer.status is not None and answer.status < 400 else None


@dataclass
class _Wanted:
    operation: Operation
    stub: Stub | None = None


def _wanted(stubs: list[Stub], api: Api) -> list[_Wanted]:
    """Every GET operation, and every declared stub whether the document knows it or not."""
    wanted = {o.shape: _Wanted(o) for o in api.operations if o.method == "GET"}
    known = {o.shape: o for o in api.operations}
    for stub in stubs:
        form = shape(stub.operation)
        method, path = stub.operation.split(" ", 1)
        wanted[form] = _Wanted(known.get(form) or Operation(method, path), stub)
    return list(wanted.values())


@dataclass
class _Caller:
    client: Client
    api: Api
    catch_all: bytes | None
    gaps: list[str] = field(default_factory=list)  # roles that gave no credentials
    asked: int = 0
    answered: int = 0
    silences: int = 0
    last_error: str = ""

    def __post_init__(self) -> None:
        http = self.client.http
        first = http.authentication.token_role if http.authentication else None
        self._unavailable: list[tuple[dict[str, Any], Callable[[], Exchange]]] = []
        self.roles = sorted(http.roles, key=lambda role: role != first)
        self.listed = {operation.shape for operation in self.api.operations}
        self.health = {shape(f"GET {endpoint.path}") for endpoint in http.health}
        self.not_listed = [
            stub.operation for stub in http.stubs if shape(stub.operation) not in self.listed
        ]

    def call(self, wanted: _Wanted) -> dict[str, Any]:
        operation, stub = wanted.operation, wanted.stub
        row: dict[str, Any] = {
            "operation": operation.name,
            "declared": stub.status if stub else None,
            "reason": stub.reason if stub else None,
            "critical": stub.critical if stub else False,
            "health": operation.shape in self.health,
            "status": None,
            "role": None,
            "steady": None,  # the same when asked again
            "retry_after": False,
            "catch_all": False,
            "not_called": None,
            "error": None,
        }
        if self.silences >= SILENCES:
            return row | {"not_called": "the service had stopped answering"}
        if not stub and ENDS_SESSIONS.search(operation.template):
            return row | {"not_called": "it would end the session"}
        try:
            self._ask(row, operation, stub)
        except (NotMeasured, ValueError) as gap:  # ValueError: not a path of the target
            row["not_called"] = str(gap)
        return row

    def call_again(self) -> None:
        """Repeat what answered 503, later: a stub answers the same each time, an outage may not."""
        for _ in range(REPEATS if self._unavailable else 0):
            time.sleep(PAUSE_S)
            for row, request in self._unavailable:
                try:
                    row["steady"] = row["steady"] and request().status == row["status"]
                except NotMeasured:
                    row["steady"] = False

    def _ask(self, row: dict[str, Any], operation: Operation, stub: Stub | None) -> None:
        path = path_of(self.api, operation, self.client.http.examples)
        roles: list[str | None] = [stub.as_role] if stub and stub.as_role else [*self.roles]
        headers: dict[str, str] = {}
        for role in roles or [None]:
            found = self._credentials(role)
            if found is None and role is not None and role != roles[-1]:
                continue
            headers = found or {}
            answer = self._send(operation.method, path, headers, stub)
            row["role"] = role if found else None
            if answer.status not in (401, 403):
                break
        row |= {"status": answer.status, "error": answer.error, "steady": True}
        row["catch_all"] = self.catch_all is not None and answer.body == self.catch_all
        row["retry_after"] = answer.header("retry-after") is not None
        if answer.status == 503:
            again = partial(self._send, operation.method, path, headers, stub)
            self._unavailable.append((row, again))

    def _send(self, method: str, path: str, headers: dict[str, str], stub: Stub | None) -> Exchange:
        own = {name: value.value() for name, value in stub.headers.items()} if stub else {}
        answer = self.client.send(
            method,
            path,
            headers={**own, **headers},
            json=stub.json_body if stub else None,
            form=stub.form if stub else None,
        )
        self.asked += 1
        if answer.status is None:
            self.silences, self.last_error = self.silences + 1, answer.error or ""
        else:
            self.silences, self.answered = 0, self.answered + 1
        return answer

    def _credentials(self, role: str | None) -> dict[str, str] | None:
        """The headers of a role, or None when it has none to give."""
        if role is None:
            return None
        try:
            return self.client.credentials(role)
        except NotMeasured as gap:
            if (said := f"{role}: {gap}") not in self.gaps:
                self.gaps.append(said)
            return None


def stubs_table(operations: Evidence) -> Any:
    """A data frame: one row a declared stub, or an operation that answered like one."""
    import pandas as pd

    rows = [
        {
            "operation": r["operation"],
            "declared": r["declared"] or "no",
            "answered": r["not_called"] or r["status"] or r["error"] or "—",
            "as": r["role"] or "anonymous",
            "critical": "yes" if r["critical"] else "no",
            "why": r["reason"] or "—",
        }
        for r in operations.records
        if r["declared"] or r["status"] in UNAVAILABLE
    ]
    columns = ["operation", "declared", "answered", "as", "critical", "why"]
    return pd.DataFrame(rows, columns=columns)


def answers_table(operations: Evidence) -> Any:
    """A data frame: how many operations answered with which status."""
    import pandas as pd

    said = [
        "not called" if r["not_called"] else str(r["status"] or "no answer")
        for r in operations.records
    ]
    rows = [{"answer": one, "operations": said.count(one)} for one in sorted(set(said))]
    return pd.DataFrame(rows, columns=["answer", "operations"])
