"""The handshake of a WebSocket as a door: who is let in, and who is turned away or hung up on.

A service may refuse with an HTTP status, or accept and close at once (RFC 6455 7.4: code 1008).
"""

from __future__ import annotations

import ssl
import time
from urllib.parse import quote

from ..target import WebSocket
from .client import Client, Exchange

SETTLE_S = 0.4  # an accepted connection that is not closed by then has been let in
LARGEST_MESSAGE = 65_536  # bytes


def handshake(http_client: Client, wanted: WebSocket, token: str | None) -> Exchange:
    """Open a connection with this token, or with none, and see whether it is let in.

    ``status`` is 101 when it was, the HTTP status when the handshake was refused, the code of the
    close frame when it was closed right after, and None with ``error`` when nothing came of it.
    """
    from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
    from websockets.sync.client import connect
    from websockets.typing import Origin, Subprotocol

    path, headers, protocols = _parts(wanted, token)
    base = http_client.http.base_url.value().rstrip("/")
    url = base.replace("http", "ws", 1) + path
    secure = url.startswith("wss:")
    http_client.admit("GET", wanted.path)
    started = time.perf_counter()
    status: int | None = None
    error = ""
    try:
        with connect(
            url,
            additional_headers=headers,
            origin=Origin(base),
            subprotocols=[Subprotocol(p) for p in protocols] or None,
            open_timeout=http_client.http.timeout_s,
            close_timeout=1,
            max_size=LARGEST_MESSAGE,
            proxy=None,
            ssl=http_client.trust if secure else None,
        ) as connection:
            status = 101
            try:
                connection.recv(timeout=SETTLE_S)
            except TimeoutError:
                pass  # it has nothing to say, and did not hang up
            except ConnectionClosed as closed:
                status = closed.rcvd.code if closed.rcvd else 1006
    except InvalidStatus as refused:
        status = refused.response.status_code
    except (OSError, ssl.SSLError, WebSocketException, ValueError, EOFError) as broke:
        error = type(broke).__name__ if status is None else ""
    elapsed = (time.perf_counter() - started) * 1000
    exchange = Exchange("GET", wanted.path, status, elapsed_ms=elapsed, error=error or None)
    http_client.note(exchange, f"GET {wanted.path.split('?')[0]} (WebSocket)", timed=False)
    return exchange


def _parts(wanted: WebSocket, token: str | None) -> tuple[str, dict[str, str], list[str]]:
    """The path, the headers and the subprotocols that carry a token."""
    if wanted.token_in == "protocol":
        return wanted.path, {}, [wanted.name, token] if token else [wanted.name]
    if token is None:
        return wanted.path, {}, []
    if wanted.token_in == "header":
        return wanted.path, {wanted.name: f"{wanted.scheme} {token}".strip()}, []
    mark = "&" if "?" in wanted.path else "?"
    return f"{wanted.path}{mark}{wanted.name}={quote(token, safe='')}", {}, []
