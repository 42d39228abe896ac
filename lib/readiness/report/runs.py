"""The runs of an environment over time, for history.ipynb and the index."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from .. import record
from ..finding import AREAS
from ..history.comparison import Comparison, compare
from ..record import Record
from . import flips, trends
from .blocks import Block, Code, Column, Head, Mark, Paragraph, Table, Text
from .display import use_our_look
from .document import Document
from .look import Figure
from .sections import TITLES
from .text import line

MOST_RUNS = 200
COMPARED = 20  # runs, each with the one before it; comparing judges evidence again
SHOWN = 40  # rows of a table


def read_runs(
    environment: str, outputs: Path, most: int = MOST_RUNS, until: str = "~"
) -> tuple[list[Record], list[str]]:
    """The last runs of an environment, oldest first, and the names of those that cannot be read."""
    found, broken = [], []
    folders = [p for p in record.runs(environment, outputs) if p.name <= until]
    for folder in folders[-most:]:
        try:
            run = Record.read(folder)
        except record.RecordError:
            broken.append(folder.name)
            continue
        if run.run == folder.name:
            found.append(run)
        else:  # a copied folder is not a run of its own
            broken.append(folder.name)
    return found, broken


class History:
    """What the runs of an environment say when they are read one after the other."""

    def __init__(self, environment: str | None = None, outputs: str | Path | None = None) -> None:
        self.environment = environment or "demo"
        self._outputs = Path(outputs) if outputs else record.OUTPUTS
        self.runs, self.broken = read_runs(self.environment, self._outputs)
        most = max((len(run.areas) for run in self.runs), default=0)
        self.complete = [run for run in self.runs if len(run.areas) == most]
        use_our_look()

    def read(self) -> Document:
        """How many runs there are, and which cannot be read or were of some areas only."""
        said = f"{len(self.runs)} runs of {line(self.environment)} can be read."
        blocks: list[Block] = [Paragraph(said)]
        if self.broken:
            names = ", ".join(line(name) for name in self.broken[:SHOWN])
            blocks.append(Paragraph(f"Left out, as they cannot be read: {names}.", "note"))
        if partial := len(self.runs) - len(self.complete):
            said = f"{partial} were of some areas only; they are not compared with the others."
            blocks.append(Paragraph(said, "note"))
        return Document(blocks)

    def verdicts(self) -> Document:
        """One row a run, newest first: verdicts, colours, counts."""
        if not self.runs:
            return self._nothing()
        rows: list[list[Text]] = []
        for run in self.runs[: -SHOWN - 1 : -1]:
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
        caption = f"The runs of {self.environment}, newest first"
        return Document([Table(columns, rows, caption, row_header=0, note=self._cut(rows))])

    def colours(self) -> Figure | Document:
        """The colour of each area, run by run."""
        return trends.colours(self.runs) if self.runs else self._nothing()

    def confidence(self) -> Figure | Document:
        """The confidence in each area, run by run."""
        return trends.confidence(self.runs) if self.runs else self._nothing()

    def counts(self) -> Figure | Document:
        """How many checks passed, failed and were not measured, run by run."""
        return trends.counts(self.complete) if self.runs else self._nothing()

    def percentiles(self) -> Figure | Document:
        """The measured 95th percentile of each endpoint with its bounds, run by run."""
        return trends.percentiles([(self._folder(run), run) for run in self.complete])

    def outcomes(self) -> Document:
        """Colours and verdicts that turned between one run and the next, newest first."""
        tables = [flips.outcome(one) for one in self._compared if one.outcome]
        return Document([*tables] if tables else [self._none("colour or verdict turned")])

    def flips(self) -> Document:
        """Answers that differ between one run and the next, newest first, with their causes."""
        found = [(one.after, flip) for one in self._compared for flip in one.flips]
        if not found:
            return Document([self._none("answer differs")])
        note = f"{SHOWN} of {len(found):,} changes." if len(found) > SHOWN else ""
        return Document([flips.flips(found[:SHOWN], "Answers that differ, and why", note)])

    @cached_property
    def _compared(self) -> list[Comparison]:
        """Each of the last complete runs with the one before it, newest first."""
        pairs = list(pairwise(self.complete[-COMPARED - 1 :]))
        return [compare(self._folder(a), self._folder(b)) for a, b in reversed(pairs)]

    def _folder(self, run: Record) -> Path:
        return (self._outputs / self.environment / run.run).resolve()

    def _nothing(self) -> Document:
        return Document([Paragraph(f"There is no run of {self.environment} yet.", "note")])

    def _none(self, what: str) -> Paragraph:
        if len(self.complete) < 2:
            return Paragraph("Fewer than two complete runs: nothing to compare.", "note")
        return Paragraph(f"Between the last {len(self._compared) + 1} runs no {what}.", "note")

    def _cut(self, rows: Sequence[object]) -> str:
        return f"{len(rows)} of {len(self.runs)} runs." if len(rows) < len(self.runs) else ""
