"""A liveness and a readiness endpoint; ``flaw`` says what is the matter with them.

The service stands on the file ``database`` in the specimen's folder, if it is to be taken away.
"""

import itertools
import json
from pathlib import Path
from typing import Any

from readiness.loopback import Request, Response

_answered = itertools.count(1)
_asked = itertools.count(1)


def answer(request: Request, options: dict[str, Any]) -> Response:
    live = {"status": "ok", "answered": next(_answered), "waiting": 0}
    if options["flaw"] == "zeros":
        live = {"status": "ok", "uptime": 0, "connections": 0}
    if options["flaw"] == "constant":
        live["answered"] = 17
    ready = {"status": "ready", "version": "1.4", "checks": {"database": "ok"}}
    known = {"/live": live, "/ready": ready}
    if request.path == "/ready" and not _well(options):
        status = 200 if options["flaw"] == "status-200" else 503
        body = json.dumps({"status": "unavailable", "checks": {"database": "failed"}}).encode()
        return Response(status, [("Content-Type", "application/json")], body)
    if request.path not in known:
        return Response(404)
    body = json.dumps(known[request.path]).encode()
    return Response(200, [("Content-Type", "application/json")], body)


def _well(options: dict[str, Any]) -> bool:
    """Whether readiness says that it is well; the flaws are in how it follows the database."""
    folder, flaw = Path(options["SPECIMEN_FOLDER"]), options["flaw"]
    gone, was_gone = not (folder / "database").exists(), folder / "was-gone"
    if gone:
        was_gone.touch()
    if flaw == "one-worker":  # the other one never looks
        return not gone or next(_asked) % 2 == 0
    if flaw == "never-back":
        return not was_gone.exists()
    return not gone or flaw not in ("none", "status-200")
