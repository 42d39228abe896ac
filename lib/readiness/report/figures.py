"""The figures of the assessment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .blocks import SHAPES, Column, Head, Mark, Paragraph, Table, Text, Tone
from .document import Document
from .evidence_files import EvidenceFiles
from .look import INK, SERIES, TONES, Figure
from .sections import TITLES
from .text import line, value

ANSWERS: tuple[tuple[str, Tone], ...] = (
    ("passed", "good"),
    ("failed", "bad"),
    ("unknown", "unknown"),
    ("not applicable", "none"),
)
NO_TONE = "#d5d8db"
ROW_PX = 34
LATENCY = "PERF-BASELINE"
LATENCY_ROW_PX = 46
PERCENTILES = ("p50", "p95", "p99")
SYMBOLS = ("circle", "diamond", "square")
ROOM = 3  # checks, from which a bar has room for its shape beside its number


def answers(areas: Mapping[str, tuple[int, int, int, int]]) -> Figure:
    """Of what policy expects in each area: how much passed, failed, stayed unknown."""
    import plotly.graph_objects as go

    names = [TITLES[area] for area in areas]
    figure = go.Figure()
    for n, (label, tone) in enumerate(ANSWERS):
        counts = [row[n] for row in areas.values()]
        if not any(counts):
            continue
        figure.add_bar(
            y=names,
            x=counts,
            name=f"{SHAPES[tone]} {label}",
            orientation="h",
            text=[f"{SHAPES[tone]} {k}" if k >= ROOM else str(k or "") for k in counts],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            marker={"color": TONES.get(tone, NO_TONE)},
            hovertemplate="%{y}: %{x} " + label + "<extra></extra>",
        )
    figure.update_layout(
        barmode="stack",
        height=150 + ROW_PX * len(names),
        yaxis={"autorange": "reversed", "showgrid": False},
        xaxis={"title": {"text": "expected checks"}, "dtick": 5},
        legend={"traceorder": "normal"},
    )
    rows: list[list[Text]] = [
        [name, *counts] for name, counts in zip(names, areas.values(), strict=True)
    ]
    columns: list[Head] = ["Area", *(Column(label.capitalize(), True) for label, _ in ANSWERS)]
    known = sum(row[0] + row[1] for row in areas.values())
    expected = sum(sum(row) for row in areas.values())
    alt = f"Bars per area: {known} of {expected} expected checks were answered with pass or fail."
    caption = "How much of what policy asks was answered"
    return Figure(figure, caption, alt, Table(columns, rows, row_header=0))


def latency(evidence: EvidenceFiles) -> Figure | Document:
    """The measured percentiles of every endpoint, with their bounds, against their targets."""
    from ..sources.latency import percentiles

    try:
        rows = [row for record in evidence.records(LATENCY) for row in percentiles(record)]
    except (KeyError, TypeError, ValueError):
        rows = []  # evidence of another version: said, not guessed
    seen = [row for row in rows if row["samples"]]
    if not seen:
        return Document([Paragraph("No latency was measured in this run.", "note")])
    import plotly.graph_objects as go

    names = list(dict.fromkeys(_endpoint(row) for row in seen))
    figure = go.Figure()
    for n, percentile in enumerate(PERCENTILES):
        own = [row for row in seen if row["percentile"] == percentile]
        above = [(row["high"] or row["estimate"]) - row["estimate"] for row in own]
        below = [row["estimate"] - (row["low"] or row["estimate"]) for row in own]
        figure.add_scatter(
            x=[row["estimate"] for row in own],
            y=[names.index(_endpoint(row)) + (n - 1) * 0.22 for row in own],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": above,
                "arrayminus": below,
                "thickness": 1.5,
                "width": 4,
            },
            mode="markers",
            marker={"size": 8, "symbol": SYMBOLS[n], "color": SERIES[n]},
            name=percentile,
            hovertemplate="%{x:.3g} ms<extra>" + percentile + "</extra>",
        )
    figure.add_scatter(
        x=[row["target"] for row in seen],
        y=[
            names.index(_endpoint(row)) + (PERCENTILES.index(row["percentile"]) - 1) * 0.22
            for row in seen
        ],
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 12, "line": {"width": 2}, "color": INK},
        name="target",
        hovertemplate="target %{x:.4g} ms<extra></extra>",
    )
    figure.update_layout(
        height=130 + LATENCY_ROW_PX * len(names),
        xaxis={"type": "log", "dtick": 1, "title": {"text": "time to answer, ms"}},
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [len(names) - 0.5, -0.5],
            "showgrid": False,
        },
    )
    met = sum(row["standing"] == "met" for row in seen)
    caption = "Latency for one user: each percentile with its bounds, beside its target"
    alt = f"{met} of {len(rows)} percentiles are shown to be within their targets."
    return Figure(figure, caption, alt, _latency_table(rows))


def _latency_table(rows: Sequence[dict[str, Any]]) -> Table:
    said: dict[str, Tone] = {"met": "good", "missed": "bad"}
    body: list[list[Text]] = [
        [
            _endpoint(row),
            row["percentile"],
            row["samples"],
            *(value(row[key]) for key in ("estimate", "low", "high", "target")),
            Mark(said.get(row["standing"], "unknown"), str(row["standing"]).upper()),
        ]
        for row in rows
    ]
    heads = ("Samples", "Estimate, ms", "At least, ms", "At most, ms", "Target, ms")
    columns: list[Head] = [
        "Endpoint",
        "Percentile",
        *(Column(head, True) for head in heads),
        "Target is",
    ]
    return Table(columns, body, row_header=0)


def _endpoint(row: dict[str, Any]) -> str:
    return line(row["endpoint"], 60)
