"""The figure that the assessment makes of its own: how much was answered."""

from __future__ import annotations

from collections.abc import Mapping

from .blocks import SHAPES, Column, Head, Table, Text, Tone
from .look import TONES, Figure
from .sections import TITLES

ANSWERS: tuple[tuple[str, Tone], ...] = (
    ("passed", "good"),
    ("failed", "bad"),
    ("unknown", "unknown"),
    ("not applicable", "none"),
)
NO_TONE = "#d5d8db"
ROW_PX = 34
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
