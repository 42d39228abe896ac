"""A liveness and a readiness endpoint; ``flaw`` says what is the matter with the figures."""

import itertools
import json
from typing import Any

from readiness.loopback import Request, Response

_answered = itertools.count(1)


def answer(request: Request, options: dict[str, Any]) -> Response:
    live = {"status": "ok", "answered": next(_answered), "waiting": 0}
    if options["flaw"] == "zeros":
        live = {"status": "ok", "uptime": 0, "connections": 0}
    if options["flaw"] == "constant":
        live["answered"] = 17
    ready = {"status": "ready", "version": "1.4", "checks": {"database": "ok"}}
    known = {"/live": live, "/ready": ready}
    if request.path not in known:
        return Response(404)
    body = json.dumps(known[request.path]).encode()
    return Response(200, [("Content-Type", "application/json")], body)
