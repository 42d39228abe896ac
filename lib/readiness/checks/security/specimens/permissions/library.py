"""A service with three roles and books that belong to somebody, sound unless ``flaw`` says not."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import uuid4

from readiness.loopback import Request, Response

USERS = {"anna": ["read", "write"], "bert": ["read", "write"], "rosa": ["read"]}
ITEM = {"name": "id", "in": "path", "required": True, "schema": {"format": "uuid"}}
BODY = {"required": ["title"], "type": "object", "properties": {"title": {"type": "string"}}}


def _operation(scope: str, body: bool = False) -> dict[str, Any]:
    asked: dict[str, Any] = {"security": [{"bearer": [scope]}]}
    if body:
        asked["requestBody"] = {"content": {"application/json": {"schema": BODY}}}
    return asked


DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/books": {"get": _operation("read"), "post": _operation("write", body=True)},
        "/books/{id}": {
            "parameters": [ITEM],
            "get": _operation("read"),
            "put": _operation("write", body=True),
            "delete": _operation("write"),
        },
    },
}


def _json(status: int, content: Any = None) -> Response:
    body = json.dumps({"said": "no"} if content is None else content).encode()
    return Response(status, [("Content-Type", "application/json")], body)


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw, method = options["flaw"], request.method
    if request.path == "/openapi.json":
        return _json(200, DOCUMENT)
    who = request.headers.get("authorization", "").removeprefix("Bearer token-of-")
    if who not in USERS or flaw == "refuses all":
        return _json(401)
    found = re.fullmatch(r"/books(?:/([0-9a-f-]{36}))?", request.path)
    if not found:
        return _json(404, {"detail": "no such page"})
    scope = "read" if method == "GET" else "write"
    forgotten = flaw == "reader may delete" and method == "DELETE"
    if scope not in USERS[who] and not forgotten:
        return _json(404, {"detail": "no such page"}) if flaw == "hides" else _json(403)
    if flaw == "too strict" and who == "bert" and method == "PUT":
        return _json(403)
    return _books(request, options, who, found[1])


def _books(request: Request, options: dict[str, Any], who: str, identifier: str) -> Response:
    flaw, books = options["flaw"], options.setdefault("books", {})
    try:
        title = json.loads(request.body or b"{}").get("title")
    except ValueError:
        return _json(422)
    if not identifier:
        if request.method == "GET":
            mine = [b for b in books.values() if b["of"] == who or flaw == "lists all"]
            return _json(200, mine)
        if not title:
            return _json(422)
        made = str(uuid4())
        books[made] = {"id": made, "of": who, "title": title}
        return _json(201, books[made])
    book = books.get(identifier)
    method = {"GET": "reads", "PUT": "changes", "DELETE": "deletes"}.get(request.method, "")
    if book is None or (book["of"] != who and flaw != f"{method} others"):
        return _json(404)
    if request.method == "DELETE":
        return _json(200, books.pop(identifier))
    if request.method == "PUT" and flaw != "says yes":
        book["title"] = title
    return _json(200, book)
