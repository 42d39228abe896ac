"""Run the service: `python -m app.serve --host H --port P --workers N`.

What uvicorn's own command line does, and one thing that it does not: with several workers it leaves
Nagle's algorithm on, and every answer on a kept connection then waits 40 ms for the client's
delayed acknowledgement. Connections inherit the option from the socket that they come in by.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import uvicorn
from uvicorn.supervisors import Multiprocess

LOGGING = Path(__file__).parents[1] / "logging.json"


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="Run the NPS reference API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--behind", default="", help="address of the proxy whose headers to trust")
    given = parser.parse_args()
    config = uvicorn.Config(
        "app.main:app",
        host=given.host,
        port=given.port,
        workers=given.workers,
        log_config=str(LOGGING),
        access_log=False,  # the service writes its own, as JSON and without query strings
        server_header=False,
        proxy_headers=bool(given.behind),
        forwarded_allow_ips=given.behind or None,
        timeout_worker_healthcheck=30,  # a busy machine is no reason to kill a worker
    )
    listener = config.bind_socket()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Multiprocess(config, sockets=[listener]).run()


if __name__ == "__main__":
    main()
