"""A service that writes down who came and went, sound unless ``flaw`` says how it does not."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from readiness.loopback import Request, Response


def _json(status: int, content: Any = None) -> Response:
    body = json.dumps(content or {}).encode()
    return Response(status, [("Content-Type", "application/json")], body)


def answer(request: Request, options: dict[str, Any]) -> Response:
    known = options.setdefault("known", {"chief": "its-own-password"})
    body = json.loads(request.body or b"{}")
    who = request.headers.get("authorization", "").removeprefix("Bearer token-of-")
    match request.method, request.path:
        case "POST", "/login":
            good = known.get(body["username"]) == body["password"]
            _write(options, body["username"], "login" if good else "login failed")
            token = {"access_token": f"token-of-{body['username']}"}
            return _json(200, token) if good else _json(401)
        case "POST", "/accounts":
            known[body["name"]] = body["secret"]
            _write(options, who, f"made {body['name']}")
            return _json(201, {"id": body["name"]})
        case "DELETE", path:
            known.pop(path.rpartition("/")[2], None)
            return _json(204)
        case "GET", "/chief":
            _write(options, who, "denied")
            return _json(403)
        case "POST", "/logout":
            _write(options, who, "logout")
            return _json(200)
    return _json(404)


def _write(options: dict[str, Any], who: str, what: str) -> None:
    flaw = options["flaw"]
    if flaw == f"forgets {what}":
        return
    actor = None if flaw == "no actor" and what == "denied" else who
    action = "login" if flaw == "failures look alike" and what == "login failed" else what
    where = "somewhere" if flaw == "no address" else "192.0.2.7"
    at = "now() - interval '1 hour'" if flaw == "late clock" else "now()"
    with psycopg.connect(options["SPECIMEN_DATABASE_URL"], autocommit=True) as database:
        database.execute(
            f'INSERT INTO hidden."Trail" (at, actor, action, address, note) VALUES ({at}, '
            "%s, %s, %s, %s)",
            (actor, action, where, f"{who} {what}"),
        )
