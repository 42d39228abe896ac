"""What requests say, in pictures: percentiles over time, time by latency, failures, shifts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...report.look import ACCENT, TONES
from .histogram import COARSE
from .profile import Profile
from .shift import Comparison, Shift
from .tables import ALL, over_time, when

MOST_PANELS = 6
PANEL = 170  # pixels
PERCENTILES = ("p50", "p95", "p99")
COLOURS = (ACCENT, "#c98a00", "#c8461e")
_TICKS = [m * 10.0**k for k in range(-3, 8) for m in (1, 2, 5)]
LOG_MS = {"type": "log", "tickvals": _TICKS, "ticktext": [f"{t:,.7g}" for t in _TICKS]}
BUCKETS_A_ROW = 16  # of a heat map: four rows an octave
VERDICTS = {
    "slower": ("bad", "triangle-right"),
    "faster": ("good", "triangle-left"),
    "no shift shown": ("unknown", "circle-open"),
}


def percentiles_figure(profile: Profile) -> Any:
    """A figure: percentiles over time, all together and of the endpoints with most time."""
    from plotly.subplots import make_subplots

    if not profile.slices.count:
        return None
    shown = [n for n in profile.used() if profile.counts[n].any()]
    numbers: list[int | None] = [None, *shown[:MOST_PANELS]] if len(shown) > 1 else [None]
    titles = [ALL if n is None else profile.names[n] for n in numbers]
    figure = make_subplots(
        rows=len(numbers), shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.25 / 7
    )
    for row, n in enumerate(numbers, 1):
        frame = over_time(profile, n)
        for name, colour in zip(PERCENTILES, COLOURS, strict=True):
            figure.add_scatter(
                x=frame["from (UTC)"],
                y=frame[f"{name}, ms"],
                name=name,
                legendgroup=name,
                showlegend=row == 1,
                mode="lines" if len(frame) > 1 else "markers",
                line={"color": colour, "shape": "hv"},
                row=row,
                col=1,
            )
        figure.update_yaxes(title="ms", **LOG_MS, row=row, col=1)
    figure.update_annotations(x=0, xanchor="left", font={"size": 13})
    figure.update_xaxes(title=_axis(profile), row=len(numbers), col=1)
    figure.update_layout(height=110 + PANEL * len(numbers), legend={"y": 1.04})
    return figure


def heat_figure(profile: Profile) -> Any:
    """A figure: how many answers took how long, over time. A band that splits in two is two kinds
    of answers, which no percentile shows."""
    import plotly.graph_objects as go

    history = profile.histories()
    if not history.any():
        return None
    rows = history.reshape(len(history), -1, BUCKETS_A_ROW).sum(axis=2).T
    used = np.flatnonzero(rows.any(axis=1))
    rows = rows[used[0] : used[-1] + 1]
    edges = COARSE.edges[::BUCKETS_A_ROW][used[0] : used[-1] + 2]
    count = rows.astype(float)
    powers = np.arange(0, np.ceil(np.log10(count.max())) + 1)
    figure = go.Figure(
        go.Heatmap(
            x=[when(at) for at in profile.slices.starts()],
            y=edges,
            z=np.where(count > 0, np.log10(np.maximum(count, 1)), np.nan).astype(np.float32),
            customdata=rows.astype(np.int32),
            hovertemplate="%{x}<br>%{y:.3g} ms: %{customdata:,} answers<extra></extra>",
            hoverongaps=False,
            zmin=0,
            colorscale=[[0, "rgba(59,118,184,0.15)"], [0.6, ACCENT], [1, "#c98a00"]],
            colorbar={
                "title": {"text": "answers"},
                "tickvals": powers,
                "ticktext": [f"{10**p:,.0f}" for p in powers],
                "outlinewidth": 0,
            },
        )
    )
    figure.update_yaxes(title="time to answer, ms", **LOG_MS)
    figure.update_xaxes(title=_axis(profile))
    figure.update_layout(height=420)
    return figure


def failures_figure(profile: Profile) -> Any:
    """A figure: the rate of requests above, and the share that failed below."""
    from plotly.subplots import make_subplots

    if not profile.slices.count:
        return None
    frame = over_time(profile)
    figure = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.1)
    rate = frame["requests"] / profile.slices.width_s
    at = frame["from (UTC)"]
    mode = "lines" if len(frame) > 1 else "markers"
    figure.add_scatter(x=at, y=rate, name="requests a second", mode=mode, row=1, col=1)
    figure.add_scatter(
        x=at,
        y=frame["failed, %"],
        name="failed, %",
        mode=mode,
        line={"color": TONES["bad"]},
        row=2,
        col=1,
    )
    figure.update_yaxes(title="requests a second", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="failed, %", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title=_axis(profile), row=2, col=1)
    figure.update_layout(height=420, showlegend=False)
    return figure


def shift_figure(comparison: Comparison) -> Any:
    """A figure: after over before, with bounds; what lies on the line did not move."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for verdict, (tone, symbol) in VERDICTS.items():
        own = [s for s in comparison.shifts if s.verdict == verdict]
        if not own:
            continue
        ratio = [s.ratio or 1.0 for s in own]
        figure.add_scatter(
            x=ratio,
            y=[_label(s) for s in own],
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [(s.high or 1.0) - r for s, r in zip(own, ratio, strict=True)],
                "arrayminus": [r - (s.low or 1.0) for s, r in zip(own, ratio, strict=True)],
            },
            mode="markers",
            marker={"size": 10, "symbol": symbol, "color": TONES[tone]},
            name=verdict,
        )
    if not figure.data:
        return None
    known = [_label(s) for s in comparison.shifts if s.low is not None]
    figure.add_vline(x=1, line_dash="dot")
    ticks = [n / d for n, d in ((1, 10), (1, 4), (1, 2), (3, 4), (1, 1), (5, 4), (3, 2), (2, 1))]
    ticks += [4, 10, 40, 100]
    figure.update_xaxes(
        title="after / before", type="log", tickvals=ticks, ticktext=[f"{t:g}" for t in ticks]
    )
    figure.update_yaxes(categoryorder="array", categoryarray=known[::-1])
    figure.update_layout(height=150 + 26 * len(known))
    return figure


def _label(shift: Shift) -> str:
    return f"{shift.endpoint} · {shift.percentile}"


def _axis(profile: Profile) -> str:
    width = profile.slices.width_s
    for unit, seconds in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if width >= seconds:
            many = width / seconds
            return f"UTC, in stretches of {many:g} {unit}{'s' * (many != 1)}"
    return f"UTC, in stretches of {width:g} seconds"
