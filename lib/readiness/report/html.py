"""Blocks as HTML: semantic, with classes and no styles, legible even bare."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

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
from .text import as_html, value

TEMPLATE = Path(__file__).parent / "template"
WIDE = 5  # columns, from which a table may have to be scrolled on a small screen


def html_of(blocks: Sequence[Block]) -> str:
    return "\n".join(_block(block) for block in blocks)


def in_notebook(blocks: Sequence[Block]) -> str:
    """HTML for a notebook's output. The style goes with each, because JupyterLab takes outputs
    that are out of sight out of the page; the assessment strips it and brings its own."""
    return f'<style>{_style()}</style><div class="readiness">{html_of(blocks)}</div>'


def inline(text: Text) -> str:
    return "".join(_piece(piece) for piece in pieces(text))


@cache
def _style() -> str:
    lines = (TEMPLATE / "look.css").read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines if not line.strip().startswith("/*"))


def _block(block: Block) -> str:
    match block:
        case Heading(level, text, anchor):
            return f"<h{level}{_attribute('id', anchor)}>{inline(text)}</h{level}>"
        case Paragraph(text, kind):
            return f"<p{_attribute('class', kind)}>{inline(text)}</p>"
        case Bullets(items, ordered):
            tag = "ol" if ordered else "ul"
            return f"<{tag}>{''.join(f'<li>{inline(item)}</li>' for item in items)}</{tag}>"
        case Facts(pairs):
            rows = "".join(f"<dt>{as_html(k)}</dt><dd>{inline(v)}</dd>" for k, v in pairs)
            return f'<dl class="facts">{rows}</dl>'
        case Fold(summary, body, anchor, kind):
            attributes = _attribute("id", anchor) + _attribute("class", f"fold {kind}".strip())
            head = f"<summary>{inline(summary)}</summary>"
            return f'<details{attributes}>{head}<div class="body">{html_of(body)}</div></details>'
        case Section(kind, body):
            return f"<div{_attribute('class', kind)}>{html_of(body)}</div>"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    heads = table.heads()
    caption = f"<caption>{as_html(table.caption)}</caption>" if table.caption else ""
    head = "".join(
        f'<th scope="col"{_attribute("class", "n" if c.number else "")}>{as_html(c.title)}</th>'
        for c in heads
    )
    body = "".join(
        f"<tr>{''.join(_cell(table, i, text) for i, text in enumerate(row))}</tr>"
        for row in table.rows
    )
    note = f'<p class="note">{as_html(table.note)}</p>' if table.note else ""
    wide = len(heads) >= WIDE
    focus = ' tabindex="0"' if wide else ""  # so that the keyboard can scroll it
    label = as_html(table.caption or ", ".join(c.title for c in heads))
    return (
        f'<div class="scroll{" wide" if wide else ""}" role="group" aria-label="{label}"{focus}>'
        f'<table class="{f"grid {table.kind}".strip()}">{caption}<thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _cell(table: Table, index: int, text: Text) -> str:
    kind = _attribute("class", "n" if table.heads()[index].number else "")
    if index == table.row_header:
        return f'<th scope="row"{kind}>{inline(text)}</th>'
    return f"<td{kind}>{inline(text)}</td>"


def _piece(piece: Piece) -> str:
    match piece:
        case Mark(tone, word):
            shape = f'<span class="shape">{piece.shape}</span>'
            return f'<span class="mark {tone}">{shape} {as_html(word)}</span>'
        case Code(text):
            return f"<code>{as_html(text)}</code>"
        case Strong(text):
            return f"<strong>{as_html(text)}</strong>"
        case Quiet(text):
            return f'<span class="quiet">{as_html(text)}</span>'
        case Link(text, href):
            return f'<a href="{as_html(href)}">{as_html(text)}</a>'
        case str():
            return as_html(piece)
        case _:
            return as_html(value(piece))


def _attribute(name: str, value: str) -> str:
    return f' {name}="{as_html(value)}"' if value else ""
