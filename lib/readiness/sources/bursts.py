"""Bursts of requests: whether there is a limit, whom it counts, and who gets around it.

One operation is asked for until the limiter answers. Only then, while the caller is turned away,
the ways around are tried, each between two plain requests that are turned away: what passes there
passes because of what was changed about it.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import RateLimit, Target, need
from ..traffic import Planned
from .callers import AT_ONCE, together
from .client import Client, Exchange, client, worker_of
from .login import headers_with, log_in_as, role_of, token_in
from .pace import allowance, retry_after

FORWARDING = (
    ("X-Forwarded-For", "{ip}"),
    ("Forwarded", "for={ip}"),
    ("X-Real-IP", "{ip}"),
    ("CF-Connecting-IP", "{ip}"),
    ("True-Client-IP", "{ip}"),
    ("X-Client-IP", "{ip}"),
    ("X-Cluster-Client-IP", "{ip}"),
    ("Fastly-Client-IP", "{ip}"),
    ("X-Originating-IP", "{ip}"),
)
BYPASSES = {
    "X-Test-Mode": "true",
    "X-Load-Test": "1",
    "X-Bypass-Rate-Limit": "true",
    "X-RateLimit-Bypass": "true",
    "X-Internal-Request": "true",
    "X-No-Rate-Limit": "1",
}
TRIES = 3  # of a way around, when the window ended in the middle of it
LONGEST_RESET_S = 65.0


def planned(target: Target, _operations: list[str]) -> list[Planned]:
    """What ``limits`` would send."""
    http = target.http
    plan: list[Planned] = []
    for limit in http.rate_limits if http else []:
        plan.append(Planned(limit.operation, limit.most_requests))
        for name in (limit.as_role, limit.as_role, limit.other_role):
            role = http.roles.get(name or "") if http else None
            plan += [Planned(role.login)] if role and role.login else []
    return plan


@source("active", plan=planned)
def limits(target: Target) -> Collected:
    """One row for each limited operation: its bursts, and what became of each way around."""
    http = need(target.http, "target.http")
    records = []
    with client(target) as http_client:
        for wanted in need(http.rate_limits, "target.http.rate_limits"):
            records.append(_Burst(http_client, wanted).run())
    return Collected(records, {}, {"httpx": httpx.__version__})


@dataclass
class _Burst:
    """Everything that is asked of one limited operation, within its number of requests."""

    client: Client
    wanted: RateLimit
    sent: int = 0
    limit: int | None = None
    told_to_wait_s: float | None = None  # by the latest 429
    row: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        wanted = self.wanted
        self.limit = wanted.limit
        self.row = {
            "operation": wanted.operation,
            "as_role": wanted.as_role or "nobody",
            "declared_limit": wanted.limit,
            "most_requests": wanted.most_requests,
            "first": None,
            "whole": None,
            "nobody": None,
            "ways": [],
            "other": None,
            "back": None,
            "workers": [],
            "problem": None,
        }
        try:
            self._run()
        except NotMeasured as gap:
            self.row["problem"] = str(gap)
        self.row |= {"limit": self.limit, "sent": self.sent}
        return self.row

    def _run(self) -> None:
        role = self.wanted.as_role
        usual = self.client.credentials(role) if role else {}
        self.row["first"] = first = self._until_limited(usual)
        if not first["limited"]:
            return
        if self.wanted.other_role:
            other = self.client.credentials(self.wanted.other_role)
            self.row["other"] = self._ask(other).status
        for kind, name, headers in self._ways(usual):
            self.row["ways"].append({"kind": kind, "way": name, **self._around(usual, headers)})
        # From the beginning of a window, as fast as possible: each worker that counts for itself
        # lets as many through again.
        if self._wait(self.told_to_wait_s):
            back = self._ask(usual)
            self.row["back"] = back.status
            self.row["whole"] = self._whole_window(usual, back)
        if role:
            self.row["nobody"] = self._until_limited({}, changing=True)

    def _ask(self, headers: Mapping[str, str]) -> Exchange:
        if self.sent >= self.wanted.most_requests:
            raise NotMeasured(
                Reason.NOT_PERMITTED,
                f"target.http.rate_limits.most_requests ({self.wanted.most_requests}) is used up",
            )
        self.sent += 1
        method, path = self.wanted.operation.split(" ", 1)
        body = self.wanted.json_body
        answer = self.client.send(method, path, headers=headers, json=body, burst=True, fresh=True)
        told = allowance(answer.header)
        if answer.status == 429:
            self.told_to_wait_s = retry_after(answer.header, None)
        if told and self.wanted.limit is None:
            self.limit = told.limit
        if name := worker_of(self.client, answer):
            self.row["workers"] = sorted({*self.row["workers"], name})
        return answer

    def _until_limited(self, headers: Mapping[str, str], changing: bool = False) -> dict[str, Any]:
        """Ask until 429; with ``changing``, as somebody else each time, if what one says counts."""
        started, passed, last, normal = time.monotonic(), 0, None, None
        most = self.wanted.most_requests - self.sent
        if self.limit is not None:
            most = min(most, round(self.limit * 1.2) + 5)
        for _ in range(most):
            last = self._ask({**headers, **(_invented() if changing else {})})
            if last.status == 429:
                break
            passed, normal = passed + 1, normal or last.status
        limited = last is not None and last.status == 429
        return {
            "passed": passed,
            "limited": limited,
            "normal": normal,  # what is answered while it lets one pass
            "last": last.status if last else None,
            "limit": told.limit if last and (told := allowance(last.header)) else None,
            "seconds": round(time.monotonic() - started, 3),
            "retry_after_s": retry_after(last.header, None) if last and limited else None,
        }

    def _ways(self, usual: Mapping[str, str]) -> Iterator[tuple[str, str, dict[str, str]]]:
        for name, value in FORWARDING:
            yield "forged address", name, {**usual, name: value.format(ip=_address())}
        for name, value in {**BYPASSES, **self.wanted.bypass_headers}.items():
            yield "test bypass", name, {**usual, name: value}
        role = role_of(self.client, self.wanted.as_role) if self.wanted.as_role else None
        if role and self.wanted.as_role and role.login:
            answer = log_in_as(self.client, self.wanted.as_role)
            token = token_in(answer, role, f"{self.wanted.as_role}, again")
            yield "other bearer", "logged in again", headers_with(role, token)

    def _around(self, usual: Mapping[str, str], changed: Mapping[str, str]) -> dict[str, Any]:
        """What a changed request gets while the plain one, before and after it, gets 429."""
        for _ in range(TRIES):
            before = self._ask(usual).status
            if before != 429 and not self._until_limited(usual)["limited"]:
                return {"status": None, "sure": False}
            got = self._ask(changed).status
            if got == 429:
                return {"status": got, "sure": True}
            if self._ask(usual).status == 429:
                return {"status": got, "sure": True}
        return {"status": got, "sure": False}

    def _whole_window(self, headers: Mapping[str, str], first: Exchange) -> dict[str, Any] | None:
        """How many pass within the window that ``first`` began, if twice the limit may be asked.

        ``by_worker`` is how many requests each worker took, where workers name themselves.
        """
        if self.limit is None or self.sent + 2 * self.limit + 4 > self.wanted.most_requests:
            return None
        more = 2 * self.limit + 4
        self.sent += more
        method, path = self.wanted.operation.split(" ", 1)
        started = time.monotonic()
        body = self.wanted.json_body
        asked = together(self.client, method, path, more, headers=headers, json=body, burst=True)
        seconds = time.monotonic() - started
        answers = [first, *asked]
        told = allowance(first.header)
        window = self.wanted.window_s or (told.reset_s if told else None)
        within = window is not None and seconds < max(window - 1, window * 0.8)
        by_worker = Counter(filter(None, (worker_of(self.client, a) for a in answers)))
        return {
            "asked": len(answers),
            "passed": sum(answer.status != 429 for answer in answers),
            "seconds": round(seconds, 3),
            "window_s": window,
            "within_one_window": within,
            "by_worker": dict(by_worker.most_common()),
        }

    def _wait(self, seconds: float | None) -> bool:
        wait = seconds if seconds is not None else self.wanted.window_s
        if wait is None or wait > LONGEST_RESET_S:
            return False
        time.sleep(wait + 0.05)
        self.client.target.traffic.waited_s += wait
        return True


def _address() -> str:
    """An address of the blocks for documentation (RFC 5737), so that it is nobody's."""
    return f"203.0.113.{secrets.randbelow(254) + 1}"


def _invented() -> dict[str, str]:
    """A bearer that nobody was given, from an address that is made up."""
    bearer = {"Authorization": f"Bearer {secrets.token_urlsafe(24)}"}
    return bearer | {"X-Forwarded-For": _address()}


def limits_table(evidence: Any) -> Any:
    """A data frame: one row a burst or a way around, and what became of it."""
    import pandas as pd

    rows = []
    for r in evidence.records:
        for name, burst in (("burst", r["first"]), ("another bearer each time", r["nobody"])):
            if burst:
                end = "429" if burst["limited"] else f"no 429 ({burst['last']})"
                said = f"{burst['passed']} passed in {burst['seconds']:g} s, then {end}"
                rows.append((r["operation"], name, said))
        if r["whole"]:
            whole = r["whole"]
            said = f"{whole['passed']} of {whole['asked']} passed in {whole['seconds']:g} s"
            rows.append((r["operation"], f"one window, {AT_ONCE} callers at once", said))
        for way in r["ways"]:
            said = str(way["status"] or "–") if way["sure"] else "cannot be told"
            rows.append((r["operation"], f"{way['kind']}: {way['way']}", said))
        if r["other"] is not None:
            rows.append((r["operation"], "another user meanwhile", str(r["other"])))
        if r["back"] is not None:
            rows.append((r["operation"], "after the wait that was asked for", str(r["back"])))
    return pd.DataFrame(rows, columns=["operation", "tried", "answer"])
