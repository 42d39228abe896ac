"""A service that allows five requests a second, sound unless ``flaw`` says how it is not."""

from __future__ import annotations

import json
import time
from typing import Any

from readiness.loopback import Request, Response

LIMIT, WINDOW_S = 5, 1.0


def answer(request: Request, options: dict[str, Any]) -> Response:
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
    if flaw == "two workers":
        caller += str(asked % 2)
    counted = options.setdefault("counted", {})
    since, hits = counted.get(caller, (time.monotonic(), 0))
    if time.monotonic() - since >= WINDOW_S:
        since, hits = time.monotonic(), 0
    counted[caller] = since, hits + 1
    bypassed = flaw == "bypass" and request.headers.get("x-load-test") == "1"
    if flaw != "no limit" and hits >= limit and not bypassed:
        wait = {} if flaw == "says no when" else {"Retry-After": "1"}
        return _json(429, {}, {**_told(limit), **wait})
    return _json(200 if user else 401, {}, {} if flaw == "no limit" else _told(limit))


def _told(limit: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1"}


def _json(status: int, content: Any, headers: dict[str, str] | None = None) -> Response:
    sent = [("Content-Type", "application/json"), *(headers or {}).items()]
    return Response(status, sent, json.dumps(content).encode())
