"""Differences of two schemas to look at: a table, and a figure that shows where they sit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...report.look import TONES
from .merge import CLASSES, compare
from .types import BREAKING, COSMETIC, RISKY

if TYPE_CHECKING:
    import pandas as pd

    from ...evidence import Evidence

COLUMNS = ["class", "kind", "table", "object", "live", "wanted", "reason"]
REPAIRS = ["class", "table", "object", "answer", "repair"]
COLOURS = {BREAKING: TONES["bad"], RISKY: TONES["caution"], COSMETIC: TONES["unknown"]}
PATTERNS = {BREAKING: "", RISKY: "/", COSMETIC: "."}  # told apart without colour, too
MOST_TABLES = 30  # in the figure; the worst ones
FEW = 12  # differences of a table, up to which every whole number stands on the axis


def differences(live: Evidence, wanted: Evidence, classes: Sequence[str] = CLASSES) -> pd.DataFrame:
    """A data frame of the differences of these classes, the worst first."""
    import pandas as pd

    return pd.DataFrame(
        [d for d in between(live, wanted) if d["class"] in classes], columns=COLUMNS
    )


def repairs(live: Evidence, wanted: Evidence, classes: Sequence[str] = CLASSES) -> pd.DataFrame:
    """A data frame of the same differences: what the server answered to the ORM's statement where
    one was tried, and the SQL that would bring the live database to what is wanted."""
    import pandas as pd

    found = [one for one in between(live, wanted) if one["class"] in classes]
    return pd.DataFrame(found, columns=REPAIRS)


def figure(live: Evidence, wanted: Evidence) -> Any:
    """Where the drift sits: differences for each table, by class; a sentence when there is none."""
    if problem := live.problem or wanted.problem:
        return f"Nothing to compare: {problem.message}"
    counts: dict[str, dict[str, int]] = {}
    for one in between(live, wanted):
        table = counts.setdefault(one["table"] or "types, sequences", dict.fromkeys(CLASSES, 0))
        table[one["class"]] += 1
    if not counts:
        tables = sum(record["kind"] == "table" for record in wanted.records)
        return f"No difference of any class in {tables} tables: there is no drift to draw."
    return _drawn(counts)


def _drawn(counts: dict[str, dict[str, int]]) -> Any:
    import plotly.graph_objects as go

    worst = sorted(counts, key=lambda t: [-counts[t][c] for c in CLASSES])[:MOST_TABLES][::-1]
    drawn = go.Figure()
    for name in CLASSES:
        drawn.add_bar(
            name=name,
            orientation="h",
            y=worst,
            x=[counts[table][name] for table in worst],
            marker={"color": COLOURS[name], "pattern": {"shape": PATTERNS[name]}},
        )
    most = max(sum(of_class.values()) for of_class in counts.values())
    drawn.update_layout(
        barmode="stack",
        xaxis={"title": {"text": "differences (count)"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "table"}, "type": "category"},
        legend={"traceorder": "normal"},
        height=150 + 26 * len(worst),
    )
    if most <= FEW:
        drawn.update_xaxes(dtick=1)
    return drawn


def between(live: Evidence, wanted: Evidence) -> list[dict[str, Any]]:
    """The differences of two catalogues as evidence, each with its ``proof``, a statement of the
    ORM that was tried on a copy of the live table, and the ``answer`` of the server to it."""
    if live.problem or wanted.problem or not wanted.records:
        return []
    found = compare(live.records, wanted.records, whole=not wanted.source.endswith(".orm"))
    tried = {(one["table"], one["object"]): one for one in wanted.facts.get("tried", ())}
    for one in found:
        proof = tried.get((one["table"], one["object"])) if one["class"] == BREAKING else None
        one["proof"] = proof["statement"] if proof else ""
        one["answer"] = proof["answer"] if proof else ""
    return found
