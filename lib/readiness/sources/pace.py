"""How fast a service lets itself be asked, as its answers say, and when to come back."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT_S = 65.0  # for a rate limiter that says when to come back
EPOCH = 1_000_000_000  # a reset larger than this is a time and not a duration
CREDENTIALS = ("authorization", "x-api-key", "cookie")

Header = Callable[[str], str | None]


@dataclass(frozen=True)
class Allowance:
    """What is left to one caller: ``remaining`` of ``limit`` requests for ``reset_s`` seconds."""

    limit: int
    remaining: int
    reset_s: float


def allowance(header: Header) -> Allowance | None:
    """The allowance that an answer tells of, or None.

    Read are ``RateLimit`` with its policy (draft-ietf-httpapi-ratelimit-headers), the three fields
    of its earlier drafts, and ``X-RateLimit-*`` as most services send them.
    """
    said = header("ratelimit") or ""
    found: dict[str, str] = dict(re.findall(r"\b(r|t|limit|remaining|reset)\s*=\s*(\d+)", said))
    if policy := re.search(r"\bq\s*=\s*(\d+)", header("ratelimit-policy") or ""):
        found.setdefault("limit", policy[1])
    for name in ("limit", "remaining", "reset"):
        for prefix in ("ratelimit-", "x-ratelimit-", "x-rate-limit-"):
            number = re.match(r"\s*(\d+)", header(prefix + name) or "")
            if number and name not in found:
                found[name] = number[1]
    remaining = found.get("r") or found.get("remaining")
    reset = found.get("t") or found.get("reset")
    if remaining is None or reset is None:
        return None
    seconds = float(reset[:12])
    seconds = seconds - time.time() if seconds > EPOCH else seconds
    limit = int(found.get("limit", remaining)[:9])
    return Allowance(limit, int(remaining[:9]), min(max(seconds, 0.0), 86_400.0))


def retry_after(header: Header, longest: float | None = LONGEST_WAIT_S) -> float | None:
    """The seconds that a Retry-After asks for, given as a number or as a date (RFC 9110).

    No more than ``longest``, where that is given.
    """
    most = longest if longest is not None else float("inf")
    said = (header("retry-after") or "").strip()
    if said.isdecimal():
        return min(float(said[:9]), most)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    left = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(left, 0.0), most)


class Pace:
    """When the next request of a caller may go, learned from what the service told this caller.

    A service counts callers apart, and some operations apart from the others (logins): an answer
    holds for the same caller, and for the operations that were answered with the same limit.
    """

    def __init__(self) -> None:
        self._limit_of: dict[tuple[str, str], int] = {}  # caller and operation -> limit
        self._due: dict[tuple[str, int], float] = {}  # caller and limit -> not before

    def wait_s(self, headers: Mapping[str, str], operation: str) -> float:
        """How long to wait before asking this, so that what is left lasts for its window."""
        caller = _caller(headers)
        limit = self._limit_of.get((caller, operation))
        if limit is None:  # never asked: taken to be counted with most others
            limit = max((known for who, known in self._due if who == caller), default=None)
        due = self._due.get((caller, limit), 0.0) if limit is not None else 0.0
        return max(0.0, due - time.monotonic())

    def learn(self, headers: Mapping[str, str], operation: str, told: Allowance | None) -> None:
        if told is None:
            return
        caller = _caller(headers)
        self._limit_of[caller, operation] = told.limit
        share = told.reset_s / told.remaining if told.remaining else told.reset_s
        self._due[caller, told.limit] = time.monotonic() + min(share, LONGEST_WAIT_S)


def _caller(headers: Mapping[str, str]) -> str:
    """Who a request comes from, without keeping the credential."""
    said = [f"{k.lower()}={v}" for k, v in headers.items() if k.lower() in CREDENTIALS]
    return hashlib.sha256("\n".join(sorted(said)).encode(errors="replace")).hexdigest()[:16]
