"""One timed request: made unlike any before it, told from other answers, and taken back."""

from __future__ import annotations

import re
import secrets
from typing import Any
from urllib.parse import quote

from ..finding import NotMeasured
from ..target import LatencyTarget
from .client import filled
from .http import Client, Exchange

TIMED_OUT = re.compile(r" within [\d.]+ s$")  # as the client says it


def failure(exchange: Exchange, endpoint: LatencyTarget) -> str | None:
    """Why an exchange is no answer to the question, or None when it is one."""
    if exchange.error:
        return "timeout" if TIMED_OUT.search(exchange.error) else "connection"
    if exchange.status == endpoint.status:
        found = endpoint.contains is None or endpoint.contains in exchange.text
        return None if found else "other content"
    if exchange.status == 429:
        return "rate limit"
    return "server error" if (exchange.status or 0) >= 500 else "other status"


def made_unique(endpoint: LatencyTarget) -> LatencyTarget:
    """The request with ``{unique}`` in its body replaced by what was never sent before."""
    unique = secrets.token_hex(8)
    fill: dict[str, Any] = {"json_body": filled(endpoint.json_body, unique)}
    if endpoint.form:
        fill["form"] = filled(endpoint.form, unique)
    return endpoint.model_copy(update=fill)


def removed(http_client: Client, endpoint: LatencyTarget, exchange: Exchange) -> bool:
    """Whether what a request made could be taken away again."""
    body = exchange.json()
    if not endpoint.remove or not isinstance(body, dict) or endpoint.id_field not in body:
        return False
    made = quote(str(body[endpoint.id_field]), safe="")
    operation = endpoint.remove.replace("{id}", made)
    fill = {"operation": operation, "json_body": None, "form": None}
    try:
        answer = http_client.request(endpoint.model_copy(update=fill))
    except (NotMeasured, ValueError):  # not permitted, or an id that is no part of a path
        return False
    return answer.status is not None and answer.status < 300
