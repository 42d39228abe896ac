"""A small API with its OpenAPI document, sound unless ``flaw`` names what is the matter with it."""

from __future__ import annotations

import json
import re
from typing import Any

from readiness.loopback import Request, Response

ITEM = {
    "type": "object",
    "required": ["name", "price", "kind"],
    "properties": {
        "name": {"type": "string", "minLength": 12},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "kind": {"$ref": "#/components/schemas/Kind"},
    },
}
BODY = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Item"}}}}
ITEM_ID: dict[str, Any] = {"name": "item_id", "in": "path", "required": True}
ITEM_ID["schema"] = {"type": "string", "format": "uuid"}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "paths": {
        "/api/health": {"get": {}},
        "/api/login": {"post": {}},
        "/api/items": {"get": {}, "post": {"requestBody": BODY}},
        "/api/items/{item_id}": {
            "parameters": [ITEM_ID],
            "get": {},
            "put": {"requestBody": BODY},
            "delete": {},
        },
        "/api/report": {"get": {}},
    },
    "components": {"schemas": {"Item": ITEM, "Kind": {"enum": ["book", "lamp"], "type": "string"}}},
}
PAGE = Response(200, [("Content-Type", "text/html")], b"<!doctype html><div id=root></div>")
LOGIN = b'<form action=/login><input name=user><input type="password" name=password></form>'


def _json(status: int, content: Any, headers: list[tuple[str, str]] | None = None) -> Response:
    sent = [("Content-Type", "application/json"), *(headers or [])]
    return Response(status, sent, json.dumps(content).encode())


REFUSED = _json(401, {"detail": "who are you?"}, [("WWW-Authenticate", "Bearer")])
NOT_THERE = _json(404, {"detail": "Not Found"})


def _is_item(body: bytes) -> bool:
    try:
        item = json.loads(body)
    except ValueError:
        return False
    good = isinstance(item, dict) and item.get("kind") in ("book", "lamp")
    return good and len(item.get("name", "")) >= 12 and item.get("price", 0) > 0


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw = options["flaw"]
    options["asked"] = options.get("asked", 0) + 1
    if flaw == "gate":
        return _json(403, {"error": "blocked"})
    if flaw == "limiter" and options["asked"] > 4:
        return _json(429, {"detail": "slow down"})
    if request.path == "/openapi.json":
        if flaw == "collection delete":
            paths = DOCUMENT["paths"] | {"/api/sessions": {"delete": {}}}
            return _json(200, DOCUMENT | {"paths": paths})
        return _json(200, DOCUMENT)
    if request.path == "/api/health":
        return _json(200, {"status": "ok"})
    path = request.path.rstrip("/")
    known = re.fullmatch(r"/api/(items|report|sessions|items/[0-9a-f-]{36})", path)
    if not known:
        return PAGE if flaw == "catch-all" else REFUSED if flaw == "deny by default" else NOT_THERE
    return _protected(request, flaw)


def _protected(request: Request, flaw: str) -> Response:
    """What somebody without credentials gets; nobody here has any."""
    if flaw == "takes any bearer" and request.headers.get("authorization"):
        return _json(200, [])
    if flaw == "hidden method" and request.method == "PATCH":
        return _json(200, {"changed": True})
    path, slashed = request.path.rstrip("/"), request.path.endswith("/")
    place = f"{request.method} {'/api/items/{}' if path.count('/') > 2 else path}"
    match flaw, place:
        case "forgotten list", "GET /api/items":
            return _json(200, [{"id": 1, "name": "the first item"}])
        case "forgotten item", "GET /api/items/{}":
            return _json(404, {"detail": "no such item"})
        case "forgotten post", "POST /api/items":
            return _json(201 if _is_item(request.body) else 422, {})
        case "forgotten put", "PUT /api/items/{}":
            return _json(404 if _is_item(request.body) else 422, {"detail": "no such item"})
        case "forgotten delete", "DELETE /api/items/{}":
            return Response(204)
        case "forgotten behind a slash", "GET /api/items/{}" if not slashed:
            return Response(307, [("Location", f"{request.path}/")])
        case "forgotten behind a slash", "GET /api/items/{}":
            return _json(200, {"id": 1})
        case "asks late", ("POST /api/items" | "PUT /api/items/{}") if not _is_item(request.body):
            return _json(422, {"detail": "name is missing"})
        case "forbids", _:
            return _json(403, {"detail": "no"})
        case "redirects", _:
            return Response(302, [("Location", "/accounts/login/?next=/api")])
        case "slashes", _ if not slashed and request.method == "GET":
            return Response(308, [("Location", f"http://127.0.0.1{request.path}/")])
        case "catch-all", _ if request.method == "GET":
            return PAGE
        case "login form", "GET /api/report":
            return Response(200, [("Content-Type", "text/html")], LOGIN)
        case "hides", "GET /api/report":
            return NOT_THERE
        case "csrf", _ if request.method != "GET":
            return _json(403, {"message": "'_xsrf' argument missing from POST"})
        case "never content", "POST /api/items":
            return _json(422, {"detail": "no"})
        case "stub", "GET /api/report":
            return _json(501, {"detail": "not yet"})
        case "breaks", "GET /api/report":
            return _json(500, {"detail": "oops"})
    return REFUSED
