"""outputs/index.html: every environment at a glance, made anew after each run."""

from __future__ import annotations

from pathlib import Path

from .. import record
from ..finding import AREAS, now
from ..record import Record
from ..standing import Colour
from .blocks import Mark
from .html import TEMPLATE, inline
from .page import shell
from .sections import TITLES
from .text import as_html

NONE = '<p class="note">No environment has a complete run yet.</p>'


def index_page(outputs: Path) -> str:
    """The page; an environment without a complete run, or with one that cannot be read, says so."""
    rows = [_row(folder.name, outputs) for folder in _environments(outputs)]
    heads = ["Environment", "Run", "Measured", "Staging", "Production", *(TITLES[a] for a in AREAS)]
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    table = (
        '<div class="scroll wide" role="group" tabindex="0" aria-label="Environments">'
        '<table class="grid summary"><caption>The latest complete run of each environment'
        f"</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    body = (
        '<p class="overline">Production readiness</p><h1>All environments</h1>'
        f"{table if rows else NONE}"
    )
    made = f"Made at {now():%Y-%m-%d %H:%M} UTC."
    age = (TEMPLATE / "age.js").read_text(encoding="utf-8")
    return shell("Production readiness: all environments", body, [age], footer=made)


def _environments(outputs: Path) -> list[Path]:
    return sorted(p for p in outputs.iterdir() if p.is_dir() and not p.name.startswith((".", "_")))


def _row(environment: str, outputs: Path) -> str:
    name = as_html(environment)
    newest = record.latest(environment, outputs)
    if newest is None:
        return f'<tr><th scope="row">{name}</th><td colspan="10">no complete run</td></tr>'
    try:
        run = Record.read(newest)
    except record.RecordError:
        return f'<tr><th scope="row">{name}</th><td colspan="10">cannot be read</td></tr>'
    colours: dict[str, Colour] = {result.area: result.colour for result in run.areas}
    cells = [
        f'<a href="{name}/{as_html(newest.name)}/assessment.html">{as_html(newest.name)}</a>',
        f'<time datetime="{run.finished.isoformat()}">{run.finished:%Y-%m-%d %H:%M} UTC</time>',
        inline(Mark.verdict(run.decision.staging)),
        inline(Mark.verdict(run.decision.production)),
        *(inline(Mark.of(colours[area])) if area in colours else "—" for area in AREAS),
    ]
    return f'<tr><th scope="row">{name}</th>{"".join(f"<td>{c}</td>" for c in cells)}</tr>'
