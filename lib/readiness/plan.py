"""What an audit would send to the service: told without sending anything.

Each source that asks the service something declares its requests beforehand, as an upper bound.
Repeats after a 429 that says when to come back are not counted in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .check import catalogue
from .documents import ROOT
from .evidence import Source
from .target import Target
from .traffic import Planned

RUNS = ROOT / "outputs"


@dataclass(frozen=True)
class PlannedSource:
    """One source: for which checks it asks, whether it may, and what it would send at most."""

    name: str
    checks: list[str]
    safety: str
    permitted: bool
    requests: list[Planned]

    @property
    def most(self) -> int:
        return sum(one.most for one in self.requests)

    def by_method(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for one in self.requests:
            found[one.operation.split(" ", 1)[0]] += one.most
        return found


def planned(target: Target, operations: list[str], areas: Iterable[str]) -> list[PlannedSource]:
    """Every source of these areas that asks the service something, in the order of its checks.

    ``operations`` are those of the API document. One source serves all checks of an area that
    judge from it; every area collects for itself.
    """
    found: list[PlannedSource] = []
    for area in areas:
        users: dict[str, tuple[Source, list[str]]] = {}
        for check in catalogue(area).values():
            for source in check.sources:
                users.setdefault(source.name, (source, []))[1].append(check.id)
        for source, checks in users.values():
            if source.plan is None:
                continue
            permitted = source.safety in target.permit
            requests = list(source.plan(target, operations))
            if requests:
                found.append(PlannedSource(source.name, checks, source.safety, permitted, requests))
    return found


def known_operations(target: Target, environment: str) -> tuple[list[str], str]:
    """The operations of the API document without asking the service, and where they are known from.

    A document that is a file is read. One that the service serves is known from the latest run of
    this environment, if there is one.
    """
    from .finding import NotMeasured
    from .sources.client import client
    from .sources.openapi import read_api

    http = target.http
    if http is None:
        return [], "no service is described"
    if http.openapi is None or not http.openapi.startswith("/"):
        try:
            with client(target) as http_client:
                api = read_api(target, http_client)
        except NotMeasured as gap:
            return [], str(gap)
        return [operation.name for operation in api.operations], api.read_from
    file = RUNS / environment / "latest/evidence/SEC-AUTHZ-ANON/operations.json"
    found = _operations_of_a_run(file)
    if found:
        return found, "the latest run of this environment"
    return list(http.operations), f"{http.openapi} is not known before the first run"


def _operations_of_a_run(file: Path) -> list[str]:
    try:
        records = json.loads(file.read_text(encoding="utf-8"))["records"]
        return [str(row["operation"]) for row in records]
    except (OSError, ValueError, KeyError, TypeError):
        return []
