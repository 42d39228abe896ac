"""The figures that the notebooks of a run made, shown again in its assessment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .look import ABOUT, FIGURE_TYPE
from .text import as_html

LARGEST_BYTES = 200_000  # of one figure's data; a larger one shows its numbers only
ASIDE = "too large to be drawn here, its numbers:"


class KeptFigure:
    """A figure as an executed notebook has it: data, numbers, caption."""

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self.data = data
        self.metadata = metadata

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> Any:
        return self.data, self.metadata


def kept_figures(notebook: Path) -> list[KeptFigure]:
    """The figures of an executed notebook in their order; none when it cannot be read."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return []
    outputs = (o for cell in cells for o in cell.get("outputs", []) if "data" in o)
    return [
        _kept(o["data"], o["metadata"].get(ABOUT, {})) for o in outputs if FIGURE_TYPE in o["data"]
    ]


def _kept(data: dict[str, Any], about: dict[str, Any]) -> KeptFigure:
    shown = {kind: "".join(text) for kind, text in data.items() if kind.startswith("text/")}
    figure = data.get(FIGURE_TYPE)
    if len(json.dumps(figure)) <= LARGEST_BYTES:
        return KeptFigure({**shown, FIGURE_TYPE: figure}, {ABOUT: about})
    caption = as_html(f"{about.get('caption', 'Figure')}; {ASIDE}")
    html = f'<p class="caption">{caption}</p>{shown.get("text/html", "")}'
    return KeptFigure({**shown, "text/html": html}, {})
