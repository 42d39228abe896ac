"""Blocks as GitHub-flavoured Markdown, without HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from .blocks import Block, Bullets, Facts, Fold, Heading, Table, Text
from .text import as_markdown, line
from .writer import Writer

NUMBERED = r"(?<=^\d)\\\."
SAFE = ":/?#=&%.,~+@"  # of an address, as it stands between parentheses


def markdown_of(blocks: Sequence[Block]) -> str:
    return _Markdown().write(blocks)


class _Markdown(Writer):
    between = "\n\n"

    def text(self, text: str) -> str:
        return as_markdown(text)

    def inline(self, text: Text) -> str:
        return " ".join(super().inline(text).split())

    def heading(self, block: Heading) -> str:
        # After the signs of a heading, "1." begins no list.
        return f"{'#' * block.level} {re.sub(NUMBERED, r'.', self.inline(block.text), count=1)}"

    def bullets(self, block: Bullets) -> str:
        signs = (f"{n}." if block.ordered else "-" for n in range(1, len(block.items) + 1))
        items = zip(signs, block.items, strict=True)
        return "\n".join(f"{sign} {self.inline(item)}" for sign, item in items)

    def facts(self, block: Facts) -> str:
        return "\n".join(f"- {as_markdown(k)}: {self.inline(v)}" for k, v in block.pairs)

    def fold(self, block: Fold) -> str:
        return f"#### {self.inline(block.summary)}\n\n{self.write(block.body)}"

    def table(self, block: Table) -> str:
        heads = block.heads()
        lines = [
            _row([as_markdown(head.title) for head in heads]),
            _row(["---:" if head.number else "---" for head in heads]),
            *(_row([self.inline(cell) for cell in row]) for row in block.rows),
        ]
        before = f"{as_markdown(block.caption)}:\n\n" if block.caption else ""
        after = f"\n\n{as_markdown(block.note)}" if block.note else ""
        return before + "\n".join(lines) + after

    def code(self, text: str) -> str:
        """A code span that no backtick or pipe of its content ends."""
        text = line(text)
        if any(sign in text for sign in "`|\\"):
            return as_markdown(text)
        return f"`{text}`" if text else ""

    def strong(self, text: str) -> str:
        return f"**{as_markdown(line(text))}**"

    def link(self, text: str, href: str) -> str:
        label = as_markdown(line(text))
        return label if href.startswith("#") else f"[{label}]({quote(href, safe=SAFE)})"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
