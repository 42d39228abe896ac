"""A small HTTP service on loopback, for specimens: what it answers is a function of the request."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LARGEST_BODY = 1_000_000  # bytes of a request that are read


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    headers: dict[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True)
class Response:
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    delay_s: float = 0.0


Answer = Callable[[Request], Response]


def routes(table: list[dict[str, Any]]) -> Answer:
    """Answer from a table of ``{match, status, headers, body, delay_s}``; the first match wins.

    ``match`` is ``GET /path`` with * and ?; ``headers`` a mapping, or a list of pairs where one
    must be sent twice.
    """

    def answer(request: Request) -> Response:
        for route in table:
            if fnmatchcase(f"{request.method} {request.path}", route.get("match", "*")):
                given = route.get("headers", {})
                pairs = list(given.items()) if isinstance(given, dict) else given
                headers = [(str(name), str(value)) for name, value in pairs]
                body = str(route.get("body", "")).encode()
                return Response(
                    route.get("status", 200), headers, body, float(route.get("delay_s", 0))
                )
        return Response(404, body=b"not found")

    return answer


@contextmanager
def serve(answer: Answer) -> Iterator[str]:
    """Serve ``answer`` on a free loopback port; yields the base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10
        wbufsize = 65_536  # head and body leave together: apart, the second waits 40 ms for an ACK
        disable_nagle_algorithm = True

        def handle_one_request(self) -> None:
            with suppress(ConnectionError, TimeoutError):
                super().handle_one_request()

        def _respond(self) -> None:
            length = min(int(self.headers.get("Content-Length") or 0), LARGEST_BODY)
            url = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, url.path, url.query, headers, self.rfile.read(length))
            response = answer(request)
            if response.delay_s:
                time.sleep(response.delay_s)
            self.send_response_only(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(response.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(response.body)

        def log_message(self, format: str, *args: Any) -> None:
            """A specimen keeps no access log."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        setattr(Handler, f"do_{method}", Handler._respond)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128  # users that come all at once are let in, and not after a second

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
