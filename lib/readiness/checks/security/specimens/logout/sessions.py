"""A service of several processes that logs in and out, sound unless ``flaw`` says how it is not."""

from __future__ import annotations

import json
from typing import Any

from readiness.loopback import Request, Response


def _json(status: int, content: Any, worker: int) -> Response:
    headers = [("Content-Type", "application/json"), ("X-Worker", f"w{worker}")]
    return Response(status, headers, json.dumps(content).encode())


def answer(request: Request, options: dict[str, Any]) -> Response:
    """Requests go to the workers in turn; what each knows of is its own set."""
    flaw = options["flaw"]
    asked = options["asked"] = options.get("asked", 0) + 1
    workers = options.get("workers", 2)
    worker = asked % workers
    if flaw == "balancer stays with one":
        worker = int(asked > 3)
    revoked = options.setdefault("revoked", [set() for _ in range(workers)])
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    if flaw == "limiter" and asked > 8:
        return _json(429, {}, worker)
    match request.method, request.path:
        case "POST", "/login":
            return _json(200, _issued(asked), worker)
        case "POST", "/keys":
            return _json(201, {"id": asked, "key": f"key-number-{asked}"}, worker)
        case "POST", "/refresh":
            refresh = json.loads(request.body)["refresh_token"]
            ended = refresh in revoked[worker] and flaw != "refresh survives"
            return _json(401 if ended else 200, {} if ended else _issued(asked), worker)
        case "POST", "/logout":
            if flaw == "cannot log out":
                return _json(404, {}, worker)
            _revoke(given.removeprefix("token-number-"), revoked, worker, flaw)
            return _json(200, {}, worker)
        case "DELETE", path if path.startswith("/keys/"):
            _revoke(path.rpartition("/")[2], revoked, worker, flaw)
            return _json(204, {}, worker)
    known = given.startswith(("token-number-", "key-number-")) and given not in revoked[worker]
    return _json(200 if known else 401, {}, worker)


def _issued(number: int) -> dict[str, str]:
    return {"access_token": f"token-number-{number}", "refresh_token": f"refresh-number-{number}"}


def _revoke(number: str, revoked: list[set[str]], worker: int, flaw: str) -> None:
    told = [revoked[worker]] if flaw == "one process" else revoked
    for one in told if flaw != "nothing happens" else []:
        one |= {f"{kind}-number-{number}" for kind in ("token", "key", "refresh")}
