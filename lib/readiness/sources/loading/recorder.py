"""What a generator notes while it runs: its samples, and how it fares itself."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import gevent
import psutil

from readiness.sources.loading.histograms import Histograms
from readiness.sources.loading.plan import OWN_FAULT, PROBLEMS
from readiness.sources.loading.samples import Batch

LATE_EVERY_S = 0.01  # how often the generator looks whether it is on time itself
FAILING_OVER_S = 5  # seconds over which the target's errors are counted


class Recorder:
    """Samples of this process, in the order in which they ended."""

    def __init__(self) -> None:
        self.batch = Batch()
        self.histograms = Histograms()
        self.anchor = time.time() - time.perf_counter()  # a clock that jumps moves no sample
        self.count = 0
        self.recent: deque[tuple[float, bool]] = deque(maxlen=100_000)

    def add(
        self, request: int, due: float, sent: float, ended: float, status: int, problem: int
    ) -> None:
        took, corrected = (ended - sent) * 1000, (ended - due) * 1000
        self.batch.add(self.anchor + sent, took, corrected, request, status, problem)
        self.histograms.record(request, corrected)
        self.count += 1
        self.recent.append((ended, PROBLEMS[problem] in OWN_FAULT))

    def taken(self) -> bytes:
        """What came since the last time, in Arrow's format."""
        batch, self.batch = self.batch, Batch()
        return batch.to_bytes()

    def failing_share(self) -> tuple[float, int]:
        """The share of answers that failed by the target's own fault lately, of how many."""
        since = time.perf_counter() - FAILING_OVER_S
        lately = [failed for ended, failed in list(self.recent) if ended >= since]
        return (sum(lately) / len(lately) if lately else 0.0), len(lately)


class Own:
    """What the generator needs itself: CPU, and how late its own timers are."""

    def __init__(self) -> None:
        self.cpu: list[float] = []
        self.late_ms: list[float] = []

    def watch(self) -> None:
        process = psutil.Process()
        process.cpu_percent()
        looked = time.perf_counter()
        while True:
            began = time.perf_counter()
            gevent.sleep(LATE_EVERY_S)
            now = time.perf_counter()
            self.late_ms.append((now - began - LATE_EVERY_S) * 1000)
            if now - looked >= 1:
                self.cpu.append(process.cpu_percent())
                looked = now

    def told(self) -> dict[str, Any]:
        late = sorted(self.late_ms) or [0.0]
        cpu = sorted(self.cpu) or [0.0]
        return {
            "cpu_percent": round(cpu[len(cpu) // 2], 1),
            "late_p50_ms": round(late[len(late) // 2], 3),
            "late_p95_ms": round(late[int(len(late) * 0.95)], 3),
            "late_p99_ms": round(late[int(len(late) * 0.99)], 3),
        }
