"""The handshake of a WebSocket as a door: a real server that holds it shut, or does not."""

from __future__ import annotations

import http
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import jwt
import pytest
from readiness.check import catalogue
from readiness.finding import Status
from readiness.sources.authentication import attempts
from test_http import target_at
from websockets.sync.server import ServerConnection, serve

KEY = "the-key-of-this-service-0123456789"


def verified(token: str | None, flaw: str) -> bool:
    if flaw == "takes none" and token is None:
        return True
    options = {"verify_signature": False} if flaw == "signature ignored" else {"require": ["exp"]}
    try:
        jwt.decode(token or "", KEY, algorithms=["HS256"], options=options)
    except jwt.InvalidTokenError:
        return False
    return True


@contextmanager
def service(flaw: str) -> Iterator[str]:
    """One port that answers GET /me by bearer and opens /live by the token in the query."""

    def answer(connection: ServerConnection, request):
        path, _, query = request.path.partition("?")
        if path == "/me":
            bearer = request.headers.get("Authorization", "").removeprefix("Bearer").strip()
            good = verified(bearer, "")
            return connection.respond(
                http.HTTPStatus.OK if good else http.HTTPStatus.UNAUTHORIZED, ""
            )
        if path != "/live" or flaw == "not there":
            return connection.respond(http.HTTPStatus.NOT_FOUND, "")
        connection.token = query.removeprefix("token=") or None
        if flaw != "hangs up" and not verified(connection.token, flaw):
            return connection.respond(http.HTTPStatus.FORBIDDEN, "")
        return None

    def live(connection: ServerConnection) -> None:
        if flaw == "hangs up" and not verified(connection.token, ""):
            return connection.close(1008)
        connection.send("hello")
        for _ in connection:
            pass

    with serve(live, "127.0.0.1", 0, process_request=answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("flaw", "status", "said"),
    [
        ("none", Status.PASS, "the WebSocket /live likewise; its token stands in the query"),
        ("hangs up", Status.PASS, "likewise"),
        ("takes none", Status.FAIL, "no credential (cold)"),
        ("signature ignored", Status.FAIL, "alg none"),
        ("not there", Status.NOT_MEASURED, "at the WebSocket /live got 404 when valid"),
    ],
)
def test_a_websocket_is_tried_like_every_other_door(flaw, status, said):
    claims = {"sub": "someone", "exp": int(time.time()) + 1800}
    with service(flaw) as url:
        target = target_at(
            url,
            permit=("passive", "active"),
            roles={"user": {"credential": jwt.encode(claims, KEY, "HS256")}},
            authentication={
                "protected": "GET /me",
                "signing_key": KEY,
                "websocket": {"path": "/live"},
            },
        )
        evidence = attempts(target)
    check = catalogue("security")["SEC-AUTHN"]
    judgement = check.assess([evidence], check.criteria())
    assert judgement.status is status, judgement.observed
    assert said in judgement.observed
    asked = [r for r in evidence.facts["requests"] if r["operation"] == "GET /live (WebSocket)"]
    assert asked
    assert not any("token" in r["path"] for r in asked)
