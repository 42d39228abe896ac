"""A service that allows five requests a second, sound unless ``flaw`` says how it is not."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from readiness.loopback import Request, Response

LIMIT, WINDOW_S = 5, 1.0
_one_at_a_time = threading.Lock()


def answer(request: Request, options: dict[str, Any]) -> Response:
    with _one_at_a_time:
        return _answer(request, options)


def _answer(request: Request, options: dict[str, Any]) -> Response:
    flaw, limit = options["flaw"], options.get("limit", LIMIT)
    asked = options["asked"] = options.get("asked", 0) + 1
    if request.path == "/login":
        name = json.loads(request.body)["username"]
        return _json(200, {"access_token": f"{name}-token-{asked}"})
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    user = bearer.partition("-token-")[0] if "-token-" in bearer else ""
    caller = user or "nobody"
    if flaw == "counts bearers":
        caller = bearer
    if flaw == "believes headers":
        caller += request.headers.get("forwarded", "")
    if flaw == "counts all alike":
        caller = "everybody"
    worker = asked % 2
    if flaw == "two uneven workers":  # one in 16 of the usual caller's, and nobody else's
        usual = request.headers == options.setdefault("usual", request.headers)
        turn = options["turn"] = options.get("turn", 0) + usual
        worker = int(usual and turn % 16 == 2)
    if "workers" in flaw:
        caller += str(worker)
    counted = options.setdefault("counted", {})
    since, hits = counted.get(caller, (time.monotonic(), 0))
    if time.monotonic() - since >= WINDOW_S:
        since, hits = time.monotonic(), 0
    counted[caller] = since, hits + 1
    bypassed = flaw == "bypass" and request.headers.get("x-load-test") == "1"
    if flaw != "no limit" and hits >= limit and not bypassed:
        wait = {} if flaw == "says no when" else {"Retry-After": "1"}
        return _json(429, {}, {**_told(limit), **wait, "X-Worker": f"w{worker}"})
    told = {} if flaw == "no limit" else _told(limit)
    return _json(200 if user else 401, {}, {**told, "X-Worker": f"w{worker}"})


def _told(limit: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1"}


def _json(status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    sent = [("Content-Type", "application/json"), *(headers or {}).items()]
    return Response(status, sent, json.dumps(content).encode())
