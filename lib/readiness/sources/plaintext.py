"""What stands in clear: the sensitive columns value by value, and canaries everywhere."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..target import Target, need
from .canary import Canaries
from .client import client
from .columns import declared
from .database import session
from .envelope import Kind, configured
from .scan import Scan, snapshot

if TYPE_CHECKING:
    import pandas as pd

MOST_LISTED = 1_000  # values of one column; their number is counted in full
LONGEST_SHAPE = 40  # characters
COUNTS = ("rows", "null", "empty", "envelopes", "closed", "legacy", "clear")
IN_CLEAR = (Kind.CLEAR, Kind.NOT_BASE64, Kind.TOO_SHORT, Kind.TEXT)


@source("passive")
def sensitive_columns(target: Target) -> Collected:
    """Every value of ``target.encryption.columns``: has it an envelope, or does it stand in clear?

    One record a column with counts: ``envelopes`` are well formed, ``closed`` of them do not open
    under the configured key (but do not look like text either), ``legacy`` have an older format,
    and ``clear`` is what is left: no prefix, a prefix with anything behind it, or with a text or a
    key in it. In ``facts.clear``, one row for each value in clear: its place, its length and its
    shape, in which every letter is an x and every digit a 9.
    """
    encryption = need(target.encryption, "target.encryption")
    schemas = need(target.database, "target.database").schemas
    need(encryption.columns, "target.encryption.columns")
    clear: list[dict[str, Any]] = []
    listed = Counter[str]()

    def note(column: str, row: str, kind: Kind, value: bytes) -> None:
        if kind in IN_CLEAR and listed[column] < MOST_LISTED:
            listed[column] += 1
            clear.append({"column": column, "row": row, "kind": str(kind), **_outline(value)})

    with session(target) as database, snapshot(database):
        tables, missing = declared(database, encryption, schemas)
        scan = Scan(database, configured(encryption), note)
        for table in tables:
            scan.read(table)
        version = database.facts["server_version"]
    records = [_counted(record) for record in scan.records]
    records += [{"column": name, "problem": "there is no such column"} for name in missing]
    return Collected(records, {"clear": clear}, {"PostgreSQL": version})


def _counted(record: dict[str, Any]) -> dict[str, Any]:
    counts = {name: record[name] for name in ("column", "rows", "null", "empty", "legacy")}
    counts["closed"] = record[Kind.REFUSED]
    counts["envelopes"] = record[Kind.SEALED] + record[Kind.REFUSED]
    counts["clear"] = sum(record[kind] for kind in IN_CLEAR)
    return counts | ({"problem": record["problem"]} if "problem" in record else {})


def _outline(value: bytes) -> dict[str, Any]:
    """A value without its content: how long it is; digits as 9, all but punctuation as x."""
    text = value.decode(errors="replace")
    shape = re.sub(r"[A-Za-z]|[^ -~]", "x", re.sub(r"\d", "9", text[:LONGEST_SHAPE]))
    return {"length": len(text), "shape": shape}


@source("passive")
def canaries(target: Target) -> Collected:
    """Unique values, written through the service's API, and where the database then holds them.

    Writes where ``active`` is permitted and does nothing elsewhere, which ``facts.state`` says
    (``written``, ``not permitted``, ``no service``, ``not declared``, ``failed``): so the sensitive
    columns can be judged without. One record a canary: whether the service accepted it, in which
    columns it stands encrypted, how often in clear, and whether the API took it away again. In
    ``facts``: ``hits``, one row for each place in clear; ``searched``, how many tables, and
    ``not_searched``, which not; ``left``, where it still stands after its removal.
    """
    facts: dict[str, Any] = {"hits": [], "searched": 0, "not_searched": [], "left": []}
    if "active" not in target.permit:
        return Collected([], {**facts, "state": "not permitted"})
    if target.http is None:
        return Collected([], {**facts, "state": "no service"})
    if not target.http.canaries:
        return Collected([], {**facts, "state": "not declared"})
    encryption = need(target.encryption, "target.encryption")
    with session(target) as database, client(target) as service:
        flock = Canaries(database, service, encryption)
        try:
            flock.write()
            flock.settle()
            facts["state"] = "written"
        except NotMeasured as gap:
            facts |= {"state": "failed", "reason": str(gap.reason), "message": str(gap)}
        finally:
            flock.remove()
        flock.search()  # again: a removal may have written what it removed somewhere else
        facts |= flock.facts()
        version = database.facts["server_version"]
    return Collected(flock.records(), facts, {"PostgreSQL": version})


def by_column(evidence: Evidence) -> pd.DataFrame:
    """A row a column: how many values, with an envelope and in clear."""
    import pandas as pd

    table = pd.DataFrame(evidence.records, columns=["column", *COUNTS, "problem"])
    return table if table["problem"].notna().any() else table.drop(columns="problem")


def in_clear(evidence: Evidence) -> pd.DataFrame:
    """A row for each value in clear: where it stands, what is wrong, its length and shape."""
    import pandas as pd

    columns = ["column", "row", "kind", "length", "shape"]
    return pd.DataFrame(evidence.facts.get("clear", []), columns=columns)


def canary_table(evidence: Evidence) -> pd.DataFrame:
    """A row a canary: what wrote it, where it stands, and whether it went again."""
    import pandas as pd

    columns = ["operation", "field", "answer", "encrypted_in", "in_clear", "removed"]
    return pd.DataFrame(evidence.records, columns=columns)


def canary_hits(evidence: Evidence) -> pd.DataFrame:
    """A row for each place where a canary stands in clear, and in which form."""
    import pandas as pd

    columns = ["operation", "field", "column", "form", "row", "length"]
    return pd.DataFrame(evidence.facts.get("hits", []), columns=columns)
