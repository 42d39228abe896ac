"""Guessing passwords at the sacrificial account: what the service does about it.

No other account is touched. Guesses at a name that does not exist are made beside it, to see
whether answers tell which names do.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any

import httpx

from ..evidence import Collected, source
from ..finding import NotMeasured
from ..target import Lockout, Target, need
from ..traffic import Planned
from .account import Sacrifice, sacrifice, unique
from .callers import AT_ONCE, at_once
from .client import Client, Exchange, client
from .login import log_in, opened, role_of
from .pace import retry_after

STRANGERS = 5  # guesses at a name that does not exist
CHANGING = re.compile(r"[0-9a-fA-F-]{8,}|\d+")
LOCKED = (423, 429)


def planned(target: Target, _operations: list[str]) -> list[Planned]:
    """What ``guesses`` would send."""
    http = target.http
    if http is None or http.sacrificial_account is None or http.lockout is None:
        return []
    account = http.sacrificial_account
    role = http.roles.get(account.like_role)
    login = role.login if role and role.login else "POST ?"
    plan = [Planned(login, 2 * http.lockout.most_attempts + STRANGERS + 2 + AT_ONCE)]
    for request in (account.create, account.remove):
        if request:
            plan.append(Planned(request.operation))
            maker = http.roles.get(request.as_role or "")
            plan += [Planned(maker.login)] if maker and maker.login else []
    return plan


@source("active", plan=planned)
def guesses(target: Target) -> Collected:
    """One row for each guess, in their order, with what it was answered and how long that took.

    First the right password is seen to work; after the guesses it is tried again.
    """
    http = need(target.http, "target.http")
    wanted = need(http.lockout, "target.http.lockout")
    with client(target) as http_client:
        with sacrifice(http_client) as account:
            facts, rows = _guess(http_client, account, wanted)
        facts["left"] = account.left
    return Collected(rows, facts, {"httpx": httpx.__version__})


def _guess(
    http_client: Client, account: Sacrifice, wanted: Lockout
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    role = role_of(http_client, account.role)
    facts: dict[str, Any] = {
        "login": role.login,
        "most_attempts": wanted.most_attempts,
        "right_before": _try(http_client, account, account.password).status,
        "right_after": None,
        "let_in": 0,  # of those who had the right password while it was locked
        "right_later": None,
        "unlocks_after_s": wanted.unlocks_after_s,
        "by_address": False,
        "stopped": "",
    }
    rows: list[dict[str, Any]] = []
    if not opened(facts["right_before"]):
        return facts, rows
    try:
        stranger = Sacrifice(unique(), "", account.role)
        for n in range(1, STRANGERS + 1):
            rows.append(_row("no such name", n, _try(http_client, stranger, _guess_no(n))))
        for n in range(1, wanted.most_attempts + 1):
            answer = _try(http_client, account, _guess_no(n))
            rows.append(_row("the account", n, answer))
            if answer.status not in LOCKED:
                continue
            # Is it the account that is limited, or whoever asks from here?
            other = _try(http_client, Sacrifice(unique(), "", account.role), _guess_no(n))
            facts["by_address"] = other.status in LOCKED
            if not facts["by_address"] or not http_client.wait_for(answer):
                break
        tried = at_once(lambda: _try(http_client, account, account.password))
        after = next((answer for answer in tried if not opened(answer.status)), tried[0])
        facts |= {"right_after": after.status, "let_in": sum(opened(a.status) for a in tried)}
        told = retry_after(after.header, longest=None)
        facts["unlocks_after_s"] = told if told is not None else wanted.unlocks_after_s
        wait = facts["unlocks_after_s"]
        if not opened(after.status) and wait is not None and wait <= wanted.wait_for_unlock_s:
            time.sleep(wait + 0.2)
            facts["right_later"] = _try(http_client, account, account.password).status
    except NotMeasured as gap:
        facts["stopped"] = str(gap)
    return facts, rows


def _try(http_client: Client, account: Sacrifice, password: str) -> Exchange:
    """One login; a 429 is an answer here, and slowness may be the defence that is looked for."""
    return log_in(http_client, account.role, account.username, password, patient=False, timed=False)


def _guess_no(number: int) -> str:
    return f"guess-no-{number}-Xy7"


def _row(who: str, number: int, answer: Exchange) -> dict[str, Any]:
    said = CHANGING.sub("", answer.text[:20_000])
    return {
        "who": who,
        "number": number,
        "status": answer.status,
        "ms": round(answer.elapsed_ms, 2),
        "body": hashlib.sha256(said.encode()).hexdigest()[:12],
        "error": answer.error,
    }


def guesses_figure(evidence: Any) -> Any:
    """A figure: how long each guess took and what it was answered; else a sentence."""
    if not evidence.records:
        return evidence.problem.message if evidence.problem else "Nothing was guessed."
    import plotly.graph_objects as go

    figure = go.Figure()
    for who, symbol in (("the account", "circle"), ("no such name", "diamond-open")):
        rows = [r for r in evidence.records if r["who"] == who]
        figure.add_scatter(
            name=who,
            x=[r["number"] for r in rows],
            y=[r["ms"] for r in rows],
            text=[str(r["status"] or "–") for r in rows],
            mode="markers+text",
            textposition="top center",
            marker_symbol=symbol,
        )
    figure.update_xaxes(title="guess (number)")
    figure.update_yaxes(title="answer (ms)", rangemode="tozero")
    return figure
