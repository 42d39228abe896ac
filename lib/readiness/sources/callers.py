"""Several callers at once, so that each process of a service gets its turn.

Where callers come one after the other and little else is asked of a service, one of the processes
that wait for connections takes nearly all of them: the kernel wakes the one that began to wait last
(Majkowski, "Why does one NGINX worker take all the load?", 2017). What only the others do wrong
stays unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from .client import Client, Exchange

AT_ONCE = 8  # callers


def at_once(ask: Callable[[], Exchange], callers: int = AT_ONCE) -> list[Exchange]:
    """The answers to so many callers who ask at the same moment."""
    with ThreadPoolExecutor(callers) as pool:
        asked = [pool.submit(copy_context().run, ask) for _ in range(callers)]
        return [one.result() for one in asked]


def together(
    http_client: Client,
    method: str,
    path: str,
    times: int,
    *,
    headers: Mapping[str, str],
    json: Any = None,
    burst: bool = False,
) -> list[Exchange]:
    """The answers to one request that is sent so often, ``AT_ONCE`` callers at a time.

    On average no faster than the client's pace, and a 429 is waited for; a ``burst`` is as fast as
    it can be, and takes a 429 for an answer. Raises as ``Client.send``.
    """
    answers: list[Exchange] = []
    ask = partial(http_client.send, method, path, headers=headers, json=json, fresh=True)
    while len(answers) < times:
        callers = min(AT_ONCE, times - len(answers))
        if not burst:
            http_client.make_room(callers, headers, f"{method} {path}")
        for answer in at_once(partial(ask, burst=True), callers):
            again = not burst and http_client.wait_for(answer)
            answers.append(ask() if again else answer)
    return answers
