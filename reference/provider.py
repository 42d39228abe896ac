"""The outside provider, simulated: it words answers over HTTP, and can be told to misbehave.

    python provider.py serve PORT CONTROL_PORT
    python provider.py tell CONTROL_PORT normal | slow | down | hanging | rate_limited
    python provider.py tell CONTROL_PORT calls       # how many it has been asked so far

It is told by a port of its own, which answers however the provider itself does.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SITUATIONS = ("normal", "slow", "down", "hanging", "rate_limited")
QUICK_SECONDS, SLOW_SECONDS = 0.03, 0.6
LONGEST_HANG_SECONDS = 120


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Provider:
    """What it does at present, and how often it was asked."""

    def __init__(self, port: int) -> None:
        self.port, self.calls, self.situation = port, 0, "normal"
        self.changed = threading.Condition()
        self._server: Server | None = None
        self._listen()

    def become(self, situation: str) -> None:
        """Change; whoever hangs is let go. Nothing listens while it is down."""
        if self._server and situation == "down":
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        with self.changed:
            self.situation = situation
            self.changed.notify_all()
        if not self._server and situation != "down":
            self._listen()

    def called(self) -> tuple[int, dict[str, Any]]:
        """The answer to one call."""
        with self.changed:
            self.calls += 1
            situation = self.situation
            if situation == "hanging":
                self.changed.wait_for(lambda: self.situation != "hanging", LONGEST_HANG_SECONDS)
        if situation == "rate_limited":
            return 429, {"error": "too many requests"}
        time.sleep(SLOW_SECONDS if situation == "slow" else QUICK_SECONDS)
        return 200, {"text": "Be patient; what is measured twice stands. 🌱 صبر کن."}

    def _listen(self) -> None:
        self._server = Server(("127.0.0.1", self.port), _handler(self, "called"))
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def told(self, word: str) -> tuple[int, dict[str, Any]]:
        """The answer on the port by which it is told."""
        if word in SITUATIONS:
            self.become(word)
        elif word != "calls":
            return 404, {"error": f"one of calls, {', '.join(SITUATIONS)}"}
        return 200, {"situation": self.situation, "calls": self.calls}


def _handler(provider: Provider, role: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told = role == "told"
            status, said = provider.told(self.path[1:]) if told else provider.called()
            body = json.dumps(said).encode()
            with suppress(ConnectionError):  # who asked may have given up
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """It keeps no log."""

    return Handler


def serve(port: int, control_port: int) -> None:
    """Serve until killed."""
    Server(("127.0.0.1", control_port), _handler(Provider(port), "told")).serve_forever()


def tell(control_port: int, word: str) -> dict[str, Any]:
    """Tell it what to do, or ask for its count; returns its situation and its calls."""
    url = f"http://127.0.0.1:{control_port}/{word}"
    with urllib.request.urlopen(urllib.request.Request(url, b""), timeout=10) as answer:
        return dict(json.load(answer))


def main() -> None:
    """The command line."""
    match sys.argv[1:]:
        case ["serve", port, control_port]:
            serve(int(port), int(control_port))
        case ["tell", control_port, word]:
            said = tell(int(control_port), word)
            print(said["calls"] if word == "calls" else said["situation"])
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
