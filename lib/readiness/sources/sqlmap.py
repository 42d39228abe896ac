"""A second opinion on SQL injection: sqlmap, behind a gateway that keeps it within bounds.

sqlmap is given an address of this process and no credentials. Each of its requests is sent on by
the audit's own client, which adds the credentials, writes it into the ledger, keeps to the pace and
to the number allowed, and refuses what must not be called.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .. import loopback
from ..evidence import Collected, source
from ..finding import NOT_SET, NotMeasured, Reason
from ..target import Target, need
from ..traffic import Planned
from . import planning
from .client import Client, client
from .openapi import Operation, read_api, shape
from .probe_points import Point, Sending, is_login, may_probe, points, sending
from .program import run

MARKED = "readinessmark"  # where sqlmap's own mark goes, an asterisk, which no encoding may touch
LONGEST_S = 300.0  # of one parameter
# Level 1 and risk 1: nothing is changed, and no condition widens a query.
HOW = [
    *("--batch", "--level=1", "--risk=1", "--retries=0", "--skip-waf", "--time-sec=2"),
    *("--disable-coloring", "--flush-session", "--threads=1"),
]
SAYS = re.compile(r"^\s+Type: (.+)$", re.M)
CLEAN = "tested parameters do not appear to be injectable"
GAVE_UP = re.compile(r"\[(?:CRITICAL|ERROR)\] (.{1,160})")
KEPT = ("content-type", "location")  # of an answer's headers


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None or not http.probing.sqlmap_requests:
        return
    yield from planning.document(http)
    yield from planning.logins(http, _role(target))
    for name in operations:
        method, template = name.split(" ", 1)
        operation = Operation(method, template)
        if _asks(operation) and may_probe(operation, http):
            yield Planned(operation.name, http.probing.sqlmap_requests)


def _asks(operation: Operation) -> bool:
    """Whether sqlmap is pointed at an operation: where it leaves nothing behind."""
    return operation.safe or is_login(operation)


def _role(target: Target) -> str | None:
    authentication = target.http.authentication if target.http else None
    return authentication.token_role if authentication else None


@source("active", plan=_planned)
def opinions(target: Target) -> Collected:
    """One row for each parameter that sqlmap was pointed at, of reading operations and of logins.

    ``found`` holds the kinds of injection that it names. ``clean`` is True where it says that there
    is none; ``note`` says why it has no opinion.
    """
    http = need(target.http, "target.http")
    if not http.probing.sqlmap_requests:
        raise NotMeasured(Reason.NO_PARAMETER, f"target.http.probing.sqlmap_requests{NOT_SET}")
    program = shutil.which("sqlmap")
    if program is None:
        raise NotMeasured(Reason.TOOL_MISSING, "sqlmap is not installed")
    with client(target) as http_client:
        api = read_api(target, http_client)
        gateway = _Gateway(http_client, http.probing.sqlmap_requests)
        asked = [p for p in points(api, http) if _asks(p.operation)]
        with (
            loopback.serve(gateway.answer) as here,
            tempfile.TemporaryDirectory(prefix="readiness-sqlmap-") as folder,
        ):
            told = run([program, "--version"], environment={}, timeout_s=30, folder=Path(folder))
            records = [
                gateway.opinion(program, here, point, sending(api, http, point, MARKED), folder)
                for point in asked
            ]
    if not records:
        raise NotMeasured(Reason.NO_SAMPLES, "no reading operation has a parameter")
    return Collected(
        records, {"stopped": gateway.stopped}, {"sqlmap": told.output.partition("\n")[0]}
    )


class _Gateway:
    """Sends on what sqlmap asks, as the client of the audit; ``stopped`` says why no longer."""

    def __init__(self, http_client: Client, most: int) -> None:
        self._client = http_client
        self._left = most
        self._open = {shape(operation) for operation in http_client.http.public}
        self._credentials: dict[str, str] = {}
        self._operation = ""
        self._statuses: list[int | None] = []
        self.stopped = ""

    def opinion(
        self, program: str, here: str, point: Point, wanted: Sending, folder: str
    ) -> dict[str, Any]:
        """Point sqlmap at one parameter, and read what it says."""
        row: dict[str, Any] = {
            "operation": point.operation.name,
            "where": point.where,
            "parameter": point.name,
            "asked": 0,
            "found": [],
            "clean": False,
            "note": self.stopped,
        }
        if self.stopped:
            return row
        self._operation, self._statuses = wanted.operation, []
        open_to_all = point.operation.shape in self._open or point.operation.secured is False
        try:
            role = None if open_to_all else _role(self._client.target)
            self._credentials = self._client.credentials(role) if role else {}
        except NotMeasured as gap:
            return row | {"note": str(gap)}
        done = run(
            [program, *HOW, f"--output-dir={folder}", *_pointed(here, point, wanted)],
            environment={},
            timeout_s=LONGEST_S,
            folder=Path(folder),
        )
        row |= {"asked": len(self._statuses), "found": sorted(set(SAYS.findall(done.output)))}
        row["clean"] = not row["found"] and not self.stopped and CLEAN in done.output
        if not row["found"] and not row["clean"]:
            said = GAVE_UP.search(done.output)
            timed_out = f"no opinion within {LONGEST_S:g} s" if done.returncode is None else ""
            row["note"] = self.stopped or timed_out or (said[1] if said else "no opinion")
        return row

    def answer(self, request: loopback.Request) -> loopback.Response:
        """What the service answers to a request of sqlmap's."""
        if self.stopped:
            return loopback.Response(503)
        if self._left <= 0:
            self.stopped = "target.http.probing.sqlmap_requests is used up"
            return loopback.Response(503)
        self._left -= 1
        kind = request.headers.get("content-type")
        try:
            exchange = self._client.send(
                request.method,
                request.path + (f"?{request.query}" if request.query else ""),
                headers={**self._credentials, **({"Content-Type": kind} if kind else {})},
                content=request.body or None,
                operation=self._operation,
                timed=False,
                provoked=True,
            )
        except (NotMeasured, ValueError) as gap:
            self.stopped = str(gap) if isinstance(gap, NotMeasured) else ""
            return loopback.Response(503)
        self._statuses.append(exchange.status)
        if exchange.status == 429:
            self.stopped = "the service's rate limiter turned it away"
        headers = [(name, value) for name, value in exchange.headers if name in KEPT]
        return loopback.Response(exchange.status or 504, headers, exchange.body)


def _pointed(here: str, point: Point, wanted: Sending) -> list[str]:
    """The address and the body, with sqlmap's mark behind the usual value of the parameter."""
    value = point.value.replace("*", "")
    address = f"{here}{wanted.path}".replace(MARKED, f"{_encoded(value)}*")
    if wanted.json is not None:
        body = json.dumps(wanted.json).replace(MARKED, f"{json.dumps(value)[1:-1]}*")
        return ["-u", address, f"--method={wanted.method}", f"--data={body}"]
    if wanted.form is not None:
        body = urlencode(wanted.form).replace(MARKED, f"{_encoded(value)}*")
        return ["-u", address, f"--method={wanted.method}", f"--data={body}"]
    return ["-u", address]


def _encoded(value: str) -> str:
    return urlencode({"": value})[1:]


def opinions_table(evidence: Any) -> Any:
    """A data frame: one row a parameter, and what sqlmap says of it."""
    import pandas as pd

    rows = [
        {
            "operation": r["operation"],
            "parameter": f"{r['parameter']} ({r['where']})",
            "requests": r["asked"],
            "sqlmap says": "; ".join(r["found"]) or ("nothing found" if r["clean"] else r["note"]),
        }
        for r in evidence.records
    ]
    return pd.DataFrame(rows, columns=["operation", "parameter", "requests", "sqlmap says"])
