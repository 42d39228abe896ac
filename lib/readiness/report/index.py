"""outputs/index.html: every environment at a glance with its trend, made anew after each run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import record
from ..attestation import envelopes_of, sign_off_of
from ..finding import AREAS, now
from ..policy import STAGES
from ..record import Record
from .blocks import Mark
from .html import TEMPLATE, inline
from .page import shell
from .runs import read_runs
from .sections import TITLES
from .text import as_html

NONE = '<p class="note">No environment has a complete run yet.</p>'
LAST = 8  # runs of a trend
HEADS = ("Run", "Staging", "Production", *(TITLES[a] for a in AREAS), "Confidence")
ABOUT = (
    "The latest complete run of each environment. Shapes in a row are its last runs, the newest at "
    "the right: ● is GREEN or GO, ▲ YELLOW or CONDITIONAL GO, ■ RED or NO-GO. Confidence is the "
    "mean of the areas. Times are UTC."
)


def index_page(outputs: Path) -> str:
    """The page; an environment without a complete run, or with one that cannot be read, says so."""
    rows = [_row(folder.name, outputs) for folder in record.environments(outputs)]
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Environment", *HEADS))
    table = (
        f"<p>{ABOUT}</p>"
        '<div class="scroll wide" role="group" tabindex="0" aria-label="Environments">'
        '<table class="grid summary environments">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
    body = (
        '<p class="overline">Production readiness</p><h1>All environments</h1>'
        f"{table if rows else NONE}"
    )
    made = f"Made at {now():%Y-%m-%d %H:%M} UTC."
    age = (TEMPLATE / "age.js").read_text(encoding="utf-8")
    return shell("Production readiness: all environments", body, [age], footer=made)


def _row(environment: str, outputs: Path) -> str:
    newest = record.latest(environment, outputs)
    if newest is None:
        return _says(environment, "no complete run")
    try:
        run = Record.read(newest)
    except record.RecordError:
        return _says(environment, "the latest run cannot be read")
    runs, broken = read_runs(environment, outputs, LAST, until=newest.name)
    areas = {result.area for result in run.areas}
    # A run of some areas only says nothing of the whole.
    runs = [one for one in runs if {result.area for result in one.areas} == areas]
    colours = [{result.area: str(result.colour) for result in one.areas} for one in runs]
    cells = [
        f"{_link(environment, run, broken)}<br>{_signed(newest)}",
        *(_trend([str(getattr(one.decision, stage)) for one in runs]) for stage in STAGES),
        *(_trend([said[area] for said in colours if area in said]) for area in AREAS),
        _confidence([_mean(one) for one in runs]),
    ]
    data = "".join(
        f'<td data-head="{head}"><div>{cell}</div></td>'
        for head, cell in zip(HEADS, cells, strict=True)
    )
    return f'<tr><th scope="row">{as_html(environment)}</th>{data}</tr>'


def _says(environment: str, said: str) -> str:
    name = as_html(environment)
    return f'<tr><th scope="row">{name}</th><td colspan="{len(HEADS)}">{said}</td></tr>'


def _link(environment: str, run: Record, broken: Sequence[str]) -> str:
    address = as_html(f"{environment}/{run.run}/assessment.html")
    time = f"{run.finished:%Y-%m-%d %H:%M}"
    unread = f"<br>{len(broken)} of the last runs cannot be read" if broken else ""
    return (
        f'<a href="{address}">{as_html(run.run)}</a><br>'
        f'<time class="quiet" datetime="{run.finished.isoformat()}">{time}</time>{unread}'
    )


def _signed(run: Path) -> str:
    """Who signed, as the run says it; whether that holds, ``readiness verify`` tells."""
    try:
        said = [sign_off_of(envelope) for envelope in envelopes_of(run)]
    except (OSError, ValueError, KeyError, TypeError):
        return "signatures cannot be read"
    names = (f"{as_html(one.role)}: {as_html(one.decision)}" for one in said)
    return "<br>".join(names) or "not signed"


def _trend(states: Sequence[str]) -> str:
    """The newest state in words, and the last ones as shapes."""
    if not states:
        return "—"
    marks = [Mark.of(state) for state in states]
    said = as_html(f"last runs: {', '.join(mark.word for mark in marks)}")
    shapes = "".join(f'<span class="mark {m.tone}">{m.shape}</span>' for m in marks)
    trail = f'<br><span class="trail" role="img" aria-label="{said}">{shapes}</span>'
    return inline(marks[-1]) + (trail if len(marks) > 1 else "")


def _mean(run: Record) -> float:
    return sum(r.confidence for r in run.areas) / len(run.areas) if run.areas else 0.0


def _confidence(shares: Sequence[float]) -> str:
    """The newest confidence, and a line of the last ones between 0 and 100 %."""
    said = f"{shares[-1]:.0%}"
    if len(shares) < 2:
        return said
    step = 68 / (len(shares) - 1)
    points = [(2 + n * step, 21 - 20 * share) for n, share in enumerate(shares)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    label = as_html(f"last runs: {', '.join(f'{share:.0%}' for share in shares)}")
    return (
        f'{said}<br><svg class="spark" role="img" aria-label="{label}" width="72" height="24" '
        f'viewBox="0 0 72 24"><path d="M0 22.5H72" class="ground"/>'
        f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.2"/></svg>'
    )
