"""A small API that answers malformed requests with 422, or with more than it should."""

import json
from typing import Any

from readiness.loopback import Response

DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/items": {
            "get": {
                "parameters": [{"name": "limit", "in": "query", "schema": {"type": "integer"}}]
            },
            "post": {
                "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}}
            },
        }
    },
}
TRACE = 'Traceback (most recent call last):\n  File "/app/main.py", line 9, in post\nValueError'
SQL = "(UndefinedColumn) near: SELECT id, name FROM items WHERE limit = x"


def answer(request: Any, options: dict[str, str]) -> Response:
    flaw = options["flaw"]
    headers = [("Content-Type", "application/json")]
    if flaw == "version":
        headers.append(("Server", "nginx/1.18.0"))
    if request.path == "/openapi.json":
        return Response(200, headers, json.dumps(DOCUMENT).encode())
    if flaw == "limiter":
        return Response(429, headers, b"{}")
    if request.path == "/docs" and flaw == "docs":
        return Response(200, [], b"<!doctype html><div id=swagger-ui></div>")
    if request.path == "/.env" and flaw == "env":
        return Response(200, [], b"DATABASE_URL=postgresql://x\n")
    if flaw == "catch-all" and request.path != "/items":
        return Response(200, [("Content-Type", "text/html")], b"<!doctype html><div id=root></div>")
    if request.path != "/items":
        return Response(404, headers, b'{"detail": "Not found"}')
    if request.method == "POST":
        body = TRACE if flaw == "trace" else '{"detail": "no JSON"}'
        return Response(500 if flaw == "trace" else 422, headers, body.encode())
    body = SQL if flaw == "sql" else '{"detail": "no number"}'
    return Response(422, headers, body.encode())
