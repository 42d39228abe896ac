"""Running a generator from outside: the plan goes in, samples and a summary come back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ...finding import NotMeasured, Reason
from . import samples

START_S = 90  # imports, further generators, and writing what came
CEILING_S = 2.0
MODULES = "readiness.sources.loading"


@dataclass(frozen=True)
class Outcome:
    """What a generator left: its samples (a pyarrow.Table), what is said once, and a log of HDR
    histograms, empty where it was lost."""

    table: Any
    summary: dict[str, Any]
    histograms: bytes = b""


def generate(plan: dict[str, Any]) -> Outcome:
    """Run a plan to its end; one that is cut short keeps the samples it has.

    Raises NotMeasured when the generator could not even begin.
    """
    planned = sum(
        p["warm_up_s"] + p["seconds"] + p["users"] / p["spawn_per_s"] for p in plan["phases"]
    )
    with tempfile.TemporaryDirectory(prefix="readiness-load-") as name:
        folder = Path(name)
        with _running("generator", str(folder), stdin=subprocess.PIPE) as process:
            cut = ""
            try:
                _, errors = process.communicate(json.dumps(plan).encode(), planned * 1.5 + START_S)
            except subprocess.TimeoutExpired:
                cut, errors = "the generator did not end in time", b""
            except KeyboardInterrupt:
                cut, errors = "interrupted", b""
                _end(process, signal.SIGTERM, 10)
        table = samples.read(folder)
        try:
            summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
        except (OSError, ValueError):
            said = errors.decode(errors="replace").strip().splitlines()
            why = (
                cut or f"the generator was lost ({said[-1][:200] if said else process.returncode})"
            )
            if not table.num_rows:
                raise NotMeasured(Reason.INCONCLUSIVE, why) from None
            summary = _reconstructed(plan, table, why)
        log = folder / "latencies.hlog"
        return Outcome(table, summary, log.read_bytes() if log.exists() else b"")


def _reconstructed(plan: dict[str, Any], table: Any, why: str) -> dict[str, Any]:
    """A summary for a generator that could write none: its phases as they were planned."""
    at, last = table["at"][0].as_py(), table["at"][-1].as_py()
    phases = []
    for phase in plan["phases"]:
        counted = at + phase["users"] / phase["spawn_per_s"] + phase["warm_up_s"]
        if counted > last:
            break
        ended = min(counted + phase["seconds"], last)
        phases.append(
            {"users": phase["users"], "began": at, "counted_from": counted, "ended": ended}
        )
        at = ended
    return {"phases": phases, "stopped": why, "generators": [], "not_removed": 0, "locust": []}


@cache
def ceiling(users: int, processes: int) -> float:
    """Requests a second that generators here reach against a server that does nothing."""
    with _running("trivial", stdin=subprocess.PIPE) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        request = {"method": "GET", "path": "/", "category": "", "weight": 1, "headers": [{}]}
        request |= {"json": None, "form": None, "status": 200, "contains": None, "remove": None}
        phase = {"users": users, "spawn_per_s": users, "warm_up_s": 0.5, "seconds": CEILING_S}
        outcome = generate(
            {
                "base_url": f"http://127.0.0.1:{port}",
                "ca_file": None,
                "timeout_s": 10,
                "max_body_bytes": 1000,
                "requests": [request],
                "phases": [phase],
                "think_s": 0,
                "pace_s": None,
                "processes": processes,
                "listen": None,
                "hosts": 0,
                "stop_at_error_rate": 1,
                "max_requests": 10**9,
            }
        )
    (phase,) = outcome.summary["phases"] or [None]
    if phase is None:
        return 0.0
    at = outcome.table["at"].to_numpy()
    counted = (at >= phase["counted_from"]) & (at < phase["ended"])
    return float(counted.sum() / (phase["ended"] - phase["counted_from"]))


@contextmanager
def _running(module: str, *arguments: str, stdin: int) -> Iterator[subprocess.Popen[bytes]]:
    """One of our programs as a group of processes, which is gone afterwards whatever happens."""
    own = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME") if name in os.environ}
    process = subprocess.Popen(
        [sys.executable, "-m", f"{MODULES}.{module}", *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=own,
        start_new_session=True,
        umask=0o077,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                with suppress(OSError):
                    stream.close()


def _end(process: subprocess.Popen[bytes], sign: int, seconds: float) -> None:
    """Ask a process to end, and wait so long for it."""
    process.send_signal(sign)
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
