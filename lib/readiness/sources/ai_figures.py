"""What the situations of an AI provider showed, to look at."""

from __future__ import annotations

from typing import Any

from ..evidence import Evidence


def situations_table(evidence: Evidence) -> Any:
    """A data frame: what was answered in each situation, by the provider and by the service."""
    import pandas as pd

    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    phases = {"entered": "provider itself", "still": "provider itself"}
    phases |= {"endpoint": "waits on it", "beside": "has nothing to do with it"}
    for record in evidence.records:
        if what := phases.get(record["phase"]):
            rows.setdefault((record["situation"], what, record["operation"]), []).append(record)
    columns = ["provider is", "who is asked", "operation", "requests", "answers", "slowest, ms"]
    table = []
    for key, answers in rows.items():
        said = dict.fromkeys(str(a["status"] or a["error"]) for a in answers)
        table.append([*key, len(answers), ", ".join(said), max(a["ms"] for a in answers)])
    return pd.DataFrame(table, columns=columns)


def situations_figure(evidence: Evidence) -> Any:
    """A figure: how long each answer took in each situation, and how long it may take."""
    import plotly.graph_objects as go

    if not evidence.records:
        return None
    figure = go.Figure()
    for phase, name, symbol in (
        ("endpoint", "waits on the provider", "circle"),
        ("beside", "has nothing to do with it", "x"),
    ):
        mine = [r for r in evidence.records if r["phase"] == phase]
        figure.add_scatter(
            x=[r["ms"] for r in mine],
            y=[f"{r['situation'].replace('_', ' ')} · {r['operation']}" for r in mine],
            mode="markers",
            marker={"size": 8, "opacity": 0.6, "symbol": symbol},
            name=name,
        )
    limits = {
        (one["kind"], r["operation"]): one["within_s"] * 1000
        for one in evidence.facts["situations"]
        for r in evidence.records
        if r["situation"] == one["kind"] and r["phase"] == "endpoint"
    }
    limits |= {
        (r["situation"], r["operation"]): r["within_ms"]
        for r in evidence.records
        if r["phase"] == "beside"
    }
    figure.add_scatter(
        x=list(limits.values()),
        y=[f"{kind.replace('_', ' ')} · {operation}" for kind, operation in limits],
        mode="markers",
        marker={"size": 18, "symbol": "line-ns", "line": {"width": 2}},
        name="may take",
    )
    figure.update_xaxes(type="log", dtick="D2", title="time to answer, ms")
    figure.update_yaxes(title="the provider, and who is asked", autorange="reversed")
    figure.update_layout(height=160 + 30 * len(limits))
    return figure
