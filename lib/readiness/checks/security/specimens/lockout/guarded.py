"""A login with a lock, sound unless ``flaw`` says how it is not."""

from __future__ import annotations

import json
import threading
from typing import Any

from readiness.loopback import Request, Response

LOCKED_AFTER = 5
_one_at_a_time = threading.Lock()


def _json(status: int, content: Any, **headers: str) -> Response:
    sent = [("Content-Type", "application/json"), *headers.items()]
    return Response(
        status, [(n.replace("_", "-"), v) for n, v in sent], json.dumps(content).encode()
    )


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw, body = options["flaw"], json.loads(request.body or b"{}")
    known = options.setdefault("known", {"settled": "its-own-password"})
    failures = options.setdefault("failures", {})
    if request.path == "/accounts":
        if request.method == "DELETE":
            return _json(204, {})
        known[body["name"]] = body["secret"]
        return _json(201, {"id": body["name"]})
    if request.path.startswith("/accounts/"):
        return _json(204 if known.pop(request.path.rpartition("/")[2], None) else 404, {})
    name = body["username"]
    counted = "everybody" if flaw == "by address" else name
    if flaw == "in one process" and body["password"] == known.get(name):
        with _one_at_a_time:  # every other of those who have the right password meets another
            asked = options["asked"] = options.get("asked", 0) + 1
        counted += "" if asked % 2 else ", elsewhere"
    failed = failures.get(counted, 0)
    locks = flaw not in ("no lock", "slows") and (name in known or flaw != "tells names")
    if locks and failed >= LOCKED_AFTER:
        if flaw == "says no when":
            return _json(403, {"detail": "locked"})
        return _json(429 if flaw == "by address" else 423, {"detail": "locked"}, Retry_After="300")
    if known.get(name) == body["password"] and flaw != "login refused":
        return _json(200, {"access_token": "a-token-of-this-specimen"})
    failures[counted] = failed + 1
    wrong = "no such user" if flaw == "tells names" and name not in known else "wrong"
    delay = min(0.02 * failed, 0.1) if flaw == "slows" else 0.0
    body_text = json.dumps({"detail": wrong}).encode()
    return Response(401, [("Content-Type", "application/json")], body_text, delay)
