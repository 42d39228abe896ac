"""A service that means harm: every source comes back in time, with little memory, and says so."""

import gzip
import json
import time

import psutil
import pytest
from readiness.finding import Status
from readiness.sources import cookies, cors, http, leaks, probes
from test_http import raw_service, target_at

ALLOWED_GROWTH = 80_000_000  # bytes, with a limit of 2 MB on each body
TIMEOUT_S = 0.3
OPENAPI = {
    "openapi": "3.1.0",
    "paths": {"/x": {"get": {"parameters": [{"name": "q", "in": "query", "schema": {}}]}}},
}
SOURCES = [http.response_classes, cookies.at_login, leaks.provoked, probes.parameters, cors.answers]
EVIL = b"<script>alert(1)</script>\x1b[2J\x1b]0;x\x07\x00\xff\xfe \xed\xa0\x80"
OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


def once(answer):
    def talk(connection):
        connection.sendall(answer)

    return talk


def endless(head, piece, pause=0.0):
    def talk(connection):
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return talk


def bomb(encoding):
    if encoding == "gzip":
        packed = gzip.compress(b"\0" * 300_000_000, 9)
    else:
        import brotli

        packed = brotli.compress(b"\0" * 300_000_000, quality=5)
    head = OK + b"Content-Type: text/html\r\nContent-Encoding: %s\r\n" % encoding.encode()
    return once(head + b"Content-Length: %d\r\n\r\n" % len(packed) + packed)


CASES = {
    "markup, escapes and NULs": once(OK + b"X-A: <script>\x1b[2J\r\n\r\n" + EVIL),
    "half a character in JSON": once(
        OK + b'Content-Type: application/json\r\n\r\n{"detail": "\\ud800", "id": "\\ud800"}'
    ),
    "fifty megabytes": endless(OK + b"Content-Length: 50000000\r\n\r\n", b"x" * 1_000_000),
    "a stream without end": endless(OK + b"Content-Type: text/html\r\n\r\n", b"<p>" * 10_000),
    "a byte now and then": endless(OK + b"X-Slow: ", b"a", 0.05),
    "a redirect to itself": once(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "a gzip bomb": bomb("gzip"),
    "a brotli bomb": bomb("br"),
    "ten thousand headers": once(OK + b"X-A: a\r\n" * 10_000 + b"\r\n"),
    "one header of a megabyte": once(OK + b"X-A: " + b"a" * 1_000_000 + b"\r\n\r\n"),
    "a line break within a header": once(OK + b"X-A: a\r\n Set-Cookie: b=1\r\n\nX-B: c\r\n\r\n"),
    "HTTP/1.0 and no length": once(b"HTTP/1.0 200 OK\r\n\r\n" + EVIL),
    "no HTTP at all": once(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "a status of its own": once(b"HTTP/1.1 999 \x1b[31m\r\n\r\n"),
    "nothing": once(b""),
    "JSON without end": endless(OK + b"Content-Type: application/json\r\n\r\n", b"[" * 100_000),
    "packed, but not really": once(OK + b"Content-Encoding: gzip\r\n\r\nnot gzip"),
}


@pytest.mark.parametrize("name", CASES)
def test_every_source_comes_back(name, tmp_path):
    (tmp_path / "openapi.json").write_text(json.dumps(OPENAPI))
    process, started = psutil.Process(), time.monotonic()
    before = process.memory_info().rss
    with raw_service(CASES[name]) as url:
        target = target_at(
            url,
            ("passive", "active"),
            timeout_s=TIMEOUT_S,
            max_requests=25,
            max_wait_s=0,
            openapi=str(tmp_path / "openapi.json"),
            roles={"user": {"login": "POST /login", "username": "x", "password": "y"}},
        )
        found = {source.name: source(target) for source in SOURCES}
    assert process.memory_info().rss - before < ALLOWED_GROWTH
    assert time.monotonic() - started < 25 * TIMEOUT_S + 15
    for evidence in found.values():
        assert evidence.problem is None or evidence.problem.status is not Status.ERROR, evidence
        evidence.to_json().encode()  # half characters and all
        assert len(evidence.to_json()) < 10_000_000
    assert sum(e.facts.get("requests_sent", 0) for e in found.values()) <= 25
