"""The assessment of one run, section by section: what assessment.ipynb calls.

Everything here is read from the run folder and derived from findings; nothing is typed in, and
nothing is measured again.
"""

from __future__ import annotations

from pathlib import Path

from .. import policy as policies
from .. import record
from ..finding import AREAS, Finding
from ..policy import Stage
from . import figures, limits, matrix, method, summary
from .blocks import Block, Bullets, Code, Heading, Link, Paragraph, Piece, Section
from .display import use_our_look
from .document import Document, Parts
from .evidence_files import EvidenceFiles
from .kept_figures import KeptFigure, kept_figures
from .sections import TITLES, accounts, area_head, area_rest


class Assessment:
    """A run as a document. With no run given: the latest one of the demo."""

    def __init__(self, run: str | Path | None = None) -> None:
        folder = Path(run) if run else record.latest("demo")
        if folder is None:
            raise record.RecordError("no run of demo yet: make one with `readiness audit`")
        self.folder = folder.resolve()
        self.record = record.Record.read(self.folder)
        kept = self.folder / "params" / "policy.yaml"
        self.policy = policies.load(kept) if kept.exists() else policies.load()
        self.evidence = EvidenceFiles(self.folder, self.record.findings)
        self.areas = {result.area: result for result in self.record.areas}
        self.before = _read(self.folder.parent / (self.record.previous or ""))
        use_our_look()

    @property
    def stage(self) -> Stage:
        return self.record.stage

    def findings(self, area: str) -> list[Finding]:
        return [f for f in self.record.findings if f.area == area]

    def title(self) -> Document:
        """What was assessed, and the verdicts."""
        return Document(summary.head(self.record, self.policy))

    def summary(self) -> Document:
        """The six areas, the matrix and what could hurt most: the rest of page one."""
        risks = summary.risks(self.record.findings, self.policy)
        matrix_: list[Block] = [Heading(3, "Go / no-go")]
        matrix_ += [summary.matrix(self.record.decision.criteria)]
        hurts: list[Block] = [Heading(3, "Top risks")]
        hurts += [Bullets(risks) if risks else Paragraph("None was found.")]
        halves = Section("halves", [Section("half", matrix_), Section("half", hurts)])
        return Document([summary.areas(self.record, self.policy, self.before), halves])

    def next_steps(self) -> Document:
        """What to do next for each stage, from the smallest set of checks that has to pass."""
        said: list[Block] = summary.steps(self.record, self.stage) or [
            Paragraph("Nothing is open.")
        ]
        title = Heading(3, "What to do next", "what-to-do-next")
        return Document([title, Section("steps", said)])

    def answers(self) -> Parts:
        """How much of what policy asks was answered, in a sentence and as a figure."""
        rows = {
            area: (r.passed, r.failed, r.not_measured, r.not_applicable)
            if (r := self.areas.get(area))
            else (0, 0, len(self.policy.expected(area)), 0)
            for area in AREAS
            if area in self.areas or self.policy.expected(area)
        }
        said = Document([Paragraph(summary.counts(self.record.findings, self.policy))])
        return Parts([said, figures.answers(rows)])

    def area(self, name: str) -> Parts:
        """One area: evidence, figures, what works, what is missing, what GREEN takes, gaps."""
        place = AREAS.index(name) + 1
        if name not in self.areas:
            said = Paragraph("This area was not part of the run.")
            return Parts([Document([Heading(2, f"{place}. {TITLES[name]}", name), said])])
        own = self.findings(name)
        goal = self.record.decision.goal(self.stage, "GREEN", name)
        head = area_head(place, self.areas[name], own, self.policy, self.stage)
        rest = area_rest(own, goal, self.policy, self.stage)
        return Parts([Document(head), *self._figures(name), Document(rest)])

    def _figures(self, area: str) -> list[Document | KeptFigure]:
        """The figures that the area's notebook made, and where it can be read."""
        page = f"notebooks/{area}.html"
        said: list[Piece] = ["Collected, looked at and judged step by step in ", Link(page, page)]
        shown = kept_figures(self.folder / "notebooks" / f"{area}.ipynb")
        title: list[Block] = [Heading(3, "Figures")] if shown else []
        return [Document([Paragraph([*said, "."], "note"), *title]), *shown]

    def accounts(self) -> Document:
        """Every finding with everything about it, folded."""
        blocks: list[Block] = []
        for area in self.areas:
            blocks += accounts(area, self.findings(area), self.policy)
        return Document(blocks)

    def limitations(self) -> Document:
        return Document(limits.blocks(self.record, self.policy, self.evidence))

    def matrix(self) -> Document:
        """The go/no-go matrix, and the open points behind it."""
        return Document(matrix.matrix(self.record, self.policy))

    def recommendation(self) -> Document:
        """What follows from the decision, stage by stage."""
        return Document(matrix.recommendation(self.record, self.policy))

    def method(self) -> Document:
        """How it was measured: what a PASS rests on, and the receipt of the calibration."""
        return Document(method.calibration(self.record))

    def confidence(self) -> Document:
        return Document(method.confidence(self.record, self.policy))

    def provenance(self) -> Document:
        return Document(method.provenance(self.record, self.evidence))

    def validity(self) -> Document:
        """Until when a signature on this run can hold."""
        until = f"{self.record.valid_until:%Y-%m-%d %H:%M} UTC"
        said: list[Piece] = ["A signature on this run lapses at ", Code(until), ", when the first "]
        said += ["evidence or waiver that it rests on expires, and as soon as policy changes."]
        return Document([Paragraph(said)])


def _read(run: Path) -> record.Record | None:
    """The record of the run before, when it is still there."""
    try:
        return record.Record.read(run)
    except record.RecordError:
        return None
