"""Blocks as plain text, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

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
from .text import clean, line, value

WIDEST = 60  # characters of a column


def plain_of(blocks: Sequence[Block]) -> str:
    return "\n".join(text for block in blocks if (text := _block(block)))


def inline(text: Text) -> str:
    return "".join(_piece(piece) for piece in pieces(text))


def _block(block: Block) -> str:
    match block:
        case Heading(_, text, _):
            return f"\n{inline(text)}"
        case Paragraph(text, _):
            return inline(text)
        case Bullets(items, ordered):
            return "\n".join(
                f"  {f'{n}.' if ordered else '-'} {inline(item)}" for n, item in enumerate(items, 1)
            )
        case Facts(pairs):
            width = max((len(name) for name, _ in pairs), default=0)
            return "\n".join(f"  {name:<{width}}  {inline(text)}" for name, text in pairs)
        case Fold(summary, body, _, _):
            return f"{inline(summary)}\n{plain_of(body)}"
        case Section(_, body):
            return plain_of(body)
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    heads = table.heads()
    rows = [[head.title for head in heads]]
    rows += [[line(inline(cell), WIDEST) for cell in row] for row in table.rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    lines = [
        "  ".join(
            f"{cell:>{width}}" if head.number else f"{cell:<{width}}"
            for cell, width, head in zip(row, widths, heads, strict=True)
        ).rstrip()
        for row in rows
    ]
    return "\n".join(text for text in (table.caption, *lines, table.note) if text)


def _piece(piece: Piece) -> str:
    match piece:
        case str() | Mark():
            return clean(str(piece)).replace("\n", " ⏎ ")
        case Code(text) | Strong(text) | Quiet(text) | Link(text, _):
            return clean(text).replace("\n", " ⏎ ")
        case _:
            return value(piece)
