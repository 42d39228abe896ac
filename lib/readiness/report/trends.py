"""Figures of an environment's runs over time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..finding import AREAS
from ..record import Record
from .blocks import Column, Head, Mark, Paragraph, Table, Text
from .document import Document
from .evidence_files import EvidenceFiles
from .look import SERIES, TONES, Figure
from .sections import TITLES
from .text import line, value

LATENCY = "PERF-BASELINE"
PERCENTILE = "p95"
SYMBOLS = {"GREEN": "circle", "YELLOW": "triangle-up", "RED": "square"}
MARKS = ("circle", "diamond", "square", "triangle-up", "x", "cross")
COUNTS = (("passed", "good"), ("failed", "bad"), ("not_measured", "unknown"))
MOST_ENDPOINTS = 6
MOST_ROWS = 60
TIME = {"title": {"text": "run finished (UTC)"}, "type": "date"}


def colours(runs: Sequence[Record]) -> Figure:
    """The colour of each area, a mark a run."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for colour, symbol in SYMBOLS.items():
        seen = [(r, a) for r in runs for a in r.areas if a.colour == colour]
        mark = Mark.of(colour)
        figure.add_scatter(
            x=[run.finished.isoformat() for run, _ in seen],
            y=[TITLES[area.area] for _, area in seen],
            mode="markers",
            name=str(mark),
            marker={"symbol": symbol, "size": 12, "color": TONES[mark.tone]},
            hovertemplate="%{y}, %{x}<extra></extra>",
        )
    order = [TITLES[area] for area in AREAS]
    figure.update_layout(
        height=340,
        xaxis=TIME,
        yaxis={"categoryorder": "array", "categoryarray": order[::-1]},
    )
    last = ", ".join(f"{TITLES[a.area]} {a.colour}" for a in runs[-1].areas)
    return Figure(figure, "Colour of each area, run by run", f"In the newest run: {last}.")


def confidence(runs: Sequence[Record]) -> Figure:
    """The confidence in each area, a line an area."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for n, area in enumerate(AREAS):
        seen = [(r.finished, a.confidence) for r in runs for a in r.areas if a.area == area]
        figure.add_scatter(
            x=[moment.isoformat() for moment, _ in seen],
            y=[round(100 * share, 1) for _, share in seen],
            mode="lines+markers",
            name=TITLES[area],
            marker={"symbol": MARKS[n], "size": 7},
            hovertemplate="%{y:.0f} %<extra>" + TITLES[area] + "</extra>",
        )
    figure.update_layout(
        height=380, xaxis=TIME, yaxis={"title": {"text": "confidence, %"}, "range": [0, 100]}
    )
    last = ", ".join(f"{TITLES[a.area]} {a.confidence:.0%}" for a in runs[-1].areas)
    return Figure(figure, "Confidence in each area, run by run", f"In the newest run: {last}.")


def counts(runs: Sequence[Record]) -> Figure:
    """How many checks passed, failed, and were not measured: a bar a run."""
    import plotly.graph_objects as go

    figure = go.Figure()
    rows: list[list[Text]] = [[run.run] for run in runs]
    patterns = {"good": "", "bad": "x", "unknown": "/"}
    for name, tone in COUNTS:
        numbers = [sum(getattr(area, name) for area in run.areas) for run in runs]
        for row, number in zip(rows, numbers, strict=True):
            row.append(number)
        figure.add_bar(
            x=[run.finished.isoformat() for run in runs],
            y=numbers,
            name=name.replace("_", " "),
            marker={"color": TONES[tone], "pattern": {"shape": patterns[tone], "size": 5}},
            hovertemplate="%{y}<extra>" + name.replace("_", " ") + "</extra>",
        )
    figure.update_layout(
        barmode="stack",
        height=340,
        xaxis={**TIME, "showgrid": False},
        yaxis={"title": {"text": "expected checks"}},
    )
    heads = (name.replace("_", " ").capitalize() for name, _ in COUNTS)
    columns: list[Head] = ["Run", *(Column(head, True) for head in heads)]
    note = f"{MOST_ROWS} of {len(rows)} runs" if len(rows) > MOST_ROWS else ""
    table = Table(columns, rows[-MOST_ROWS:], row_header=0, note=note)
    alt = "In the newest run: " + ", ".join(
        f"{sum(getattr(a, name) for a in runs[-1].areas)} {name.replace('_', ' ')}"
        for name, _ in COUNTS
    )
    return Figure(figure, "What the expected checks answered, run by run", f"{alt}.", table)


def percentiles(runs: Sequence[tuple[Path, Record]]) -> Figure | Document:
    """The 95th percentile of the slowest endpoints with its bounds, a line an endpoint."""
    found: dict[str, list[tuple[Record, dict[str, Any]]]] = {}
    for folder, run in runs:
        for row in _measured(folder, run):
            found.setdefault(line(row["endpoint"], 50), []).append((run, row))
    if not found:
        return Document([Paragraph("No latency was measured in these runs.", "note")])
    import plotly.graph_objects as go

    slowest = sorted(found, key=lambda name: -max(r["estimate"] for _, r in found[name]))
    figure = go.Figure()
    rows: list[list[Text]] = []
    for n, name in enumerate(slowest[:MOST_ENDPOINTS]):
        own = found[name]
        bounds = {
            "array": [(r["high"] or r["estimate"]) - r["estimate"] for _, r in own],
            "arrayminus": [r["estimate"] - (r["low"] or r["estimate"]) for _, r in own],
        }
        figure.add_scatter(
            x=[run.finished.isoformat() for run, _ in own],
            y=[row["estimate"] for _, row in own],
            error_y={"type": "data", "symmetric": False, "thickness": 1, "width": 3, **bounds},
            mode="lines+markers",
            name=name,
            marker={"symbol": MARKS[n], "size": 7, "color": SERIES[n]},
            line={"color": SERIES[n]},
            hovertemplate="%{y:.3g} ms<extra>" + name + "</extra>",
        )
        rows += [
            [name, run.run, *(value(r[key]) for key in ("estimate", "low", "high", "target"))]
            for run, r in own
        ]
    figure.update_layout(
        height=400,
        xaxis=TIME,
        yaxis={"type": "log", "dtick": "D2", "title": {"text": f"{PERCENTILE}, ms"}},
        legend={"y": -0.28, "yanchor": "top"},
    )
    heads = ("Estimate, ms", "At least, ms", "At most, ms", "Target, ms")
    columns: list[Head] = ["Endpoint", "Run", *(Column(head, True) for head in heads)]
    left = len(found) - MOST_ENDPOINTS
    which = f"the {MOST_ENDPOINTS} slowest of {len(found)} endpoints" if left > 0 else "endpoints"
    note = f"{MOST_ROWS} of {len(rows)} rows" if len(rows) > MOST_ROWS else ""
    table = Table(columns, rows[:MOST_ROWS], note=note)
    caption = f"Latency ({PERCENTILE} with its bounds) of {which}, run by run"
    return Figure(figure, caption, caption, table)


def _measured(folder: Path, run: Record) -> list[dict[str, Any]]:
    """The percentile's rows in a run; evidence of another version is none, not guessed."""
    from ..sources.latency import percentiles

    evidence = EvidenceFiles(folder, [f for f in run.findings if not f.carried_over])
    try:
        rows = [row for one in evidence.records(LATENCY) for row in percentiles(one)]
    except (KeyError, TypeError, ValueError):
        return []
    return [row for row in rows if row["percentile"] == PERCENTILE and row["samples"]]
