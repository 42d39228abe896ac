"""One difference of two schemas: what it is, what it can do, and the SQL that takes it away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .types import Verdict

Record = dict[str, Any]
LOSES = "-- loses data: "  # before a statement that nobody should run unread
BY_HAND = "-- "


@dataclass(frozen=True)
class Difference:
    """``repair`` brings the live database to what is wanted; a line that begins with ``--`` says
    what it would take where no statement alone does it."""

    kind: str
    object: str
    live: str
    wanted: str
    verdict: Verdict
    repair: str

    def row(self, table: str) -> Record:
        return {
            "class": self.verdict[0],
            "kind": self.kind,
            "table": table,
            "object": self.object,
            "live": self.live,
            "wanted": self.wanted,
            "reason": self.verdict[1],
            "repair": self.repair,
        }
