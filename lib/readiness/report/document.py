"""What a notebook shows: blocks, rendered for whoever is looking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .blocks import Block
from .html import in_notebook
from .markdown import markdown_of
from .plain import plain_of


@dataclass
class Document:
    """Blocks that a notebook shows: as HTML where there is a browser, Markdown and text too."""

    blocks: list[Block] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)  # further media types for machines

    def _repr_html_(self) -> str:
        return in_notebook(self.blocks)

    def _repr_markdown_(self) -> str:
        return markdown_of(self.blocks)

    def __repr__(self) -> str:
        return plain_of(self.blocks)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": repr(self),
            "text/markdown": self._repr_markdown_(),
            "text/html": self._repr_html_(),
            **self.extra,
        }


@dataclass
class Parts:
    """Documents and figures that a notebook shows one after the other, from one cell."""

    shown: list[Any]

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for one in self.shown:
            display(one)  # type: ignore[no-untyped-call]
