"""A small service with a metrics page; ``flaw`` says what is the matter with it.

``{"flaw": "workers"}`` has two that count for themselves, ``static`` never changes.
"""

import itertools
import math
from collections import Counter
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client import Counter as Counting
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics
from readiness.loopback import Request, Response

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
_seen: Counter[str] = Counter()
_turn = itertools.count()
_scrapes = itertools.count()
_first: dict[str, bytes] = {}


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw = options.get("flaw", "none")
    if request.path == "/health":
        return Response(200, [("Content-Type", "application/json")], b'{"status": "ok"}')
    if request.path != "/metrics":
        _seen[flaw] += flaw not in ("static", "uncounted")
        return Response(404)
    number = _seen[flaw] + 5
    if flaw == "workers" and next(_scrapes) % 2:
        number = 2
    page, content_type = _page(request, number, flaw)
    if flaw == "static":
        page = _first.setdefault(content_type, page)
    return Response(200, [("Content-Type", content_type)], page)


def _page(request: Request, number: int, flaw: str) -> tuple[bytes, str]:
    registry = CollectorRegistry()
    requests = Counting("http_requests", "Requests.", ["status"], registry=registry)
    requests.labels("404").inc(number)
    took = Histogram("http_request_duration_seconds", "Time.", buckets=(0.1, 1), registry=registry)
    for _ in range(number):
        took.observe(0.05)
    failures = Counting("mail_failures", "Never yet.", ["reason"], registry=registry)
    if flaw != "unfilled":
        failures.labels("refused")
    memory = Gauge("process_resident_memory_bytes", "Memory.", registry=registry)
    memory.set(math.nan if flaw == "nan" else 1e6 + next(_turn))
    if "openmetrics" in request.headers.get("accept", "") and flaw != "text only":
        return openmetrics(registry), OPENMETRICS  # type: ignore[no-untyped-call]
    page = generate_latest(registry)
    if flaw == "old":
        page += b"pushed_total 3 1000\n"
    if flaw == "twice":
        page += b'jobs{queue="a"} 1\njobs{queue="a"} 2\n'
    if flaw == "buckets":
        page += b"# TYPE wait histogram\n" + b'wait_bucket{le="1"} 5\nwait_bucket{le="+Inf"} 3\n'
        page += b"wait_count 3\nwait_sum 1\n"
    return page, TEXT
