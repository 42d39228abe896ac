"""Probes of every parameter for injection and reflected script: bounded, repeated, with controls.

For each parameter the usual value is sent twice, to learn what its answer is like and how steady.
Then come values that would be taken for code somewhere: what a quote breaks, a condition that
changes what is found, a command to wait, arithmetic, a file that climbs out, markup. What looks
like a hit is sent again, beside a control that must not do the same.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

import httpx

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Canary, LatencyTarget, Target, need
from ..traffic import Planned
from . import payloads, planning
from .authorization import Asker
from .client import Client, Exchange, client
from .leak_signs import in_body
from .openapi import Api, Operation, read_api, shape, wrong_base
from .page import is_html
from .probe_points import Point, may_probe, points, sending

CHANGING = re.compile(r"[0-9a-f-]{8,}|\d+")
MOST_PER_POINT = 60  # requests, with repeats: what a plan may promise
MOST_POINTS = 15  # of one operation, for the plan
COMPARED = 200_000  # characters of an answer
REFUSED = (401, 403)
DATABASE = ("database error", "SQL")


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None:
        return
    for role in http.roles.values():
        if role.login:
            yield Planned(role.login, 1)
    if http.openapi and http.openapi.startswith("/"):
        yield Planned(f"GET {http.openapi}", 2)
    for name in operations:
        method, template = name.split(" ", 1)
        if method == "DELETE":
            yield Planned(name, MOST_POINTS * MOST_PER_POINT)  # of what the probes made
        elif may_probe(Operation(method, template), http):
            yield Planned(name, MOST_POINTS * MOST_PER_POINT)
    yield from planning.absent(operations, len(http.roles) + 1)
    yield Planned("GET /*", 2)


@source("active", plan=_planned)
def parameters(target: Target) -> Collected:
    """One row for each parameter: how its usual value is answered, and what the probes found.

    ``found`` names what was taken for code and how that showed; ``reflected`` describes an answer
    in which markup came back as it was sent. ``note`` says why a parameter was not probed, or not
    to the end, and ``kept_out`` what may have stood before the code. What a probe created is
    removed where the API knows how; the rest is counted.
    """
    http = need(target.http, "target.http")
    with client(target) as http_client:
        api = read_api(target, http_client)
        prober = _Prober(http_client, api)
        records = [prober.probe(point) for point in points(api, http)]
        absent = prober.absent_path()
    if records and not prober.answered:
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {prober.last_error}")
    if not records and not any(r["reflected"] for r in absent):
        said = f"no operation has a parameter to probe (operations from {api.read_from})"
        raise NotMeasured(Reason.NO_SAMPLES, f"{said}; an OpenAPI document tells parameters")
    records += absent
    asked = [
        r["kept_out"] for r in records if r["kept_out"] != "not a parameter" and r["usual_status"]
    ]
    facts = {
        "operations_from": api.read_from,
        "wrong_base": wrong_base(http, len(asked), asked.count("absent")),
        "created": prober.created,
        "removed": prober.removed,
        "not_probed": [o.name for o in api.operations if not may_probe(o, http)],
    }
    return Collected(records, facts, {"httpx": httpx.__version__})


@dataclass
class _Usual:
    """How the usual value is answered: what all answers to harmless values should be like."""

    status: int
    signs: list[str]
    form: tuple[Any, ...]
    steady: bool
    slowest_s: float
    text: str
    headers: dict[str, str] = field(default_factory=dict)


class _Prober:
    def __init__(self, http_client: Client, api: Api) -> None:
        self.client, self.api, self.http = http_client, api, http_client.http
        self.delay = self.http.probing.delay_s
        self.left = self.http.probing.max_requests
        self.answered, self.last_error, self.stopped = 0, "", ""
        self.created = self.removed = 0
        self.roles: dict[str, str | None] = {}  # operation -> role that is let in
        self.askers: dict[str | None, Asker] = {}  # by role: they know what is not there
        self.broken: set[str] = set()  # operations whose creations cannot be removed
        # Where a wrong password is answered 401, that is no guard.
        self.open = {shape(operation) for operation in self.http.public}
        self.open |= {o.shape for o in api.operations if o.secured is False}
        self.removers = {o.shape: o.name for o in api.operations if o.method == "DELETE"}
        # Where the parameters say how what an operation makes is removed again.
        makers: list[Canary | LatencyTarget] = [*self.http.canaries, *self.http.latency]
        self.told = {shape(m.operation): (m.remove, m.id_field) for m in makers if m.remove}

    def probe(self, point: Point) -> dict[str, Any]:
        row: dict[str, Any] = {
            "operation": point.operation.name,
            "where": point.where,
            "parameter": point.name,
            "usual_status": None,
            "asked": 0,
            "role": None,
            "found": [],
            "reflected": None,
            "kept_out": "stopped" if self.stopped else None,
            "note": self.stopped,
        }
        if self.stopped:
            return row
        before = self.left
        try:
            usual = self._usual(point, row)
            if usual is not None:
                row["role"] = self.roles.get(point.operation.name)
                self._try_everything(point, usual, row)
        except NotMeasured as gap:
            self.stopped = row["note"] = str(gap)
            row["kept_out"] = "stopped"
        except _Unremovable:
            self.broken.add(point.operation.name)
            row["note"] = "it creates what the API cannot remove again, so it was sent once"
            row["kept_out"] = "creates"
        row["asked"] = before - self.left
        return row

    def _try_everything(self, point: Point, usual: _Usual, row: dict[str, Any]) -> None:
        self._quote(point, usual, row)
        self._template(point, usual, row)
        self._markup(point, usual, row)
        if point.typed and row["note"] == "refused as no value of its type":
            return
        row["note"] = ""
        if not row["found"]:
            self._conditions(point, usual, row)
        if not row["found"]:
            waits = payloads.sleeping(point.value, point.number, point.operation.safe, self.delay)
            self._waits("SQL", waits, point, usual, row)
        if not row["found"]:
            self._waits("command", payloads.commands(point.value, self.delay), point, usual, row)
        self._climbs(point, usual, row)

    # What each kind looks for ---------------------------------------------------------------

    def _quote(self, point: Point, usual: _Usual, row: dict[str, Any]) -> None:
        one, two = payloads.quotes(point.value)
        broken = self._send(point, one)
        signs = [
            s for s in in_body(broken.text[:COMPARED]) if s in DATABASE and s not in usual.signs
        ]
        if signs:
            row["found"].append({"kind": "SQL", "how": f"a quote is answered with a {signs[0]}"})
        elif _fails(broken) and usual.status < 500:
            sound, again = self._send(point, two), self._send(point, one)
            if not _fails(sound) and sound.status is not None and _fails(again):
                how = f"a quote is answered {broken.status}, two of them {sound.status}"
                row["found"].append({"kind": "SQL", "how": how})
        if broken.status in (400, 422) and usual.status != broken.status:
            row["note"] = "refused as no value of its type"

    def _template(self, point: Point, usual: _Usual, row: dict[str, Any]) -> None:
        value, result = payloads.template()
        if result in self._send(point, value).text:
            how = "arithmetic within braces came back calculated"
            row["found"].append({"kind": "template", "how": how})

    def _markup(self, point: Point, usual: _Usual, row: dict[str, Any]) -> None:
        value, told = payloads.markup()
        row["reflected"] = reflection(self._send(point, value), told)

    def _conditions(self, point: Point, usual: _Usual, row: dict[str, Any]) -> None:
        if not usual.steady:
            row["note"] = (
                "the answer to the usual value differs each time: conditions were not tried"
            )
            return
        for pair in payloads.pairs(point.value, point.number, point.operation.safe):
            seen = [self._forms(point, pair) for _ in range(2)]
            if seen[0] is not None and seen[0] == seen[1] and seen[0][0] != seen[0][1]:
                how = (
                    f"a condition that holds ({pair.how}) finds something else than one that fails"
                )
                row["found"].append({"kind": "SQL", "how": how})
                return

    def _forms(self, point: Point, pair: payloads.Pair) -> tuple[Any, Any] | None:
        """What the answers to both conditions are like; None where one is no answer to compare."""
        forms = []
        for value in (pair.holds, pair.fails):
            answer = self._send(point, value)
            if answer.status is None or answer.status >= 500 or answer.status == 429:
                return None
            forms.append(_form(answer, value))
        return forms[0], forms[1]

    def _waits(
        self,
        kind: str,
        values: list[tuple[str, str]],
        point: Point,
        usual: _Usual,
        row: dict[str, Any],
    ) -> None:
        for name, value in values:
            if not self._slow(point, value, usual):
                continue
            control = value.replace(f"{self.delay:g}", "0")
            control = re.sub(r"i<\d+", "i<1", control)
            if not self._slow(point, control, usual) and self._slow(point, value, usual):
                how = f"{name} was told to wait {self.delay:g} s, and did, twice"
                row["found"].append({"kind": kind, "how": how})
                return

    def _slow(self, point: Point, value: str, usual: _Usual) -> bool:
        exchange = self._send(point, value, timed=False)
        return exchange.elapsed_ms / 1000 > usual.slowest_s + 0.7 * self.delay

    def _climbs(self, point: Point, usual: _Usual, row: dict[str, Any]) -> None:
        if payloads.PASSWD.search(usual.text):
            return
        for value in payloads.CLIMBS:
            if payloads.PASSWD.search(self._send(point, value).text):
                how = "a path that climbs out came back with the file it leads to"
                row["found"].append({"kind": "path", "how": how})
                return

    # Sending --------------------------------------------------------------------------------

    def _usual(self, point: Point, row: dict[str, Any]) -> _Usual | None:
        first = self._let_in(point)
        open_to_all = point.operation.shape in self.open
        row |= {"usual_status": first.status, "kept_out": _kept_out(first, open_to_all)}
        if not row["kept_out"] and self._like_absent(point, first):
            row["kept_out"] = "absent"
        if row["kept_out"]:
            row["note"] = f"{row['kept_out']}: {first.error or first.status}"
            return None
        if _of_nobodys_object(point, first):  # probed all the same, but not known to be reached
            row["kept_out"] = "nobody's object"
        if point.operation.name in self.broken:
            raise _Unremovable
        second = self._send(point, point.value)
        form = _form(first, point.value)
        return _Usual(
            status=first.status or 0,
            signs=in_body(first.text[:COMPARED]),
            form=form,
            steady=form == _form(second, point.value),
            slowest_s=max(first.elapsed_ms, second.elapsed_ms) / 1000,
            text=first.text[:COMPARED],
        )

    def _like_absent(self, point: Point, answer: Exchange) -> bool:
        """Whether this is what a path gets that is not there, so that no code was reached."""
        role = self.roles.get(point.operation.name)
        if role not in self.askers:
            headers = self.client.credentials(role) if role else {}
            self.askers[role] = Asker(self.client, self.api, headers)
        asker = self.askers[role]
        return asker.like_absent(point.operation, asker.describe(answer))

    def _let_in(self, point: Point) -> Exchange:
        """The answer to the usual value, as the first role that the operation lets in."""
        name = point.operation.name
        if name in self.broken:
            raise _Unremovable
        exchange = None
        if name not in self.roles:
            first = self.http.authentication.token_role if self.http.authentication else None
            for role in [*sorted(self.http.roles, key=lambda r: r != first), None]:
                self.roles[name] = role
                try:
                    exchange = self._send(point, point.value)
                except _NoCredentials:
                    continue
                if exchange.status not in REFUSED or point.operation.shape in self.open:
                    return exchange
        return exchange or self._send(point, point.value)

    def _send(self, point: Point, value: str, timed: bool = True) -> Exchange:
        if self.left <= 0:
            raise NotMeasured(Reason.INCONCLUSIVE, "target.http.probing.max_requests is used up")
        self.left -= 1
        wanted = sending(self.api, self.http, point, value)
        headers: dict[str, str] = {}
        if role := self.roles.get(point.operation.name):
            try:
                headers = self.client.credentials(role)
            except NotMeasured as gap:
                if self.client.target.traffic.stopped:
                    raise
                raise _NoCredentials(str(gap)) from None
        exchange = self.client.send(
            wanted.method,
            wanted.path,
            headers=headers,
            json=wanted.json,
            form=wanted.form,
            operation=wanted.operation,
            timed=timed,
            provoked=True,
        )
        if exchange.status is None:
            self.last_error = exchange.error or ""
        else:
            self.answered += 1
        if not point.operation.safe and exchange.status in (200, 201):
            self._take_away(point.operation, exchange, headers)
        return exchange

    def _take_away(self, operation: Operation, exchange: Exchange, headers: dict[str, str]) -> None:
        """Remove what a request made, where the API has an operation for it."""
        remover: str | None
        remover, field_name = self.told.get(
            operation.shape,
            (self.removers.get(shape(f"DELETE {operation.template}/{{id}}")), "id"),
        )
        made: Any = exchange.json()
        for key in field_name.split("."):
            made = made.get(key) if isinstance(made, dict) else None
        if made is None and exchange.status == 200:
            return  # an answer, and nothing new
        self.created += 1
        if remover is None or made is None:
            raise _Unremovable
        path = re.sub(r"\{[^/}]*\}", quote(str(made), safe=""), remover.split(" ", 1)[1])
        answer = self.client.send("DELETE", path, headers=headers, operation=remover)
        self.removed += answer.status is not None and 200 <= answer.status < 300

    def absent_path(self) -> list[dict[str, Any]]:
        """Whether the page for a path that is not there repeats the path as markup."""
        value, told = payloads.markup()
        row: dict[str, Any] = {
            "operation": "GET /*",
            "where": "path",
            "parameter": "the path itself",
        }
        row |= {
            "usual_status": 404,
            "asked": 1,
            "role": None,
            "found": [],
            "note": "",
            "kept_out": "not a parameter",
        }
        try:
            answer = self.client.send("GET", f"/{quote(value, safe='')}", operation="GET /*")
        except NotMeasured as gap:
            return [row | {"usual_status": None, "reflected": None, "note": str(gap)}]
        row["usual_status"] = answer.status
        return [row | {"reflected": reflection(answer, told)}]


class _NoCredentials(Exception):
    """A role that gives none."""


class _Unremovable(Exception):
    """Something was created that cannot be removed."""


def reflection(exchange: Exchange, told: str) -> dict[str, Any] | None:
    """What kind of answer gave markup back as it was sent; None when none did."""
    if told not in exchange.text:
        return None
    kind = exchange.header("content-type")
    return {
        "status": exchange.status,
        "content_type": (kind or "")[:80],
        "as_page": is_html(kind),
        "sniffed": not kind or (kind.startswith("text/plain") and not _nosniff(exchange)),
        "policy": (exchange.header("content-security-policy") or "")[:500],
    }


def _nosniff(exchange: Exchange) -> bool:
    return (exchange.header("x-content-type-options") or "").strip().lower() == "nosniff"


def _fails(exchange: Exchange) -> bool:
    return exchange.status is not None and exchange.status >= 500


def _form(exchange: Exchange, sent: str) -> tuple[Any, ...]:
    """What an answer is like, without what it repeats of the request and without what changes."""
    text = exchange.text[:COMPARED].lower()
    for form in sorted(_written(sent.lower()), key=len, reverse=True):
        text = text.replace(form, "")
    given = exchange.json()
    size = len(given) if isinstance(given, list | dict) else None
    digest = hashlib.sha256(CHANGING.sub("", text).encode()).hexdigest()[:16]
    return exchange.status, size, digest


def _written(value: str) -> set[str]:
    forms = {value, quote(value, safe="").lower(), quote_plus(value).lower(), html.escape(value)}
    forms |= {json.dumps(value)[1:-1], html.escape(value, quote=False), value.strip()}
    return {form for form in forms if len(form) > 2}


def _of_nobodys_object(point: Point, answer: Exchange) -> bool:
    """Whether the answer may have been about another parameter, whose object does not exist."""
    operation = point.operation
    others = len(operation.parameters) + bool(operation.body_type) > 1 or point.where == "body"
    return answer.status in (404, 410) and point.where != "path" and others


def _kept_out(exchange: Exchange, open_to_all: bool) -> str | None:
    """What stood before the code, by the answer to a usual value; None when the code answered."""
    status = exchange.status
    if status is None:
        return "silence"
    if status in REFUSED:  # a wrong password at the login is answered by the code
        return None if open_to_all else "guard"
    kinds = {429: "limiter", 501: "stub", 400: "validation", 415: "validation", 422: "validation"}
    return kinds.get(status, "failure" if status >= 500 else None)


def probes_table(parameters: Evidence) -> Any:
    """A data frame: one row a parameter, first those where something was found."""
    import pandas as pd

    rows = []
    for r in sorted(parameters.records, key=lambda r: (not r["found"], r["reflected"] is None)):
        found = "; ".join(f"{one['kind']}: {one['how']}" for one in r["found"])
        reflected = r["reflected"] and r["reflected"]["content_type"]
        rows.append(
            {
                "operation": r["operation"],
                "parameter": f"{r['parameter']} ({r['where']})",
                "usual": r["usual_status"],
                "requests": r["asked"],
                "found": found or "nothing",
                "markup came back in": reflected or "–",
                "note": r["note"],
            }
        )
    return pd.DataFrame(rows)
