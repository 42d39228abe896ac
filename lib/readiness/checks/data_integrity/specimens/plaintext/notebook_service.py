"""A small service that keeps notes encrypted, and the ways in which one of them gets out."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from functools import cache
from typing import Any

import psycopg
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from readiness.loopback import Request, Response

TOKEN = "Bearer the-canary-may-write"

# What each flaw does with a note beside storing it; %(note)s is the note in clear.
COPIES = {
    "json": "INSERT INTO log (details) VALUES (jsonb_build_object('was', ARRAY[%(note)s]))",
    "array": "INSERT INTO log (words) VALUES (ARRAY['note', 'I said: ' || %(note)s])",
    "bytes": "INSERT INTO log (raw) VALUES (convert_to('note: ' || %(note)s || '!', 'UTF8'))",
    "hexadecimal": "INSERT INTO log (line) VALUES (encode(%(note)s::bytea, 'hex'))",
    "base64": "INSERT INTO log (line) VALUES (encode(('user:' || %(note)s)::bytea, 'base64'))",
    "upper": "INSERT INTO log (line) VALUES (upper(%(note)s))",
    "index": "INSERT INTO log (words) VALUES (tsvector_to_array(to_tsvector('english', %(note)s)))",
    "elsewhere": 'INSERT INTO hidden."Old Log" VALUES (%(note)s)',
    "update": "UPDATE log SET line = %(note)s WHERE id = 1",
}


@cache
def _key() -> bytes:
    salt = b"pepper and salt".ljust(32, b"\0")
    return PBKDF2HMAC(SHA256(), 32, salt, 1_000).derive(b"correct horse battery staple")


def _sealed(text: str) -> str:
    nonce = os.urandom(12)
    return "ENC4:" + b64encode(nonce + AESGCM(_key()).encrypt(nonce, text.encode(), None)).decode()


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw = options["flaw"]
    if flaw == "catch-all":
        return Response(200, [("Content-Type", "text/html")], b"<!doctype html><div id=app></div>")
    if flaw == "limited":
        return Response(429, body=b"slow down")
    if request.headers.get("authorization") != TOKEN:
        return Response(401, body=b"who are you?")
    with psycopg.connect(options["SPECIMEN_DATABASE_URL"]) as database:
        if request.method == "POST" and request.path == "/notes":
            body = json.loads(request.body)
            try:
                identifier = _write(database, body["text"]["note"], body["title"], flaw)
            except psycopg.errors.UniqueViolation:
                return Response(409)
            return Response(201, body=json.dumps({"note": {"id": identifier}}).encode())
        if request.method == "DELETE" and flaw != "no-removal":
            return _remove(database, request.path.rsplit("/", 1)[1], flaw)
    return Response(405)


def _write(database: psycopg.Connection, note: str, title: str, flaw: str) -> str:
    if flaw == "forgets":
        return "1"
    stored = note if flaw == "clear" else _sealed(note)
    query = "INSERT INTO notes (title, note) VALUES (%s, %s) RETURNING id::text"
    row = database.execute(query, (title, stored)).fetchone()
    if copy := COPIES.get(flaw):
        database.execute(copy, {"note": note})
    assert row
    return str(row[0])


def _remove(database: psycopg.Connection, identifier: str, flaw: str) -> Response:
    if flaw == "deletion-log":
        database.execute("INSERT INTO log (line) SELECT 'deleted ' || title FROM notes")
        database.execute("UPDATE log SET details = '{}' WHERE line LIKE 'deleted%'")
        database.execute("INSERT INTO log (line) VALUES (%s)", (_opened(database, identifier),))
    database.execute("DELETE FROM notes WHERE id::text = %s", (identifier,))
    return Response(204)


def _opened(database: psycopg.Connection, identifier: str) -> str:
    from base64 import b64decode

    row = database.execute("SELECT note FROM notes WHERE id::text = %s", (identifier,)).fetchone()
    assert row
    raw = b64decode(str(row[0]).removeprefix("ENC4:"))
    return AESGCM(_key()).decrypt(raw[:12], raw[12:], None).decode()
