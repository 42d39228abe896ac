"""One look for every figure: the Plotly template "readiness", and figures that say what they show.

Colours are told apart by people who see few of them, and hold on light and dark ground alike. The
assessment sets text and lines by its own style sheet; what stands here is for JupyterLab.
"""

from __future__ import annotations

from typing import Any

from .blocks import Block, Paragraph, Table
from .figure_table import data_table
from .text import clean

FIGURE_TYPE = "application/vnd.plotly.v1+json"
ABOUT = "readiness"  # key of an output's metadata that holds a figure's caption
TONES = {"good": "#1b8a5a", "caution": "#c98a00", "bad": "#c8461e", "unknown": "#9aa0a6"}
ACCENT = "#3b76b8"
SERIES = [ACCENT, "#c98a00", "#1b8a5a", "#a3568f", "#c8461e", "#6b7c8c"]
INK, RULE = "#7a7f85", "rgba(128,128,128,0.28)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"


def template() -> Any:
    """The Plotly template: no chart junk, room for direct labels."""
    import plotly.graph_objects as go

    axis = {
        "showline": False,
        "zeroline": False,
        "gridcolor": RULE,
        "ticks": "outside",
        "ticklen": 6,
        "tickcolor": "rgba(0,0,0,0)",
        "automargin": True,
        "title": {"standoff": 12, "font": {"size": 13}},
    }
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": INK},
            "title": {"x": 0, "xanchor": "left", "font": {"size": 14}},
            "colorway": SERIES,
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 8, "r": 16, "t": 72, "b": 8},
            "height": 320,
            "hovermode": "closest",
            "hoverlabel": {"font": {"family": FONT, "size": 12}},
            "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
            "xaxis": {**axis, "showgrid": True},
            "yaxis": axis,
            "bargap": 0.35,
            "colorscale": {
                "sequential": [[0, "rgba(59,118,184,0.05)"], [1, ACCENT]],
            },
        }
    )


class Figure:
    """A Plotly figure with its caption, what it shows in a sentence, and its numbers as a table.

    The notebook keeps the figure's data (a few KB), the documents draw it from there.
    """

    def __init__(
        self, figure: Any, caption: str, alt: str = "", table: Table | None = None
    ) -> None:
        self.figure = figure
        self.caption = caption
        self.alt = alt or caption
        self.table = table or data_table(figure.to_plotly_json())

    def blocks(self) -> list[Block]:
        return [Paragraph(self.caption, "caption"), self.table]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        import json

        from .html import html_of
        from .markdown import markdown_of
        from .plain import plain_of

        drawn = json.loads(self.figure.to_json())
        # A notebook shows the figure alone, so there the caption is its title.
        drawn["layout"].setdefault("title", {"text": clean(self.caption)})
        data = {
            FIGURE_TYPE: drawn,
            "text/html": html_of([self.table]),
            "text/markdown": markdown_of(self.blocks()),
            "text/plain": plain_of(self.blocks()),
        }
        return data, {ABOUT: {"caption": clean(self.caption), "alt": clean(self.alt)}}
