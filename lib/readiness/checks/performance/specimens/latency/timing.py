"""Answers at once, but for the first request and every so many, as the options say."""

import itertools
from collections.abc import Iterator
from typing import Any

from readiness.loopback import Request, Response

_numbers: dict[str, Iterator[int]] = {}  # options of a specimen -> numbers of its requests


def answer(request: Request, options: dict[str, Any]) -> Response:
    number = next(_numbers.setdefault(str(sorted(options.items())), itertools.count()))
    if number == 0:
        return Response(delay_s=options.get("first_s", 0))
    if number % options["every"] == 0:
        return Response(options.get("status", 200), delay_s=options.get("stall_s", 0))
    return Response()
