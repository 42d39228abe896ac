"""A small shelf of things that are deleted softly, and the ways in which that goes wrong."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

import psycopg
from readiness.loopback import Request, Response

TOKEN = "Bearer a-reader"
_cache: dict[str, bytes] = {}


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw = options["flaw"]
    if flaw == "catch-all":
        return Response(200, [("Content-Type", "text/html")], b"<!doctype html><div id=app></div>")
    if request.headers.get("authorization") != TOKEN:
        return Response(401, body=b"who are you?")
    path, query = request.path, unquote(request.query)
    with psycopg.connect(options["SPECIMEN_DATABASE_URL"], autocommit=True) as database:
        rows = "SELECT id, name FROM things" + " WHERE deleted_at IS NULL" * (flaw != "listed")
        if request.method == "POST":
            name = json.loads(request.body)["name"]
            made = "INSERT INTO things (name) VALUES (%s) RETURNING id"
            return _said(201, {"id": database.execute(made, (name,)).fetchall()[0][0]})
        if request.method == "DELETE":
            sql = "DELETE FROM things" if flaw == "hard" else "UPDATE things SET deleted_at = now()"
            if flaw != "forgets":
                database.execute(sql + " WHERE id::text = %s", (path.rsplit("/", 1)[1],))
            return Response(204)
        if path == "/things/count":
            counted = "SELECT count(*) FROM things" + " WHERE deleted_at IS NULL" * (
                flaw != "counted"
            )
            return _said(200, {"things": {"total": database.execute(counted).fetchall()[0][0]}})
        if path == "/things":
            name = query.partition("name=")[2]
            found = database.execute(rows).fetchall()
            if flaw == "short-list":
                found = found[:1]
            listed = [{"id": i, "name": n} for i, n in found if not name or n == name]
            return _said(200, {"items": listed})
        identifier = path.rsplit("/", 1)[1]
        if flaw == "cached" and identifier in _cache:
            return Response(200, [("Content-Type", "application/json")], _cache[identifier])
        where = "id::text = %s" + " AND deleted_at IS NULL" * (flaw != "by-id")
        row = database.execute(
            f"SELECT id, name FROM things WHERE {where}", (identifier,)
        ).fetchone()
        if row is None:
            return _said(404, {"detail": "no such thing"})
        _cache[identifier] = json.dumps({"id": row[0], "name": row[1]}).encode()
        return Response(200, [("Content-Type", "application/json")], _cache[identifier])


def _said(status: int, body: Any) -> Response:
    return Response(status, [("Content-Type", "application/json")], json.dumps(body).encode())
