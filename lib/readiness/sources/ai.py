"""Endpoints that wait on an outside AI provider: how quick they are, and what they answer while the
provider is slow, down, hanging or turns them away."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import Ai, Http, LatencyTarget, Outage, Provider, Situation, Target, need
from ..traffic import Planned
from . import planning
from .client import Client, client
from .exchange import Exchange
from .latency import nothing_to_do, own_time, sample
from .latency import planned as planned_samples
from .latency_requests import TIMED_OUT, failure, made_unique, removed
from .outage import taken_away
from .program import for_commands, run

QUIET_S = 0.5  # in which nobody else may call the provider
GRACE_S = 1.0  # that the audit waits beyond what an answer may take
FEWEST_BESIDE = 3  # requests of each operation that has nothing to do with the provider
PAUSE_S = 0.1  # between them, and between tries whether all is as usual


def _alone_planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    if target.http and target.ai:
        yield from planned_samples(_seen(target, target.ai, target.ai.timeout_s), [])


@source("active", plan=_alone_planned)
def alone(target: Target) -> Collected:
    """Each endpoint of ``target.ai.endpoints`` asked again and again by one user, as for the
    baseline, and how many calls the provider received meanwhile: fewer than there were answers
    mean that some came out of a cache."""
    need(target.http, "target.http")
    ai = need(target.ai, "target.ai")
    seen = _seen(target, ai, ai.timeout_s)
    records: list[dict[str, Any]] = []
    with client(seen) as http_client, nothing_to_do() as trivial:
        others = _calls_by_others(target, ai)
        for endpoint in ai.endpoints:
            before = _calls(target, ai.provider)
            records.append(sample(http_client, trivial, http_client.http, endpoint))
            after = _calls(target, ai.provider)
            known = before is not None and after is not None
            records[-1]["calls"] = after - before if known else None  # type: ignore[operator]
        answered = any(entry["status"] is not None for entry in http_client.ledger)
        errors = [entry["error"] for entry in http_client.ledger if "error" in entry]
    if not answered:
        raise NotMeasured(Reason.UNREACHABLE, f"no request was answered: {[*errors, ''][0]}")
    facts = {
        "client_ms": own_time(records),
        "quiet_within": ai.sampling.quiet_within,
        "timeout_ms": ai.timeout_s * 1000,
        "sampling": "target.ai.sampling",
        "calls_by_others": others,
    }
    return Collected(records, facts)


def _situations_planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    ai, http = target.ai, target.http
    if not (ai and http and ai.provider):
        return
    for one in ai.situations:
        tries = round(one.back_within_s / PAUSE_S) + 2
        for endpoint in ai.endpoints:
            yield Planned(endpoint.operation, ai.users + tries)
            yield from [Planned(endpoint.remove, ai.users + tries)] if endpoint.remove else []
            beside = round((one.within_s + GRACE_S) / PAUSE_S) + FEWEST_BESIDE
            yield from (Planned(other.operation, beside) for other in ai.meanwhile)
        yield Planned(ai.provider.operation, 3 + tries)
        roles = [request.as_role for request in (*ai.endpoints, *ai.meanwhile)]
        for _ in range(1 + len(ai.endpoints)):  # clients, each of which logs in
            yield from planning.logins(http, *roles)


@source("active", plan=_situations_planned)
def situations(target: Target) -> Collected:
    """Each situation brought about and ended again: what the endpoints answer to several users at
    once, what is answered beside them, and what one call of the provider itself shows before and
    after. One row an answer.

    Does nothing unless ``write`` is permitted, which ``facts.state`` says (``tried``, ``not
    permitted``, ``not declared``, ``failed``). The command that ends a situation is held by a
    process that outlives the audit.
    """
    need(target.http, "target.http")
    ai = need(target.ai, "target.ai")
    if not ai.situations or not ai.provider:
        return Collected([], {"state": "not declared"})
    if "write" not in target.permit:
        return Collected([], {"state": "not permitted"})
    records: list[dict[str, Any]] = []
    tried: list[dict[str, Any]] = []
    try:
        for situation in ai.situations:
            tried.append(situation.model_dump(include={"kind", "slow_s", "within_s"}))
            tried[-1] |= {"statuses": situation.statuses, "back_within_s": situation.back_within_s}
            _Trial(target, ai, ai.provider, situation, records, tried[-1]).go()
    except NotMeasured as gap:
        facts = {"state": "failed", "reason": gap.reason, "message": str(gap)}
        return Collected(records, {**facts, "situations": tried})
    return Collected(records, {"state": "tried", "situations": tried})


class _Trial:
    """One situation. ``facts`` gets whether all was as usual before (``ready``) and afterwards
    (``recovered``), how the commands ended, and the calls that the provider received."""

    def __init__(
        self,
        target: Target,
        ai: Ai,
        provider: Provider,
        situation: Situation,
        records: list[dict[str, Any]],
        facts: dict[str, Any],
    ) -> None:
        self._target, self._ai, self._provider = target, ai, provider
        self._situation, self._records, self._facts = situation, records, facts
        self._made: list[tuple[LatencyTarget, Exchange]] = []

    def go(self) -> None:
        situation, facts = self._situation, self._facts
        with client(_seen(self._target, self._ai, self._ai.timeout_s)) as usual:
            facts["ready"] = self._as_usual(usual, "before", GRACE_S)
            if not facts["ready"]:
                return
            commands = Outage(
                name=situation.kind,
                take_away=situation.enter,
                give_back=situation.leave,
                environment=self._provider.environment,
                timeout_s=self._provider.timeout_s,
            )
            with taken_away(self._target, commands, facts):
                if facts["taken"]["exit"] == 0:
                    self._probe("entered")
                    facts["calls"] = {e.operation: self._round(e) for e in self._ai.endpoints}
                    self._probe("still")
            facts["recovered"] = self._as_usual(usual, "after", situation.back_within_s)
            for endpoint, exchange in self._made:
                removed(usual, endpoint, exchange)

    def _round(self, endpoint: LatencyTarget) -> int:
        """All users ask one endpoint at once; returns the calls that the provider received."""
        before = _calls(self._target, self._provider) or 0
        limited = _seen(self._target, self._ai, self._situation.within_s + GRACE_S)
        with client(limited) as beside, ThreadPoolExecutor(self._ai.users) as pool:
            role = endpoint.as_role
            credentials = beside.credentials(role) if role else {}
            asked = endpoint.model_copy(update={"as_role": None})
            started, rounds = time.monotonic(), 0
            users = [
                pool.submit(copy_context().run, self._ask, limited, asked, credentials)
                for _ in range(self._ai.users)
            ]
            while rounds < FEWEST_BESIDE or not all(user.done() for user in users):
                for other in self._ai.meanwhile:
                    at = time.monotonic() - started
                    answer = beside.request(other, fresh=True, failing=True, patient=False)
                    what = {"within_ms": other.within_ms, "wanted": other.status}
                    self._note("beside", other.operation, answer, **what, at_s=round(at, 2))
                rounds += 1
                time.sleep(PAUSE_S)
            for user in users:
                exchange = user.result()
                said = {"as_usual": failure(exchange, endpoint) is None}
                text = self._situation.contains
                said["fallback"] = text is None or text in exchange.text
                told = bool(endpoint.contains) and endpoint.contains != text
                said["provider_words"] = told and (endpoint.contains or "") in exchange.text
                self._note("endpoint", endpoint.operation, exchange, **said)
                self._made.append((endpoint, exchange))
        return (_calls(self._target, self._provider) or 0) - before

    @staticmethod
    def _ask(target: Target, asked: LatencyTarget, credentials: Mapping[str, str]) -> Exchange:
        with client(target) as one_user:
            return one_user.request(
                made_unique(asked), credentials, fresh=True, failing=True, patient=False
            )

    def _as_usual(self, usual: Client, phase: str, within_s: float) -> bool:
        """Whether the provider and each endpoint came to answer as on any day within the time."""
        started = time.monotonic()
        while True:
            well = (self._probe(phase) or 500) < 400
            for endpoint in self._ai.endpoints if well else ():
                exchange = usual.request(made_unique(endpoint), failing=True)
                self._note(phase, endpoint.operation, exchange)
                self._made.append((endpoint, exchange))
                well = well and failure(exchange, endpoint) is None
            if well or time.monotonic() - started > within_s:
                return well
            time.sleep(PAUSE_S)

    def _probe(self, phase: str) -> int | None:
        """One call of the provider by the audit itself."""
        wanted = self._provider
        method, path = wanted.operation.split(" ", 1)
        headers = {name: value.value() for name, value in wanted.headers.items()}
        longest = self._situation.within_s + GRACE_S
        longest += self._situation.slow_s if self._situation.kind == "slow" else 0
        with client(_provider_at(self._target, wanted, min(longest, 120))) as there:
            exchange = there.send(
                method,
                path,
                headers=headers,
                json=wanted.json_body,
                fresh=True,
                failing=True,
                patient=False,
            )
        self._note(phase, "provider", exchange)
        return exchange.status

    def _note(self, phase: str, operation: str, exchange: Exchange, **more: Any) -> None:
        row = {
            "situation": self._situation.kind,
            "phase": phase,  # before, entered, endpoint, beside, still, after
            "operation": operation,
            "status": exchange.status,
            "ms": round(exchange.elapsed_ms, 1),
            "timed_out": bool(TIMED_OUT.search(exchange.error or "")),
            "error": exchange.error,
        }
        self._records.append(row | more)


def _seen(target: Target, ai: Ai, timeout_s: float) -> Target:
    """The same target for which the endpoints are those of its AI, and so long is waited."""
    http: Http = need(target.http, "target.http")
    changed = {"latency": ai.endpoints, "latency_sampling": ai.sampling, "timeout_s": timeout_s}
    return target.model_copy(update={"http": http.model_copy(update=changed)})


def _provider_at(target: Target, provider: Provider, timeout_s: float) -> Target:
    """The provider as a target, of which nothing is known but its address."""
    there = Http(base_url=provider.url, timeout_s=timeout_s, requests_per_minute=100_000)
    return target.model_copy(update={"http": there})


def _calls(target: Target, provider: Provider | None) -> int | None:
    """How many calls the provider says that it has received; None where nobody counts them."""
    if provider is None:
        return None
    with for_commands(target, provider.environment) as (folder, environment):
        command = [part.value() for part in provider.calls]
        done = run(command, environment=environment, timeout_s=provider.timeout_s, folder=folder)
    said = done.output.strip()
    if done.returncode != 0 or not said.isdecimal():
        ended = f"exit {done.returncode}, {(said or done.errors.strip())[-120:]!r}"
        raise NotMeasured(
            Reason.INCONCLUSIVE, f"target.ai.provider.calls did not print a number: {ended}"
        )
    return int(said)


def _calls_by_others(target: Target, ai: Ai) -> int:
    """The calls that a provider receives while the audit asks for nothing."""
    before = _calls(target, ai.provider)
    if before is None:
        return 0
    time.sleep(QUIET_S)
    return (_calls(target, ai.provider) or 0) - before
