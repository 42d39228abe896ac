"""A small service under load: it can hold up some, work two at a time, and tell of its memory."""

import itertools
import threading
import time
from collections.abc import Iterator
from typing import Any

from readiness.loopback import Request, Response

_numbers: dict[str, Iterator[int]] = {}  # options of a specimen -> numbers of its requests
_two = threading.Semaphore(2)


def answer(request: Request, options: dict[str, Any]) -> Response:
    numbers = _numbers.setdefault(str(sorted(options.items())), itertools.count())
    if request.path == "/metrics":
        memory = 50_000_000 + options.get("leak_bytes", 0) * _so_far(numbers)
        return Response(body=f"process_resident_memory_bytes {memory}\n".encode())
    number = next(numbers)
    if options.get("two_at_a_time"):
        with _two:
            time.sleep(0.01)
    if number % options.get("every", 10**9) == options.get("every", 0) - 1:
        return Response(options.get("status", 200), delay_s=options.get("stall_s", 0))
    return Response(body=options.get("body", "fine").encode())


def _so_far(numbers: Iterator[int]) -> int:
    """How many were given out, without giving out another (``itertools.count`` shows its next)."""
    return int(repr(numbers)[6:-1])
