"""What the target needs while it is under load: memory, descriptors, CPU, database connections."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil

from ...finding import NotMeasured
from ...target import Target
from ..database import session

LONGEST_S = 0.5  # between two looks
LOOKS = 40  # in a short run
LOCAL = ("127.0.0.1", "::1", "localhost")
FROM_METRICS = {
    "process_resident_memory_bytes": "rss_bytes",
    "process_open_fds": "descriptors",
}
ACTIVITY = """
SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS connections,
       count(*) FILTER (WHERE state = 'active') AS active,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS waiting_for_locks,
       current_setting('max_connections')::int AS connections_allowed
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

Look = Callable[[], dict[str, Any]]


class Watch:
    """Rows of what was seen, twice a second or oftener, while the block of ``watching`` runs."""

    def __init__(self, looks: list[Look], memory_from: str, every_s: float) -> None:
        self.rows: list[dict[str, Any]] = []
        self.memory_from = memory_from
        self._looks = looks
        self._every_s = every_s
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._every_s):
            row: dict[str, Any] = {"at": time.time()}
            for look in self._looks:
                with suppress(Exception):  # one that fails for a moment leaves a gap in its columns
                    row |= look()
            self.rows.append(row)

    def end(self) -> None:
        self._over.set()


def interval_s(seconds: float) -> float:
    """The time between two looks at a run that lasts so long."""
    return min(LONGEST_S, seconds / LOOKS)


@contextmanager
def watching(target: Target, seconds: float) -> Iterator[Watch]:
    """Watch whatever of the target can be seen from here, for about so long."""
    with ExitStack() as stack:
        looks: list[Look] = []
        seen_from = ""
        for name, make in (
            ("/proc", _processes),
            ("container", _container),
            ("/metrics", _metrics),
        ):
            look = make(target, stack)
            if look and not seen_from:
                looks.append(look)
                seen_from = name
        with suppress(NotMeasured):
            database = stack.enter_context(session(target))
            looks.append(lambda: database.rows(ACTIVITY)[0])
        watch = Watch(looks, seen_from, interval_s(seconds))
        thread = threading.Thread(target=watch.run, daemon=True)
        thread.start()
        try:
            yield watch
        finally:
            watch.end()
            thread.join(10)


def _processes(target: Target, stack: ExitStack) -> Look | None:
    """The processes on this machine that listen at the base URL, with their children."""
    url = urlsplit(target.http.base_url.value()) if target.http else None
    pid_file = target.load.pid_file if target.load else None
    roots: list[psutil.Process] = []
    with suppress(psutil.Error, OSError, ValueError):
        if pid_file:
            roots = [psutil.Process(int(Path(pid_file.value()).read_text()))]
        elif url and url.hostname in LOCAL:
            port = url.port or (443 if url.scheme == "https" else 80)
            roots = [process for process in psutil.process_iter() if _listens(process, port)]
    own = psutil.Process()
    if not roots or any(own == root or own in root.children(recursive=True) for root in roots):
        return None  # a server inside this process is a specimen, and its memory is ours

    def look() -> dict[str, Any]:
        every = {p.pid: p for root in roots for p in (root, *root.children(recursive=True))}
        rss = descriptors = alive = 0
        cpu = 0.0
        for process in every.values():
            with suppress(psutil.Error):
                known = _known.setdefault((process.pid, process.create_time()), process)
                with known.oneshot():
                    rss += known.memory_info().rss
                    descriptors += known.num_fds()
                    cpu += known.cpu_percent()
                alive += 1
        if not alive:
            return {"processes": 0}
        told = {"rss_bytes": rss, "descriptors": descriptors, "processes": alive}
        return told | {"cpu_percent": round(cpu, 1), "cpu_free_percent": _free_cpu()}

    return look


def _listens(process: psutil.Process, port: int) -> bool:
    """Whether a process holds the port; several do where workers were forked from one."""
    try:
        held = process.net_connections("tcp")
    except (psutil.Error, OSError):
        return False
    return any(c.status == psutil.CONN_LISTEN and c.laddr.port == port for c in held)


_known: dict[tuple[int, float], psutil.Process] = {}  # CPU is counted from one look to the next


def _free_cpu() -> float:
    """What of this machine's processors, in percent of one, nobody uses."""
    free: float = (100 - psutil.cpu_percent()) * (psutil.cpu_count() or 1)
    return round(free, 1)


def _metrics(target: Target, stack: ExitStack) -> Look | None:
    """The process metrics that client libraries of Prometheus export."""
    metrics = target.http.metrics if target.http else None
    if not metrics or not target.http:
        return None
    base = (metrics.base_url or target.http.base_url).value().rstrip("/")
    headers = {name: value.value() for name, value in metrics.headers.items()}
    ca_file = target.http.ca_file.value() if target.http.ca_file else True
    asked = stack.enter_context(
        httpx.Client(timeout=5, headers=headers, verify=ca_file, trust_env=False)
    )

    def look() -> dict[str, Any]:
        text = asked.get(base + metrics.path).text
        found: dict[str, Any] = {}
        for name, column in FROM_METRICS.items():
            values = re.findall(rf"^{name}(?:\{{[^}}]*\}})? ([0-9.eE+]+)$", text, re.M)
            if values:
                found[column] = sum(float(value) for value in values)
        return found

    with suppress(httpx.HTTPError):
        if look():
            return look
    return None


def _container(target: Target, stack: ExitStack) -> Look | None:
    """Memory of containers, by the engine's API on its socket."""
    load = target.load
    if not load or not load.containers:
        return None
    transport = httpx.HTTPTransport(uds=load.engine_socket)
    engine = stack.enter_context(
        httpx.Client(transport=transport, base_url="http://engine", timeout=5, trust_env=False)
    )
    names = load.containers

    def look() -> dict[str, Any]:
        used = 0
        for name in names:
            path = f"/containers/{name}/stats"
            said = engine.get(path, params={"stream": "false", "one-shot": "true"}).json()
            memory = said["memory_stats"]
            # What the page cache holds is given back when it is asked for.
            used += memory["usage"] - memory.get("stats", {}).get("inactive_file", 0)
        return {"rss_bytes": used, "processes": len(names)}

    with suppress(httpx.HTTPError, KeyError, ValueError):
        look()
        return look
    return None
