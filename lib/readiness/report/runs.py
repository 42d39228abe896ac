"""The runs of an environment over time, for history.ipynb and the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from .. import record
from ..finding import AREAS, Finding
from ..record import Record
from .blocks import Code, Column, Head, Mark, Paragraph, Table, Text
from .display import use_our_look
from .document import Document
from .look import TONES, Figure
from .sections import TITLES
from .text import line

MOST_RUNS = 200
SYMBOLS = {"GREEN": "circle", "YELLOW": "triangle-up", "RED": "square"}


@dataclass(frozen=True)
class Flip:
    """A check whose status is another one than in the run before."""

    run: str
    before: Finding | None
    after: Finding


def read_runs(
    environment: str, outputs: Path, most: int = MOST_RUNS, until: str = "~"
) -> tuple[list[Record], list[str]]:
    """The last runs of an environment, oldest first, and the names of those that cannot be read."""
    found, broken = [], []
    folders = [p for p in record.runs(environment, outputs) if p.name <= until]
    for folder in folders[-most:]:
        try:
            found.append(Record.read(folder))
        except record.RecordError:
            broken.append(folder.name)
    return found, broken


def flips(runs: Sequence[Record]) -> list[Flip]:
    """Every change of a status from one run to the next, newest first."""
    found = []
    for before, after in pairwise(runs):
        known = {f.check: f for f in before.findings}
        found += [
            Flip(after.run, known.get(f.check), f)
            for f in after.findings
            if f.check not in known or known[f.check].status is not f.status
        ]
    return found[::-1]


class History:
    """What the runs of an environment say when they are read one after the other."""

    def __init__(self, environment: str | None = None, outputs: str | Path | None = None) -> None:
        self.environment = environment or "demo"
        folder = Path(outputs) if outputs else record.OUTPUTS
        self.runs, self.broken = read_runs(self.environment, folder)
        use_our_look()

    def verdicts(self) -> Document:
        """One row a run, newest first: verdicts, colours, counts."""
        if not self.runs:
            return Document([Paragraph(f"There is no run of {self.environment} yet.", "note")])
        rows: list[list[Text]] = []
        for run in reversed(self.runs):
            colours = {r.area: Mark.of(r.colour) for r in run.areas}
            rows.append(
                [
                    Code(run.run),
                    Mark.verdict(run.decision.staging),
                    Mark.verdict(run.decision.production),
                    *(colours.get(area, "—") for area in AREAS),
                    sum(r.passed for r in run.areas),
                    sum(r.failed for r in run.areas),
                    sum(r.not_measured for r in run.areas),
                ]
            )
        counts = [Column(name, True) for name in ("Passed", "Failed", "Unknown")]
        columns: list[Head] = ["Run", "Staging", "Production", *(TITLES[a] for a in AREAS), *counts]
        note = f"Not readable: {', '.join(self.broken)}." if self.broken else ""
        caption = f"The runs of {self.environment}, newest first"
        return Document([Table(columns, rows, caption, row_header=0, note=note)])

    def colours(self) -> Figure | Document:
        """The colour of each area, run by run."""
        if not self.runs:
            return self.verdicts()
        import plotly.graph_objects as go

        figure = go.Figure()
        for colour, symbol in SYMBOLS.items():
            seen = [(r, a) for r in self.runs for a in r.areas if a.colour == colour]
            mark = Mark.of(colour)
            figure.add_scatter(
                x=[run.finished.isoformat() for run, _ in seen],
                y=[TITLES[area.area] for _, area in seen],
                mode="markers",
                name=str(mark),
                marker={"symbol": symbol, "size": 13, "color": TONES[mark.tone]},
                hovertemplate="%{y}, %{x}<extra></extra>",
            )
        order = [TITLES[area] for area in AREAS]
        figure.update_layout(
            height=320,
            xaxis={"title": {"text": "run finished (UTC)"}, "type": "date"},
            yaxis={"categoryorder": "array", "categoryarray": order[::-1]},
        )
        return Figure(figure, "Colour of each area, run by run")

    def confidence(self) -> Figure | Document:
        """The confidence in each area, run by run."""
        if not self.runs:
            return self.verdicts()
        import plotly.graph_objects as go

        figure = go.Figure()
        for area in AREAS:
            seen = [
                (r.finished, a.confidence) for r in self.runs for a in r.areas if a.area == area
            ]
            figure.add_scatter(
                x=[moment.isoformat() for moment, _ in seen],
                y=[round(100 * share, 1) for _, share in seen],
                mode="lines+markers",
                name=TITLES[area],
                hovertemplate="%{y:.0f} %<extra>" + TITLES[area] + "</extra>",
            )
        figure.update_layout(
            height=360,
            xaxis={"title": {"text": "run finished (UTC)"}, "type": "date"},
            yaxis={"title": {"text": "confidence, %"}, "range": [0, 100]},
        )
        return Figure(figure, "Confidence in each area, run by run")

    def flips(self, most: int = 100) -> Document:
        """The checks whose status changed between one run and the next, newest first."""
        if len(self.runs) < 2:
            return Document([Paragraph("Fewer than two runs: nothing to compare.", "note")])
        found = flips(self.runs)
        if not found:
            return Document([Paragraph("No check changed its status between runs.", "note")])
        rows: list[list[Text]] = [
            [
                Code(flip.run),
                Code(flip.after.check),
                Mark.status(flip.before.status) if flip.before else "—",
                Mark.status(flip.after.status),
                line(flip.after.observed, 160),
            ]
            for flip in found[:most]
        ]
        columns: list[Head] = ["In run", "Check", "Before", "After", "Observed"]
        note = f"{most} of {len(found):,} changes." if len(found) > most else ""
        return Document([Table(columns, rows, "Changes of status", note=note)])
