"""Metrics: each worker keeps its own in a shared folder, and whichever is asked tells all."""

from __future__ import annotations

import os
import time
from pathlib import Path

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
)

# Not the default registry: that one brings the process metrics of whichever worker is asked.
REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "http_requests_total", "Requests answered.", ["method", "route", "status"], registry=REGISTRY
)
LATENCY = Histogram(
    "http_request_duration_seconds",
    "Time from the request to the end of the answer.",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
    registry=REGISTRY,
)
IN_PROGRESS = Gauge(
    "http_requests_in_progress",
    "Requests being answered.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
POOL_IN_USE = Gauge(
    "db_pool_connections_in_use",
    "Connections checked out.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
POOL_SIZE = Gauge(
    "db_pool_connections_max",
    "Connections the pool may open.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
# prometheus_client leaves the process metrics out when there are several; each worker has its own.
MEMORY = Gauge(
    "process_resident_memory_bytes",
    "Resident memory of a worker.",
    multiprocess_mode="liveall",
    registry=REGISTRY,
)
CPU = Gauge(
    "process_cpu_seconds", "CPU time of a worker.", multiprocess_mode="liveall", registry=REGISTRY
)
STARTED = Gauge(
    "process_start_time_seconds",
    "When a worker started.",
    multiprocess_mode="liveall",
    registry=REGISTRY,
)


def observe_process() -> None:
    """Refresh this worker's process metrics."""
    CPU.set(time.process_time())
    statm = Path("/proc/self/statm")
    if statm.exists():
        MEMORY.set(int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


def exposition() -> bytes:
    """All workers' metrics in Prometheus' text format."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)


def forget_process() -> None:
    """Take a worker that ends out of the live gauges."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        multiprocess.mark_process_dead(os.getpid())
