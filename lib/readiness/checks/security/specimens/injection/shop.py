"""A small shop on SQLite, with bound parameters unless ``flaw`` says what is wrong with it."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from readiness.loopback import Request, Response

TEXT = {"type": "string"}
NAME = [{"name": "name", "in": "query", "required": True, "schema": TEXT, "example": "anvil"}]
NUMBER = [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}]
BODY = {"application/json": {"schema": {"type": "object", "properties": {"name": TEXT}}}}
DOCUMENT = {
    "openapi": "3.1.0",
    "paths": {
        "/items": {"get": {"parameters": NAME}, "post": {"requestBody": {"content": BODY}}},
        "/items/{id}": {"get": {"parameters": NUMBER}, "delete": {"parameters": NUMBER}},
    },
}
JSON = [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]


def _database() -> sqlite3.Connection:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE item (id INTEGER, name TEXT)")
    database.execute("INSERT INTO item VALUES (1, 'anvil'), (2, 'bell')")
    return database


def answer(request: Request, options: dict[str, str]) -> Response:
    flaw = options["flaw"]
    if request.path == "/openapi.json":
        return Response(200, JSON, json.dumps(DOCUMENT).encode())
    if flaw == "limiter":
        return Response(429, [("Retry-After", "600")])
    if flaw == "guard":
        return Response(401, JSON, b"{}")
    if request.method == "DELETE":
        return Response(204)
    if request.path.startswith("/items/"):
        return _one(unquote(request.path.removeprefix("/items/")), flaw)
    if request.path != "/items":
        said = unquote(request.path) if flaw == "markup on the error page" else "Not found"
        return Response(404, [("Content-Type", "text/html")], f"<p>{said}</p>".encode())
    if request.method == "POST":
        name = json.loads(request.body or b"{}").get("name")
        if not isinstance(name, str):
            return Response(422, JSON, b"{}")
        if flaw == "insert":
            try:
                _database().execute(f"INSERT INTO item VALUES (3, '{name}')")
            except sqlite3.Error:
                return Response(500, JSON, b'{"detail": "Internal error"}')
        return Response(201, JSON, b'{"id": 3}')
    return _search(parse_qs(request.query, keep_blank_values=True).get("name", [""])[0], flaw)


def _search(name: str, flaw: str) -> Response:
    if flaw == "command" and (told := re.search(r"\$\(sleep ([\d.]+)\)", name)):
        time.sleep(float(told[1]))
    if flaw == "template" and (sum_of := re.search(r"\{\{(\d+)\*(\d+)\}\}", name)):
        name = name.replace(sum_of[0], str(int(sum_of[1]) * int(sum_of[2])))
        return Response(200, JSON, json.dumps({"for": name}).encode())
    if flaw == "file" and "../" in name and Path("/", name.lstrip("./")).is_file():
        return Response(200, JSON, json.dumps(Path("/", name.lstrip("./")).read_text()).encode())
    if flaw.startswith("markup"):
        policy = [("Content-Security-Policy", "default-src 'none'")] if "policy" in flaw else []
        return Response(200, [("Content-Type", "text/html"), *policy], f"<p>{name}</p>".encode())
    if flaw == "escaped":
        page = f"<p>{html.escape(name)}</p>".encode()
        return Response(200, [("Content-Type", "text/html")], page)
    query: tuple[Any, ...] = ("SELECT id FROM item WHERE name = ?", (name,))
    if flaw in ("error", "condition", "sleep"):
        query = (f"SELECT id FROM item WHERE name = '{name}'",)
    try:
        rows = _database().execute(*query).fetchall()
    except sqlite3.Error as broke:
        if flaw == "error":
            return Response(
                200, JSON, json.dumps({"detail": f"sqlite3.{type(broke).__name__}Error"}).encode()
            )
        rows = []
    return Response(
        200, JSON, json.dumps([] if flaw == "sleep" else [{"id": i} for (i,) in rows]).encode()
    )


def _one(identifier: str, flaw: str) -> Response:
    if flaw == "number":
        try:
            rows = _database().execute(f"SELECT name FROM item WHERE id = {identifier}").fetchall()
        except sqlite3.Error:
            rows = []
    elif identifier.isdecimal():
        rows = _database().execute("SELECT name FROM item WHERE id = ?", (identifier,)).fetchall()
    else:
        return Response(422, JSON, b"{}")
    return Response(
        200 if rows else 404, JSON, json.dumps({"found": [n for (n,) in rows]}).encode()
    )
