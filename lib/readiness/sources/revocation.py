"""Credentials that the audit lets be issued to itself, revokes, and presents again.

A service with several processes refuses a revoked credential everywhere, or only where somebody
asked for the revocation. So it is presented again until, with a stated probability, every process
was met: the coupon collector's problem (Feller, An Introduction to Probability Theory I, IV.2).
"""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import httpx

from ..evidence import Collected, source
from ..finding import NotMeasured, Reason
from ..target import Revocation, Target, need
from ..traffic import Planned
from ..variables import keep_secret
from .attempts import to_login
from .callers import AT_ONCE, together
from .client import Client, Exchange, client, filled, worker_of
from .login import at, headers_with, log_in_as, opened, role_of, token_in

FEWEST = 3  # presentations after, where one process answers and one would do
BEFORE = 8  # presentations of the valid credential, so that every process' cache has it
PATIENCE = 10  # times as many, while a process that was seen before hides: shares are not equal


def presentations(workers: int, probability: float) -> int:
    """How often to ask so that each of ``workers`` was met with this probability, if each takes an
    equal share: the chance to miss one of w in n requests is at most w (1 - 1/w)^n."""
    if workers == 1:
        return FEWEST
    return math.ceil(math.log(workers / (1 - probability)) / -math.log(1 - 1 / workers))


def planned(target: Target, _operations: list[str]) -> list[Planned]:
    """What ``revoked`` would send."""
    logout = target.http.logout if target.http else None
    if target.http is None or logout is None:
        return []
    asked = presentations(target.http.workers, logout.probability)
    plan = []
    for one in logout.credentials:
        role = target.http.roles.get(one.as_role)
        if role and role.login:
            plan.append(Planned(role.login, 2))  # the credential, and whoever revokes it
        if one.issue:
            plan.append(Planned(one.issue))
        protected = _protected(target, one)
        most = asked * PATIENCE if target.http.worker_header else asked
        plan += [Planned(protected, BEFORE + most), Planned(one.revoke)]
        plan += [Planned(one.refresh, asked)] if one.refresh else []
    return plan


@source("active", plan=planned)
def revoked(target: Target) -> Collected:
    """One row for each credential that was issued and revoked, with every answer to it since."""
    http = need(target.http, "target.http")
    logout = need(http.logout, "target.http.logout")
    asked = presentations(http.workers, logout.probability)
    records = []
    with client(target) as http_client:
        for one in logout.credentials:
            records.append(_try(http_client, one, asked))
    facts = {"workers": http.workers, "probability": logout.probability, "presented": asked}
    return Collected(records, facts, {"httpx": httpx.__version__})


def _try(http_client: Client, wanted: Revocation, asked: int) -> dict[str, Any]:
    protected = _protected(http_client.target, wanted)
    row: dict[str, Any] = {
        "credential": f"{wanted.issue or 'login'} as {wanted.as_role}",
        "protected": protected,
        "before": [],
        "revoke": wanted.revoke,
        "revoked": None,
        "after": [],
        "workers_before": [],
        "workers_after": [],
        "refreshed": [],
        "problem": None,
    }
    try:
        answer, headers, refresh = _issue(http_client, wanted)
        row["before"] = _present(http_client, protected, headers, BEFORE, row, "before")
        row["revoked"] = _revoke(http_client, wanted, answer, headers).status
        row["after"] = _present(http_client, protected, headers, asked, row, "after")
        if wanted.refresh:
            row["refreshed"] = _renew(http_client, wanted, refresh, asked)
    except NotMeasured as gap:
        row["problem"] = str(gap)
    return row


def _protected(target: Target, wanted: Revocation) -> str:
    http = need(target.http, "target.http")
    authentication = http.authentication
    found = wanted.protected or (authentication.protected if authentication else None)
    return need(found, "target.http.logout.credentials.protected")


def _issue(http_client: Client, wanted: Revocation) -> tuple[Exchange, dict[str, str], str | None]:
    """Let a credential be issued: the answer, the headers that send it, what renews it."""
    role = role_of(http_client, wanted.as_role)
    role = role.model_copy(
        update={
            name: value
            for name in ("header", "scheme", "token_field")
            if (value := getattr(wanted, name)) is not None
        }
    )
    if wanted.issue is None:
        answer = log_in_as(http_client, wanted.as_role)
    else:
        method, path = wanted.issue.split(" ", 1)
        headers = http_client.credentials(wanted.as_role)
        body = filled(wanted.issue_json, "readiness-revocation")
        answer = http_client.send(method, path, headers=headers, json=body)
    token = token_in(answer, role, f"{wanted.as_role}, to be revoked")
    refresh = at(answer.json(), wanted.refresh_field)
    known = keep_secret(refresh, "refresh token") if isinstance(refresh, str) else None
    return answer, headers_with(role, token), known


def _present(
    http_client: Client,
    protected: str,
    headers: dict[str, str],
    times: int,
    row: dict[str, Any],
    moment: str,
) -> list[int | None]:
    """Present the credential so often, by several callers at once; the answers' statuses.

    Longer, within bounds, while a process that it met before it was revoked has not been met again.
    """
    method, path = protected.split(" ", 1)
    statuses: list[int | None] = []
    met: set[str] = set()
    more = times
    while more:
        for answer in together(http_client, method, path, more, headers=headers):
            statuses.append(401 if to_login(answer) else answer.status)
            if name := worker_of(http_client, answer):
                met.add(name)
        hiding = not met.issuperset(row["workers_before"])
        more = min(AT_ONCE, times * PATIENCE - len(statuses)) if hiding else 0
    row[f"workers_{moment}"] = sorted(met)
    return statuses


def _revoke(
    http_client: Client, wanted: Revocation, answer: Exchange, headers: dict[str, str]
) -> Exchange:
    identifier = at(answer.json(), wanted.id_field)
    operation = wanted.revoke
    if "{id}" in operation:
        if identifier is None:
            raise NotMeasured(
                Reason.INCONCLUSIVE,
                f"what issued the credential answered no {wanted.id_field} to revoke it by",
            )
        operation = operation.replace("{id}", quote(str(identifier), safe=""))
    method, path = operation.split(" ", 1)
    who = headers if wanted.revoked_by == "itself" else http_client.credentials(wanted.as_role)
    return http_client.send(
        method, path, headers=who, json=wanted.revoke_json, operation=wanted.revoke, fresh=True
    )


def _renew(
    http_client: Client, wanted: Revocation, refresh: str | None, asked: int
) -> list[int | None]:
    """Present the refresh token, until it is taken once or was refused by every process."""
    if refresh is None:
        raise NotMeasured(
            Reason.INCONCLUSIVE, f"the login answered no {wanted.refresh_field} to renew with"
        )
    method, path = need(wanted.refresh, "refresh").split(" ", 1)
    statuses: list[int | None] = []
    body = {wanted.refresh_field.split(".")[-1]: refresh}
    while len(statuses) < asked and not any(map(opened, statuses)):
        more = min(asked - len(statuses), AT_ONCE)
        answers = together(http_client, method, path, more, headers={}, json=body)
        statuses += [answer.status for answer in answers]
    return statuses


def revoked_table(evidence: Any) -> Any:
    """A data frame: one row a credential, what opened before and after it was revoked."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "credential": r["credential"],
                "opens": r["protected"],
                "before": counts(r["before"]),
                "revoked by": r["revoke"],
                "answered": r["revoked"] or "–",
                "after": counts(r["after"]),
                "processes met": len(r["workers_after"]) or "not told",
                "renewed": counts(r["refreshed"]) if r["refreshed"] else "not tried",
            }
            for r in evidence.records
        ]
    )


def counts(statuses: list[int | None]) -> str:
    """``40 × 401``, or several of these."""
    from collections import Counter

    return ", ".join(f"{n} × {s or 'no answer'}" for s, n in Counter(statuses).items()) or "–"
