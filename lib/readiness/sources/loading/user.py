"""The user that sends a scenario's requests, and what is made of an answer."""

from __future__ import annotations

import json
import secrets
import time
from itertools import count
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

import gevent
from locust import FastHttpUser, task

from readiness.sources.client import USER_AGENT, filled
from readiness.sources.loading.plan import PROBLEMS
from readiness.sources.loading.recorder import Recorder

CONNECTION_ERRORS_PAUSE_S = 0.1  # a refused connection costs nothing: without it they would flood

_numbers = count()  # of the users of this process


def user_class(plan: dict[str, Any], recorder: Recorder) -> type[FastHttpUser]:
    """The user that does what the plan says."""
    requests = plan["requests"]
    weights = [request["weight"] for request in requests]
    pace, think = plan["pace_s"], plan["think_s"]

    class AuditUser(FastHttpUser):  # type: ignore[misc]
        host = plan["base_url"]
        connection_timeout = plan["timeout_s"]
        network_timeout = plan["timeout_s"]
        insecure = False
        max_redirects = 0
        default_headers = {"User-Agent": USER_AGENT}
        if plan["ca_file"]:
            ssl_context_factory = staticmethod(
                lambda: gevent.ssl.create_default_context(cafile=plan["ca_file"])
            )

        def on_start(self) -> None:
            self.number = next(_numbers)
            self.chance = Random(self.number)
            self.client.client.redirect_response_codes = frozenset()
            self.due = time.perf_counter() + (self.chance.random() * pace if pace else 0)

        @task  # type: ignore[untyped-decorator]
        def ask(self) -> None:
            n = self.chance.choices(range(len(requests)), weights)[0]
            request = requests[n]
            if pace:
                gevent.sleep(max(0.0, self.due - time.perf_counter()))
            else:
                self.due = time.perf_counter()
            sent = time.perf_counter()
            status, body, problem = exchange(self, request, request["path"], request["method"])
            ended = time.perf_counter()
            recorder.add(n, self.due, sent, ended, status, PROBLEMS.index(problem))
            self.environment.events.request.fire(
                request_type=request["method"],
                name=request["path"],
                response_time=(ended - sent) * 1000,
                response_length=len(body),
                exception=problem or None,
                context={},
            )
            if not problem and request["remove"]:
                take_back(self, request, body)
            self.due += pace or 0
            if problem == "connection":
                gevent.sleep(CONNECTION_ERRORS_PAUSE_S)
            elif think:
                gevent.sleep(think * self.chance.uniform(0.5, 1.5))
            elif not pace:
                gevent.sleep(0)

    return AuditUser


def exchange(
    user: Any, request: dict[str, Any], path: str, method: str, plain: bool = False
) -> tuple[int, bytes, str]:
    """Send one request; its status (0 without an answer), its body and what is wrong with it."""
    headers = dict(request["headers"][user.number % len(request["headers"])])
    payload = None
    if not plain and request["json"] is not None:
        payload = json.dumps(filled(request["json"], secrets.token_hex(8))).encode()
        headers.setdefault("Content-Type", "application/json")
    elif not plain and request["form"]:
        payload = urlencode(filled(request["form"], secrets.token_hex(8))).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    plan_timeout, most = user.network_timeout, user.environment.most_bytes
    # The cookies of an earlier answer are not sent: who a request comes from its headers say.
    user.client.cookiejar.clear()
    limit, began = gevent.Timeout(plan_timeout), time.perf_counter()
    response = None
    try:
        with limit:
            response = user.client.client.urlopen(
                user.host + path, method=method, payload=payload, headers=headers
            )
            body = b""
            while len(body) <= most and (chunk := response._response.read(65_536)):
                body += chunk
    except gevent.Timeout as broke:
        _close(response)
        if broke is not limit:
            raise
        return 0, b"", "timeout"
    except Exception as broke:
        answered = getattr(broke, "response", None)
        if answered is None:
            waited = time.perf_counter() - began >= 0.95 * plan_timeout  # its own limit came first
            return 0, b"", "timeout" if waited else "connection"
        return answered.status_code, b"", wrong_status(request, answered.status_code)
    status = response.status_code
    if len(body) > most:
        _close(response)
        return status, body[:most], "too large"
    problem = "" if plain else wrong_status(request, status)
    if not problem and request["contains"] and request["contains"].encode() not in body:
        problem = "" if plain else "other content"
    return status, body, problem


def _close(response: Any) -> None:
    """Give up a connection in the middle of an answer; nobody reads the rest."""
    if response is not None and response._response is not None:
        response._response.release()


def wrong_status(request: dict[str, Any], status: int) -> str:
    """The problem with an answer of this status, or none."""
    if status == request["status"]:
        return ""
    if status == 429:
        return "rate limit"
    return "server error" if status >= 500 else "other status"


def take_back(user: Any, request: dict[str, Any], body: bytes) -> None:
    """Take away what a request made; it is no sample, but it is load."""
    try:
        made = json.loads(body)[request["id_field"]]
    except (ValueError, KeyError, TypeError):
        user.environment.not_removed += 1
        return
    method, path = request["remove"].replace("{id}", quote(str(made), safe="")).split(" ", 1)
    status, _, _ = exchange(user, request, path, method, plain=True)
    user.environment.not_removed += not 200 <= status < 300
