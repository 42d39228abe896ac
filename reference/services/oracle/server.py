"""The oracle service: engines will move here. Today it serves its metrics and nothing else."""

from __future__ import annotations

import signal
import threading

from prometheus_client import Gauge, start_http_server

READY = Gauge("oracle_engines_ready", "Engines that can answer.")


def main() -> None:
    """Serve /metrics until told to stop."""
    READY.set(0)
    start_http_server(9090)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    stop.wait()


if __name__ == "__main__":
    main()
