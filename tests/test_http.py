"""The HTTP client at its seams: bounded in pace, number, size and time, and always who it was."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from typing import Any

import pytest
from readiness.finding import NotMeasured, Reason
from readiness.loopback import Request, Response, serve
from readiness.parameters import validated
from readiness.sources.client import client, covers, excluded
from readiness.target import Target


def target_at(url: str, permit: tuple[str, ...] = ("passive",), **http: Any) -> Target:
    raw = {"name": "x", "http": {"base_url": url, "requests_per_minute": 1_000_000, **http}}
    return validated(Target, raw, "test", {}, specimen=True).allowing(permit)


@contextmanager
def raw_service(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A service that says whatever ``talk`` writes to the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, suppress(OSError):
                        connection.recv(65_536)
                        talk(connection)

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def drip(text: bytes) -> Callable[[socket.socket], None]:
    """Say ``text``, then a byte every 50 ms without end."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(text)
        while True:
            connection.sendall(b"a")
            time.sleep(0.05)

    return talk


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Long: ", None),  # headers that never end
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", 200),  # a body without end
        (b"", None),  # no answer, only bytes
    ],
)
def test_an_answer_that_comes_drop_by_drop_is_given_up_in_time(said: bytes, status: int | None):
    with raw_service(drip(said)) as url, client(target_at(url, timeout_s=0.4)) as http:
        started = time.monotonic()
        exchange = http.send("GET", "/")
    assert time.monotonic() - started < 1.5
    assert exchange.status == status
    assert "0.4 s" in (exchange.error or "") or "RemoteProtocolError" in (exchange.error or "")
    assert http.ledger[0]["error"] == exchange.error


def test_a_body_is_read_up_to_its_bound():
    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65_536)

    with raw_service(flood) as url, client(target_at(url, max_body_bytes=1000)) as http:
        exchange = http.send("GET", "/")
    assert (exchange.status, len(exchange.body), exchange.error) == (200, 1000, None)


def test_what_is_no_http_and_what_is_closed_is_an_error_and_not_an_exception():
    with (
        raw_service(lambda c: c.sendall(b"220 mail.example.org ESMTP\r\n")) as url,
        client(target_at(url)) as http,
    ):
        exchange = http.send("GET", "/")
        assert exchange.status is None
        assert exchange.error
        assert exchange.json() is None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with client(target_at(closed)) as http:
        assert "Connection refused" in (http.send("GET", "/").error or "")


def test_requests_keep_their_pace():
    with (
        serve(lambda r: Response(200)) as url,
        client(target_at(url, requests_per_minute=1200)) as http,
    ):
        started = time.monotonic()
        for _ in range(6):
            http.send("GET", "/")
        took = time.monotonic() - started
    assert 0.24 < took < 10  # five intervals of 50 ms


def limiter(header: str, closed_for: int) -> Callable[[Request], Response]:
    asked = iter(range(1000))

    def answer(request: Request) -> Response:
        return Response(429, [("Retry-After", header)]) if next(asked) < closed_for else Response()

    return answer


def test_a_rate_limiter_that_says_when_is_waited_for():
    with serve(limiter("1", 1)) as url, client(target_at(url)) as http:
        started = time.monotonic()
        assert http.send("GET", "/").status == 200
        assert 0.9 < time.monotonic() - started < 3
        assert [entry["status"] for entry in http.ledger] == [429, 200]
    in_a_second = formatdate(time.time() + 1, usegmt=True)
    with serve(limiter(in_a_second, 1)) as url, client(target_at(url)) as http:
        assert http.send("GET", "/").status == 200


def test_a_rate_limiter_is_not_waited_for_without_end():
    with serve(limiter("0", 100)) as url, client(target_at(url)) as http:
        assert http.send("GET", "/").status == 429
        assert len(http.ledger) == 4  # and three more
    for patience, header in ((0.5, "1"), (300, "soon")):
        with (
            serve(limiter(header, 100)) as url,
            client(target_at(url, max_wait_s=patience)) as http,
        ):
            started = time.monotonic()
            assert http.send("GET", "/").status == 429
            assert time.monotonic() - started < 0.5
            assert len(http.ledger) == 1


def test_a_redirect_is_not_followed():
    away = Response(302, [("Location", "http://127.0.0.1:1/")])
    with serve(lambda r: away) as url, client(target_at(url)) as http:
        exchange = http.send("GET", "/")
    assert exchange.status == 302
    assert exchange.header("location") == "http://127.0.0.1:1/"
    assert len(http.ledger) == 1


def test_a_cookie_of_the_login_does_not_make_later_requests_somebodys():
    seen: list[dict[str, str]] = []

    def answer(request: Request) -> Response:
        seen.append(request.headers)
        return Response(
            200, [("Set-Cookie", "session=of-somebody; Path=/")], b'{"t": {"a": "tok"}}'
        )

    roles = {
        "user": {
            "login": "POST /login",
            "login_as": "form",
            "username_field": "email",
            "username": "somebody@example.org",
            "password": "a password & more",
            "token_field": "t.a",
        }
    }
    with (
        serve(answer) as url,
        client(target_at(url, ("passive", "active"), roles=roles)) as http,
    ):
        assert http.credentials("user") == {"Authorization": "Bearer tok"}
        assert http.credentials("user") == {"Authorization": "Bearer tok"}
        http.send("GET", "/anonymous")
    assert len(seen) == 2  # one login
    assert seen[0]["content-type"] == "application/x-www-form-urlencoded"
    assert "cookie" not in seen[1]
    assert "authorization" not in seen[1]


def test_a_login_that_gives_no_token_says_so_without_the_password():
    roles = {"user": {"login": "POST /login", "username": "somebody", "password": "hunter2hunter2"}}
    with (
        serve(lambda r: Response(401, body=b'["no"]')) as url,
        client(target_at(url, ("active",), roles=roles)) as http,
    ):
        with pytest.raises(NotMeasured, match="POST /login answered 401") as gap:
            http.credentials("user")
        assert "hunter2" not in str(gap.value)
        with pytest.raises(NotMeasured, match=r"target\.http\.roles\.admin is not set"):
            http.credentials("admin")


def test_nothing_is_sent_that_is_not_permitted():
    asked: list[str] = []

    def answer(request: Request) -> Response:
        asked.append(f"{request.method} {request.path}")
        return Response(200)

    with serve(answer) as url:
        with client(target_at(url, never_call=["GET /reset/{id}"])) as http:
            for method, path in (("POST", "/"), ("DELETE", "/x"), ("TRACE", "/")):
                with pytest.raises(NotMeasured, match="add active under permit") as gap:
                    http.send(method, path)
                assert gap.value.reason is Reason.NOT_PERMITTED
            for method, path in (
                ("GET", "/reset/7"),
                ("HEAD", "/reset/7"),
                ("GET", "/reset/7?a=b"),
            ):
                with pytest.raises(NotMeasured, match="never_call"):
                    http.send(method, path)
            for path in ("http://example.org/", "//example.org/", "/a b", "/a\r\nX: y", ""):
                with pytest.raises(ValueError, match="not a path of the target"):
                    http.send("GET", path)
        with client(target_at(url, max_requests=2)) as http:
            http.send("GET", "/1")
            http.send("GET", "/2")
            with pytest.raises(NotMeasured, match="max_requests"):
                http.send("GET", "/3")
    assert asked == ["GET /1", "GET /2"]


def test_the_ledger_and_errors_tell_no_header_and_no_body():
    secret = "a-token\nthat-cannot-be-sent"
    with (
        serve(lambda r: Response(200, body=b"content of the answer")) as url,
        client(target_at(url, ("active",))) as http,
    ):
        sent = http.send("POST", "/", headers={"X-Key": "key-in-clear"}, json={"a": "in clear"})
        broken = [http.send("GET", "/", headers={"X-Key": v}) for v in (secret, "schlüssel☃")]
    assert sent.text == "content of the answer"
    told = json.dumps([http.ledger, [one.error for one in broken]])
    assert all("cannot be sent" in (one.error or "") for one in broken)
    for word in ("key-in-clear", "in clear", "a-token", "content of", "schl"):
        assert word not in told


def test_a_base_url_may_have_a_path_and_a_certificate_file_may_be_missing(tmp_path):
    seen: list[str] = []

    def answer(request: Request) -> Response:
        seen.append(request.path)
        return Response(204)

    with serve(answer) as url, client(target_at(f"{url}/prefix/")) as http:
        http.send("GET", "/x?y=1")
    assert seen == ["/prefix/x"]
    with (
        pytest.raises(NotMeasured, match="ca_file") as gap,
        client(target_at(url, ca_file=str(tmp_path / "none.pem"))),
    ):
        pass
    assert gap.value.reason is Reason.NO_PARAMETER


@pytest.mark.parametrize(
    ("template", "operation", "same"),
    [
        ("GET /users/{id}", "GET /users/7", True),
        ("GET /users/{id}", "GET /users/{user_id}", True),
        ("GET /users/{id}", "GET /users/7/tokens", False),
        ("GET /users/{id}", "DELETE /users/7", False),
        ("GET /a.b", "GET /aXb", False),
        ("GET /a", "GET /a/", False),
    ],
)
def test_an_operation_is_recognised_with_its_values(template: str, operation: str, same: bool):
    assert covers(template, operation) is same
    assert excluded(operation, [template]) is same
