"""Which field of a log line or column of a table holds what, by the names that are in use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

TIMES = ("at", "time", "timestamp", "@timestamp", "ts", "time_iso8601", "time_local", "msec")
STATUSES = ("status", "status_code", "http_status")
METHODS = ("method", "request_method", "http_method")
PATHS = ("path", "uri", "request_uri", "url", "endpoint", "route")
REQUESTS = ("request",)  # as nginx writes it: GET /path HTTP/1.1
IN_MS = {"s": 1e3, "seconds": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
# A name without a unit is not believed, but for nginx's own: a thousandfold error looks like news.
_LATENCY = re.compile(
    r"^(?:duration|took|latency|elapsed|response_time|request_time|time_taken)"
    rf"_({'|'.join(IN_MS)})$"
)
MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"  # nginx writes them so in every locale
_LOCAL = re.compile(r"^(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)$")


@dataclass(frozen=True)
class Fields:
    """Names by role; without ``latency`` nothing can be said."""

    latency: str | None = None
    to_ms: float = 1.0
    time: str | None = None
    status: str | None = None
    method: str | None = None
    path: str | None = None
    request: str | None = None

    @property
    def wanted(self) -> list[str]:
        names = (self.latency, self.time, self.status, self.method, self.path, self.request)
        return [name for name in names if name]


def told(given: str) -> tuple[str, float]:
    """A latency field and its factor to ms, as NAME:UNIT says; raises ValueError."""
    name, _, unit = given.rpartition(":")
    if not name or unit not in IN_MS:
        raise ValueError(f"--latency {given}: write NAME:UNIT, the unit one of {', '.join(IN_MS)}")
    return name, IN_MS[unit]


def fields_of(names: Iterable[str], latency: tuple[str, float] | None = None) -> Fields:
    """What is in which field; ``latency`` says it where the name does not."""
    there = list(names)

    def first(known: tuple[str, ...]) -> str | None:
        return next((name for name in known if name in there), None)

    if latency is None:
        found = ((name, _LATENCY.match(name)) for name in there)
        latency = next(((name, IN_MS[match[1]]) for name, match in found if match), None)
        if latency is None and "request_time" in there:
            latency = ("request_time", IN_MS["s"])
    if latency is None or latency[0] not in there:
        return Fields()
    return Fields(
        *latency, first(TIMES), first(STATUSES), first(METHODS), first(PATHS), first(REQUESTS)
    )


def seconds_since_epoch(told: object) -> float | None:
    """A time as a log has it: ISO 8601, nginx's $time_local, seconds or milliseconds."""
    if isinstance(told, (int, float)) and not isinstance(told, bool):
        number = float(told)
    elif not isinstance(told, str):
        return None
    elif match := _LOCAL.match(told):
        day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
        number_of_month = MONTHS.find(month) / 3 + 1
        if not number_of_month.is_integer():
            return None
        try:
            month_, day_ = int(number_of_month), int(day)
            at = datetime(int(year), month_, day_, int(hour), int(minute), tzinfo=UTC)
        except ValueError:
            return None
        east = (int(hours) * 60 + int(minutes)) * 60 * (1 if sign == "+" else -1)
        return at.timestamp() + int(second) - east
    else:
        try:
            number = float(told)
        except ValueError:
            return _iso(told)
    for _ in range(3):  # milli-, micro- and nanoseconds are told by their size
        if number > 1e11:
            number /= 1e3
    return number if 0 <= number < 1e11 else None


def _iso(told: str) -> float | None:
    try:
        at = datetime.fromisoformat(told)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
