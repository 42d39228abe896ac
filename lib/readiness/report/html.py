"""Blocks as HTML: semantic, with classes and no styles, legible even bare."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from .blocks import Block, Bullets, Facts, Fold, Heading, Mark, Paragraph, Section, Table, Text
from .text import as_html
from .writer import Writer

TEMPLATE = Path(__file__).parent / "template"
JOINTS = re.compile(r"(?<=[_.,:=/(])(?![_.,:=/(])|(?<=[0-9a-zA-Z]{12})(?=[0-9a-zA-Z]{4})")
WIDE = 5  # columns, from which a table may have to be scrolled on a small screen


def html_of(blocks: Sequence[Block]) -> str:
    return _Html().write(blocks)


def inline(text: Text) -> str:
    return _Html().inline(text)


def in_notebook(blocks: Sequence[Block]) -> str:
    """HTML for a notebook's output. The style goes with each, because JupyterLab takes outputs
    that are out of sight out of the page; the assessment strips it and brings its own."""
    return f'<style>{_style()}</style><div class="readiness">{html_of(blocks)}</div>'


@cache
def _style() -> str:
    lines = (TEMPLATE / "look.css").read_text(encoding="utf-8").splitlines()
    return "".join(line.strip() for line in lines if not line.strip().startswith("/*"))


class _Html(Writer):
    def text(self, text: str) -> str:
        return as_html(text)

    def heading(self, block: Heading) -> str:
        tag = f"h{block.level}"
        return f"<{tag}{_attribute('id', block.anchor)}>{self.inline(block.text)}</{tag}>"

    def paragraph(self, block: Paragraph) -> str:
        return f"<p{_attribute('class', block.kind)}>{self.inline(block.text)}</p>"

    def bullets(self, block: Bullets) -> str:
        tag = "ol" if block.ordered else "ul"
        return f"<{tag}>{''.join(f'<li>{self.inline(item)}</li>' for item in block.items)}</{tag}>"

    def facts(self, block: Facts) -> str:
        rows = (f"<dt>{as_html(k)}</dt><dd>{self.inline(v)}</dd>" for k, v in block.pairs)
        return f'<dl class="facts">{"".join(rows)}</dl>'

    def fold(self, block: Fold) -> str:
        kind = _attribute("class", f"fold {block.kind}".strip())
        head = f"<summary>{self.inline(block.summary)}</summary>"
        body = f'<div class="body">{self.write(block.body)}</div>'
        return f"<details{_attribute('id', block.anchor)}{kind}>{head}{body}</details>"

    def section(self, block: Section) -> str:
        return f"<div{_attribute('class', block.kind)}>{self.write(block.body)}</div>"

    def table(self, block: Table) -> str:
        heads = block.heads()
        if not heads:  # a caption is as wide as its table, which here is nothing
            said = f"<strong>{as_html(block.caption)}.</strong> " if block.caption else ""
            return f"<p>{said}{as_html(block.note)}</p>"
        caption = f"<caption>{as_html(block.caption)}</caption>" if block.caption else ""
        numbers = [_attribute("class", "n" if c.number else "") for c in heads]
        head = "".join(
            f'<th scope="col"{kind}>{as_html(c.title)}</th>'
            for c, kind in zip(heads, numbers, strict=True)
        )
        body = "".join(self._row(row, numbers, block.row_header) for row in block.rows)
        note = f'<p class="note">{as_html(block.note)}</p>' if block.note else ""
        # Wide ones take the focus, so that the keyboard can scroll them.
        box = 'class="scroll wide" tabindex="0"' if len(heads) >= WIDE else 'class="scroll"'
        label = as_html(block.caption or ", ".join(c.title for c in heads))
        kind = f"grid {block.kind}".strip()
        return (
            f'<div {box} role="group" aria-label="{label}"><table class="{kind}">{caption}'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>{note}"
        )

    def _row(self, row: Sequence[Text], numbers: Sequence[str], header: int | None) -> str:
        def cell(text: Text) -> str:
            if isinstance(text, str) and len(row) >= WIDE:
                return _breakable(text)
            return self.inline(text)

        cells = (
            f'<th scope="row"{kind}>{self.inline(text)}</th>'
            if n == header
            else f"<td{kind}>{cell(text)}</td>"
            for n, (text, kind) in enumerate(zip(row, numbers, strict=True))
        )
        return f"<tr>{''.join(cells)}</tr>"

    def mark(self, mark: Mark) -> str:
        shape = f'<span class="shape">{mark.shape}</span>'
        return f'<span class="mark {mark.tone}">{shape} {as_html(mark.word)}</span>'

    def code(self, text: str) -> str:
        return f"<code>{as_html(text)}</code>"

    def strong(self, text: str) -> str:
        return f"<strong>{as_html(text)}</strong>"

    def quiet(self, text: str) -> str:
        return f'<span class="quiet">{as_html(text)}</span>'

    def link(self, text: str, href: str) -> str:
        return f'<a href="{as_html(href)}">{as_html(text)}</a>'


def _breakable(text: str) -> str:
    """A text whose long words may be broken where they have joints, and digests anywhere: one that
    may not would take its column's room from the sentences beside it."""
    words = re.split(r"(\S{17,})", text)
    return "".join(
        "<wbr>".join(map(as_html, JOINTS.split(word))) if n % 2 else as_html(word)
        for n, word in enumerate(words)
    )


def _attribute(name: str, value: str) -> str:
    return f' {name}="{as_html(value)}"' if value else ""
