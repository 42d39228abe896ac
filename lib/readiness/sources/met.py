"""Classes of response that nobody declared: met by some source on its way, or tried for here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import Http, Target, need
from ..traffic import Planned
from . import planning
from .client import SAFE_METHODS, Client, client, reached
from .cookies import attributes
from .exchange import REDIRECTS, Met, class_of
from .http import expected_of, record_of, ways
from .page import described

CLASSES = ("page", "static asset", "redirect", "401", "403", "404", "405", "422", "429", "500")
MOST_REDIRECTS_TRIED = 6


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    http = target.http
    if http is None:
        return
    times = 2 if http.direct_url else 1
    yield Planned("GET /", times)
    yield Planned("GET /*", times * (1 + MOST_REDIRECTS_TRIED))  # an asset, and slashes at the end
    if "active" in target.permit:
        for limit in http.rate_limits[:1]:
            yield Planned(limit.operation, limit.most_requests)
            yield from planning.logins(http, limit.as_role)


@source("passive", plan=_planned)
def classes(target: Target) -> Collected:
    """One answer of each class that other sources of this notebook were given, with its headers.

    Of a class that neither the parameters declare nor anybody met, one is tried for: a page at the
    root, a script that a page loads, a redirect by the slash at the end of a declared path, a 429
    by a burst at a declared rate limit, where active is permitted. A 500 is never provoked.
    ``facts.not_had`` says why there is none of the others, ``facts.cookies`` which cookies any
    answer set, by name and attributes.
    """
    http = need(target.http, "target.http")
    records: list[dict[str, Any]] = []
    not_had: dict[str, str] = {}
    cookies: list[dict[str, Any]] = []
    for way, through in ways(target, http).items():
        with client(through) as http_client:
            hunt = _Hunt(http_client, http)
            for wanted in CLASSES:
                if wanted not in _declared(http) and (why := hunt.why_not(wanted)):
                    not_had[wanted + way] = why
            for met in hunt.met():
                if met.source != "http.response_classes":
                    name = f"{class_of(met.exchange)}, met{way}"
                    records.append(record_of(name, met.operation, met.exchange))
            cookies += hunt.cookies()
    return Collected(records, {"not_had": not_had, "cookies": cookies})


def _declared(http: Http) -> set[str]:
    """The classes whose status some declared class has; a page or an asset cannot be told by it."""
    statuses = {status for one in http.response_classes for status in expected_of(one)}
    return {"redirect" if status in REDIRECTS else str(status) for status in statuses}


class _Hunt:
    """Tries for the classes of response that are missing, by one way to the service."""

    def __init__(self, http_client: Client, http: Http) -> None:
        self.client, self.http = http_client, http

    def met(self) -> list[Met]:
        known: Iterable[Met] = self.client.target.traffic.met.values()
        return [one for one in known if one.base == self.client.base]

    def cookies(self) -> list[dict[str, Any]]:
        """The cookies that an answer set, each as it was set first and where that was."""
        return [
            {"where": met.operation, **attributes(value)}
            for (base, cookie), met in self.client.target.traffic.cookies.items()
            for name, value in met.exchange.headers
            if base == self.client.base and name == "set-cookie"
            if value.partition("=")[0].strip() == cookie
        ]

    def has(self, wanted: str) -> bool:
        return any(class_of(one.exchange) == wanted for one in self.met())

    def why_not(self, wanted: str) -> str:
        """Why there is no answer of this class; empty when there is one."""
        if self.has(wanted):
            return ""
        try:
            why = self._tried(wanted)
        except NotMeasured as gap:
            if gap.reason is Reason.UNREACHABLE and not self.met():
                raise
            why = str(gap)
        return "" if self.has(wanted) else why

    def _tried(self, wanted: str) -> str:
        if wanted == "429":
            return self._burst()
        tries = {"page": ["/"], "static asset": self._assets()[:1], "redirect": self._slashes()}
        paths = tries.get(wanted, [])[:MOST_REDIRECTS_TRIED]
        for path in paths:
            reached(self.client.send("GET", path))
            if self.has(wanted):
                break
        return f"{', '.join(paths)} gave none" if paths else "no answer was one"

    def _assets(self) -> list[str]:
        """The scripts of pages, as far as they are the service's own."""
        pages = [one.exchange for one in self.met() if class_of(one.exchange) == "page"]
        here = self.client.base.rstrip("/")
        loaded = [
            urljoin(here + page.path, script["src"])
            for page in pages
            for script in described(page.text)["scripts"]
            if script["src"]
        ]
        return [url.removeprefix(here) for url in loaded if url.startswith(f"{here}/")]

    def _slashes(self) -> list[str]:
        """Declared paths with the slash at their end put there or taken away, and their folders."""
        asked = [one.operation.split(" ", 1) for one in self.http.response_classes]
        asked += [["GET", one.path] for one in self.http.health]
        paths = [path.split("?")[0] for method, path in asked if method in SAFE_METHODS]
        folders = [path.rpartition("/")[0] for path in paths]
        other = [p.rstrip("/") if p.endswith("/") else f"{p}/" for p in paths]
        return [path for path in dict.fromkeys([*folders, *other]) if len(path) > 1]

    def _burst(self) -> str:
        """Ask until the limiter answers, where that is permitted and nobody has been there yet."""
        if self.client.target.http is not self.http:
            return "bursts are not sent past the proxy"
        if not self.http.rate_limits:
            return "no answer was one, and target.http.rate_limits names no limit to run into"
        if "active" not in self.client.target.permit:
            return "no answer was one, and a burst needs permission: active"
        limit = self.http.rate_limits[0]
        method, path = limit.operation.split(" ", 1)
        headers = self.client.credentials(limit.as_role) if limit.as_role else {}
        for _ in range(limit.most_requests):
            body = limit.json_body
            answer = self.client.send(method, path, headers=headers, json=body, burst=True)
            if answer.status == 429:
                break
        return f"a burst of {limit.most_requests} requests got none"
