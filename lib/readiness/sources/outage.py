"""Whether readiness turns when a dependency is away: each is taken away for a moment, and given
back whatever becomes of the audit."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..guard import Guard
from ..target import HealthEndpoint, Outage, Request, Target, need
from ..traffic import Planned
from .client import Client, client
from .program import for_commands, run

STEADY = 3  # rounds in a row that must agree: there may be several workers
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0  # between rounds of asking
ATTEMPTS = 3  # at giving back
NOT_LET_IN = (401, 403, 429)


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    """Readiness asked until it turns, a dependency after the other."""
    http = target.http
    if http is None:
        return
    for dependency in http.outages:
        longest = dependency.within_s + dependency.back_within_s
        for endpoint in http.health:
            yield Planned(f"GET {endpoint.path}", round(longest / LONGEST_PAUSE_S) + 30)


@source("passive", plan=_planned)
def outages(target: Target) -> Collected:
    """Each dependency of ``target.http.outages`` taken away and given back, and what the
    readiness endpoints answer before, meanwhile and after: one row an answer.

    Does nothing unless ``write`` is permitted, which ``facts.state`` says (``tried``, ``not
    permitted``, ``not declared``, ``failed``): so the answers of the endpoints can be judged where
    nothing may be touched. Nothing is taken from a service that is not ready to begin with. The
    command that gives back is held by a process that outlives the audit.
    """
    http = need(target.http, "target.http")
    ready = [endpoint for endpoint in http.health if endpoint.kind == "readiness"]
    if not http.outages or not ready:
        return Collected([], {"state": "not declared"})
    if "write" not in target.permit:
        return Collected([], {"state": "not permitted"})
    records: list[dict[str, Any]] = []
    tried: list[dict[str, Any]] = []
    try:
        with client(target) as http_client:
            for dependency in http.outages:
                tried.append({"name": dependency.name})
                watch = _Watch(http_client, dependency, ready, records)
                _try(target, dependency, watch, tried[-1])
    except NotMeasured as gap:
        facts = {"state": "failed", "reason": gap.reason, "message": str(gap)}
        return Collected(records, {**facts, "dependencies": tried})
    return Collected(records, {"state": "tried", "dependencies": tried})


def _try(target: Target, dependency: Outage, watch: _Watch, facts: dict[str, Any]) -> None:
    """One dependency; ``facts`` gets how the commands ended, and whether readiness ``turned``
    and ``recovered``."""
    facts |= {"within_s": dependency.within_s, "back_within_s": dependency.back_within_s}
    facts["ready"] = watch.until(True, "before", 0)
    if not facts["ready"]:
        return
    with taken_away(target, dependency, facts):
        if facts["taken"]["exit"] == 0:
            facts["turned"] = watch.until(False, "away", dependency.within_s)
    facts["recovered"] = watch.until(True, "back", dependency.back_within_s)


@contextmanager
def taken_away(target: Target, dependency: Outage, facts: dict[str, Any]) -> Iterator[None]:
    """The dependency is away within the block; it is given back even if taking it away failed."""
    with for_commands(target, dependency.environment) as (folder, environment):
        back = [part.value() for part in dependency.give_back]
        guard = Guard(
            back,
            environment=environment,
            folder=folder,
            timeout_s=dependency.timeout_s,
            attempts=ATTEMPTS,
        )
        try:
            command = [part.value() for part in dependency.take_away]
            done = run(
                command, environment=environment, timeout_s=dependency.timeout_s, folder=folder
            )
            facts["taken"] = {"exit": done.returncode, "said": _last(done.errors or done.output)}
            yield
        finally:
            given = guard.release()
            facts["given"] = {"exit": given["exit"], "said": _last(given["said"])}


class _Watch:
    """Asks the readiness endpoints until all of them have answered alike for some rounds."""

    def __init__(
        self,
        http_client: Client,
        dependency: Outage,
        ready: list[HealthEndpoint],
        records: list[dict[str, Any]],
    ) -> None:
        self._client, self._dependency = http_client, dependency
        self._ready, self._records = ready, records

    def until(self, healthy: bool, phase: str, within_s: float) -> bool:
        """Whether every endpoint came to be ``healthy`` (or not) within the time, and stayed so."""
        started, steady, pause = time.monotonic(), 0, FIRST_PAUSE_S
        while True:
            at = time.monotonic() - started
            answers = [self._ask(endpoint, phase, at) for endpoint in self._ready]
            self._records.extend(answers)
            steady = steady + 1 if all(a["healthy"] is healthy for a in answers) else 0
            if steady == STEADY:
                return True
            if not steady and at >= within_s:
                return False
            time.sleep(FIRST_PAUSE_S if steady else pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_S)

    def _ask(self, endpoint: HealthEndpoint, phase: str, at: float) -> dict[str, Any]:
        wanted = Request(operation=f"GET {endpoint.path}", as_role=endpoint.as_role)
        exchange = self._client.request(wanted, fresh=True, failing=phase != "before")
        status = exchange.status
        return {
            "dependency": self._dependency.name,
            "phase": phase,  # before, away, back
            "at_s": round(at, 2),
            "endpoint": endpoint.path,
            "status": status,
            # As a prober sees it: Kubernetes, load balancers and Compose look at the status alone.
            "healthy": status is not None and status < 400,
            "let_in": status not in NOT_LET_IN,
            "error": exchange.error,
        }


def _last(said: str) -> str:
    """The last line of what a command said."""
    lines: Iterable[str] = (line.strip() for line in said.splitlines())
    return ([line for line in lines if line] or [""])[-1][:200]


def timeline(evidence: Evidence) -> Any:
    """A data frame: for each dependency and phase, the endpoints' answers in their order."""
    import pandas as pd

    columns = ["dependency", "phase", "endpoint", "answers", "seconds"]
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for record in evidence.records:
        key = (record["dependency"], record["phase"], record["endpoint"])
        rows.setdefault(key, []).append(record)
    table = []
    for key, answers in rows.items():
        said = [str(a["status"] or a["error"]) for a in answers]
        folded = [one for n, one in enumerate(said) if n == 0 or said[n - 1] != one]
        table.append([*key, " → ".join(folded), answers[-1]["at_s"]])
    return pd.DataFrame(table, columns=columns)
