"""Blocks as GitHub-flavoured Markdown, without HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

from .blocks import (
    Block,
    Bullets,
    Code,
    Facts,
    Fold,
    Heading,
    Link,
    Mark,
    Paragraph,
    Piece,
    Quiet,
    Section,
    Strong,
    Table,
    Text,
    pieces,
)
from .text import as_markdown, line, value

NUMBERED = r"(?<=^\d)\\\."
SAFE = ":/?#=&%.,~+@"  # of an address, as it stands between parentheses


def markdown_of(blocks: Sequence[Block]) -> str:
    return "\n\n".join(text for block in blocks if (text := _block(block)))


def inline(text: Text) -> str:
    return " ".join("".join(_piece(piece) for piece in pieces(text)).split())


def _block(block: Block) -> str:
    match block:
        case Heading(level, text, _):
            # After the signs of a heading, "1." begins no list.
            return f"{'#' * level} {re.sub(NUMBERED, r'.', inline(text), count=1)}"
        case Paragraph(text, _):
            return inline(text)
        case Bullets(items, ordered):
            signs = (f"{n}." if ordered else "-" for n in range(1, len(items) + 1))
            return "\n".join(
                f"{sign} {inline(item)}" for sign, item in zip(signs, items, strict=True)
            )
        case Facts(pairs):
            return "\n".join(f"- {as_markdown(k)}: {inline(v)}" for k, v in pairs)
        case Fold(summary, body, _, _):
            return f"#### {inline(summary)}\n\n{markdown_of(body)}"
        case Section(_, body):
            return markdown_of(body)
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    heads = table.heads()
    lines = [
        _row([as_markdown(head.title) for head in heads]),
        _row(["---:" if head.number else "---" for head in heads]),
        *(_row([inline(cell) for cell in row]) for row in table.rows),
    ]
    before = f"{as_markdown(table.caption)}:\n\n" if table.caption else ""
    after = f"\n\n{as_markdown(table.note)}" if table.note else ""
    return before + "\n".join(lines) + after


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _piece(piece: Piece) -> str:
    match piece:
        case Mark():
            return as_markdown(str(piece))
        case Code(text):
            return _code(line(text))
        case Strong(text):
            return f"**{as_markdown(line(text))}**"
        case Quiet(text):
            return as_markdown(text)
        case Link(text, href):
            label = as_markdown(line(text))
            return label if href.startswith("#") else f"[{label}]({quote(href, safe=SAFE)})"
        case str():
            return as_markdown(piece)
        case _:
            return as_markdown(value(piece))


def _code(text: str) -> str:
    """A code span that no backtick or pipe of its content ends."""
    if any(sign in text for sign in "`|\\"):
        return as_markdown(text)
    return f"`{text}`" if text else ""
