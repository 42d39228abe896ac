"""Blocks as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .blocks import Block, Bullets, Facts, Fold, Heading, Table, Text
from .text import clean, line
from .writer import Writer

WIDEST = 60  # characters of a column


def plain_of(blocks: Sequence[Block]) -> str:
    return _Plain().write(blocks)


def inline(text: Text) -> str:
    return _Plain().inline(text)


class _Plain(Writer):
    def text(self, text: str) -> str:
        return clean(text).replace("\n", " ⏎ ")

    def heading(self, block: Heading) -> str:
        return f"\n{self.inline(block.text)}"

    def bullets(self, block: Bullets) -> str:
        signs = (f"{n}." if block.ordered else "-" for n in range(1, len(block.items) + 1))
        items = zip(signs, block.items, strict=True)
        return "\n".join(f"  {sign} {self.inline(item)}" for sign, item in items)

    def facts(self, block: Facts) -> str:
        width = max((len(name) for name, _ in block.pairs), default=0)
        return "\n".join(f"  {name:<{width}}  {self.inline(text)}" for name, text in block.pairs)

    def fold(self, block: Fold) -> str:
        return f"{self.inline(block.summary)}\n{self.write(block.body)}"

    def table(self, block: Table) -> str:
        heads = block.heads()
        rows = [[head.title for head in heads]]
        rows += [[line(self.inline(cell), WIDEST) for cell in row] for row in block.rows]
        widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
        lines = [
            "  ".join(
                f"{cell:>{width}}" if head.number else f"{cell:<{width}}"
                for cell, width, head in zip(row, widths, heads, strict=True)
            ).rstrip()
            for row in rows
        ]
        return "\n".join(text for text in (block.caption, *lines, block.note) if text)
