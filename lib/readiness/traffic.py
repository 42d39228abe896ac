"""What an audit has sent to its target: written down, counted, and stopped before it does harm."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any

from .finding import NotMeasured, Reason

COLLECTING: ContextVar[str] = ContextVar("the source that is collecting", default="")
FAILING = (500, 502, 503, 504)  # 501 says that something was never there, and not that it fails
LATEST = 20  # answers that tell whether the target has begun to fail
FEW = 5  # answers of one operation that make a baseline, and as many that depart from it
SHORTEST_SLOWNESS_MS = 1000.0  # nobody's users suffer from ten times a millisecond
LONGEST_PATH = 300  # characters that are kept


class Stopped(NotMeasured):
    """Nothing more is asked of the target: it began to fail, or the requests are used up.

    What was seen until then holds; a source keeps it and says what it did not ask.
    """


@dataclass(frozen=True)
class Planned:
    """Requests that a source may send: of one operation, and how many at most."""

    operation: str
    most: int = 1


@dataclass
class Traffic:
    """Every request of one audit to one target, whichever source sent it.

    ``waited_s`` is the time that the service's own limits made the audit wait, ``limits`` what
    they were. Once ``stopped`` says why, no further request may be sent.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    waited_s: float = 0.0
    limits: set[str] = field(default_factory=set)
    stopped: str = ""
    met: dict[Any, Any] = field(default_factory=dict)  # answers of each class; see sources.met
    cookies: dict[tuple[str, str], Any] = field(default_factory=dict)  # the answer that set each
    _of_operation: dict[str, list[float]] = field(default_factory=dict)
    _latest: list[bool] = field(default_factory=list)

    def note(
        self,
        operation: str,
        method: str,
        path: str,
        status: int | None,
        ms: float,
        error: str = "",
    ) -> dict[str, Any]:
        """Write one request down: never its headers or its body."""
        entry: dict[str, Any] = {
            "source": COLLECTING.get(),
            "operation": operation[:LONGEST_PATH],
            "method": method,
            "path": path[:LONGEST_PATH],
            "status": status,
            "ms": round(ms, 2),
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        entry |= {"error": error} if error else {}
        self.entries.append(entry)
        return entry

    def watch(
        self, entry: dict[str, Any], *, most_errors: float, slowdown: float, timed: bool
    ) -> None:
        """Learn from an answer whether the target has begun to fail; sets ``stopped`` if so.

        It fails when more than ``most_errors`` of the latest answers are 5xx or none at all, or
        when an operation takes ``slowdown`` times what it took at first, and over a second.
        """
        self._latest = [*self._latest, entry["status"] in (None, *FAILING)][-LATEST:]
        failed = sum(self._latest)
        if len(self._latest) == LATEST and failed > most_errors * LATEST:
            self.stopped = f"{failed} of the last {LATEST} requests were answered 5xx or not at all"
        if not timed:
            return
        times = self._of_operation.setdefault(entry["operation"], [])
        times.append(entry["ms"])
        if len(times) < 2 * FEW:
            return
        first, last = median(times[:FEW]), median(times[-FEW:])
        if last > max(SHORTEST_SLOWNESS_MS, slowdown * first):
            self.stopped = f"{entry['operation']} took {last:.0f} ms and {first:.0f} ms at first"

    def go_on(self) -> None:
        """Raises Stopped when the target has begun to fail."""
        if self.stopped:
            said = f"the audit stopped asking, as the service began to fail: {self.stopped}"
            raise Stopped(Reason.INCONCLUSIVE, said)

    def facts(self, since: int) -> dict[str, Any]:
        """What evidence says of the requests from number ``since`` on."""
        if len(self.entries) == since:
            return {}
        pace = {"waited_s": round(self.waited_s, 1), "limits": sorted(self.limits)}
        sent = self.entries[since:]
        return {"requests": folded(sent), "requests_sent": len(sent), "pace": pace}


def folded(entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries, those alike in a row as one with ``times`` and the sum of their ``ms``."""
    rows: list[dict[str, Any]] = []
    for entry in entries:
        alike = {k: v for k, v in entry.items() if k not in ("ms", "at")}
        if rows and {k: v for k, v in rows[-1].items() if k not in ("ms", "at", "times")} == alike:
            rows[-1]["times"] += 1
            rows[-1]["ms"] = round(rows[-1]["ms"] + entry["ms"], 2)
        else:
            rows.append({**entry, "times": 1})
    return rows
