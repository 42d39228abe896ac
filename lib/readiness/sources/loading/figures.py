"""Load in pictures and tables: over time, by category, step by step."""

from __future__ import annotations

from typing import Any

from ...evidence import Evidence
from ..load import missed, percentiles

PERCENTILES = ("p50", "p95", "p99")
HEIGHT = 380


def by_category(evidence: Evidence) -> Any:
    """A data frame: each percentile of each category against its target, in ms."""
    import pandas as pd

    columns = ["category", "percentile", "samples", "worth", "estimate", "low", "high", "target"]
    rows = [
        [row.get(c) for c in columns] + [row["standing"]] for row in percentiles(evidence.records)
    ]
    heads = ["estimate, ms", "at least, ms", "at most, ms", "target, ms", "target is"]
    return pd.DataFrame(rows, columns=["category", "percentile", "samples", "worth", *heads]).round(
        2
    )


def answers(evidence: Evidence) -> Any:
    """A data frame: how many requests of each category, and what was no answer."""
    import pandas as pd

    rows = [
        {
            "category": row["category"],
            "requests": row["requests"],
            "requests/s": row["per_s"],
            "no answers": ", ".join(f"{k}: {n:,}" for k, n in row["problems"].items()) or "—",
        }
        for row in evidence.records
    ]
    return pd.DataFrame(rows)


def against_locust(evidence: Evidence) -> Any:
    """A data frame: Locust's own percentiles and those of the samples, of all that was sent."""
    import pandas as pd

    heads = {
        **{name: name for name in ("request", "requests", "samples", "percentile")},
        "locust_ms": "Locust, ms",
        "samples_ms": "samples, ms",
        "differs_percent": "differs, %",
    }
    frame = pd.DataFrame(evidence.facts.get("locust", []), columns=list(heads))
    return frame.rename(columns=heads)


def heat_figure(evidence: Evidence) -> Any:
    """A figure: how many answers took how long, from the first user on; its table has what is over
    time. None where the samples are not at hand."""
    from ...report.display import table_of
    from ...report.look import Figure
    from ..latencies import figures, tables
    from ..latencies.reading import profile_of_samples

    content = evidence.files.get("samples.parquet")
    profile = profile_of_samples(content) if content else None
    drawn = figures.heat_figure(profile) if profile else None
    if not profile or not drawn:
        return None
    table = table_of(tables.over_time(profile))
    return Figure(drawn, "How many answers took how long, warm-up included", table=table)


def timeline_figure(evidence: Evidence) -> Any:
    """A figure: percentiles over time above, requests and failures a second below."""
    from plotly.subplots import make_subplots

    rows = evidence.facts.get("timeline")
    if not rows:
        return None
    figure = make_subplots(
        rows=2, shared_xaxes=True, row_heights=[0.65, 0.35], vertical_spacing=0.08
    )
    second = [row["second"] for row in rows]
    for name in PERCENTILES:
        figure.add_scatter(
            x=second, y=[row[name] for row in rows], name=name, mode="lines", row=1, col=1
        )
    figure.add_scatter(
        x=second,
        y=[row["requests_per_s"] for row in rows],
        name="requests",
        mode="lines",
        row=2,
        col=1,
    )
    figure.add_scatter(
        x=second,
        y=[row["failed_per_s"] for row in rows],
        name="failed",
        mode="lines",
        line={"dash": "dot"},
        row=2,
        col=1,
    )
    figure.update_yaxes(title="time to answer, ms", type="log", row=1, col=1)
    figure.update_yaxes(title="per second", rangemode="tozero", row=2, col=1)
    figure.update_xaxes(title="seconds since the warm-up", row=2, col=1)
    figure.update_layout(height=HEIGHT + 80)
    return figure


def distribution_figure(evidence: Evidence) -> Any:
    """A figure: how the answers of each category are spread, and where its targets lie."""
    import plotly.graph_objects as go

    figure = go.Figure()
    for n, row in enumerate(evidence.records):
        bins = row["distribution"]
        if not bins:
            continue
        middle = [(one["from_ms"] * one["to_ms"]) ** 0.5 for one in bins]
        share = [100 * one["samples"] / row["samples"] for one in bins]
        figure.add_scatter(x=middle, y=share, mode="lines", line_shape="hvh", name=row["category"])
        figure.add_scatter(
            x=list(row["targets"].values()),
            y=[-1.5 * (n + 1)] * len(row["targets"]),
            mode="markers+text",
            marker={"symbol": "line-ns", "size": 12, "line": {"width": 2}},
            text=[f" {name}" for name in row["targets"]],
            textposition="middle right",
            name=f"targets of {row['category']}",
        )
    if not figure.data:
        return None
    figure.update_xaxes(type="log", title="time to answer, ms", dtick="D2")
    figure.update_yaxes(title="share of answers, %")
    figure.update_layout(height=HEIGHT)
    return figure


def curve_figure(evidence: Evidence) -> Any:
    """A figure: what more users bring, in throughput, and what they cost, in latency."""
    import plotly.graph_objects as go

    if not evidence.records:
        return None
    figure = go.Figure()
    categories = [row["category"] for row in evidence.records[0]["categories"]]
    for category in categories:
        points = [
            (step["per_s"], row["estimate"], step["users"])
            for step in evidence.records
            for one in step["categories"]
            if one["category"] == category
            for row in one["percentiles"]
            if row["percentile"] == "p95"
        ]
        figure.add_scatter(
            x=[x for x, _, _ in points],
            y=[y for _, y, _ in points],
            text=[f"{users}" for _, _, users in points],
            textposition="top center",
            mode="lines+markers+text",
            name=f"{category}, p95",
        )
    at = knee(evidence)
    if at:
        figure.add_vline(
            x=at["per_s"],
            line_dash="dot",
            annotation_text=f"knee: {at['users']} users",
            annotation_position="bottom left",
        )
    figure.update_xaxes(
        title="requests a second (the number at a point: users)", rangemode="tozero"
    )
    figure.update_yaxes(title="95th percentile, ms", type="log")
    figure.update_layout(height=HEIGHT)
    return figure


def knee(evidence: Evidence) -> dict[str, Any] | None:
    """The step with most throughput for its latency (Kleinrock's power); None for a single step."""

    def power(step: dict[str, Any]) -> float:
        p50 = [r["estimate"] for c in step["categories"] for r in c["percentiles"][:1]]
        return float(step["per_s"] / (sum(p50) / len(p50))) if p50 else 0.0

    return max(evidence.records, key=power) if len(evidence.records) > 1 else None


def steps_table(evidence: Evidence) -> Any:
    """A data frame: each step, what it carried, what it missed and what the target needed."""
    import pandas as pd

    rows = []
    for step in evidence.records:
        seen = step["resources"]
        rows.append(
            {
                "users": step["users"],
                "requests/s": step["per_s"],
                "missed": "; ".join(missed(step)) or "—",
                "connections": max((r.get("connections", 0) for r in seen), default=None),
                "CPU of the service, %": _middle(seen, "cpu_percent"),
                "CPU free, %": _middle(seen, "cpu_free_percent"),
            }
        )
    return pd.DataFrame(rows)


def memory_figure(evidence: Evidence) -> Any:
    """A figure: resident memory against the requests answered so far, warm-up apart."""
    import plotly.graph_objects as go

    rows = [row for row in evidence.facts.get("resources", []) if row.get("rss_bytes")]
    if not rows:
        return None
    figure = go.Figure()
    for name, part in (
        ("warm-up", [row for row in rows if row["second"] < 0]),
        ("counted", [row for row in rows if row["second"] >= 0]),
    ):
        figure.add_scatter(
            x=[row["requests"] for row in part],
            y=[row["rss_bytes"] / 2**20 for row in part],
            mode="markers",
            marker={"symbol": "circle-open" if name == "warm-up" else "circle"},
            name=name,
        )
    figure.update_xaxes(title="requests so far")
    figure.update_yaxes(title="resident memory, MiB")
    figure.update_layout(height=HEIGHT - 80)
    return figure


def _middle(rows: list[dict[str, Any]], key: str) -> float | None:
    known = sorted(row[key] for row in rows if key in row)
    return known[len(known) // 2] if known else None
