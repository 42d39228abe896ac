"""A service that lets in who knows the secret; one of its operations is a stub."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from readiness.loopback import Request, Response

PATHS = ("/items", "/reports", "/scan")
DOCUMENT = {"openapi": "3.1.0", "paths": {path: {"get": {}} for path in PATHS}}
_calls: Counter[str] = Counter()


def answer(request: Request, options: dict[str, Any]) -> Response:
    if request.path == "/openapi.json":
        return Response(200, body=json.dumps(DOCUMENT).encode())
    if request.path not in PATHS:
        return Response(404)
    wanted = options["secret"]
    if wanted != "none" and request.headers.get("authorization") != f"Bearer {wanted}":
        return Response(401)
    if request.path == options.get("flapping"):
        _calls[request.path] += 1
        return Response(503 if _calls[request.path] == 1 else 200)
    return Response(501 if request.path == options["stub"] else 200)
