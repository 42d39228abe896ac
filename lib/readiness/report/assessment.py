"""The assessment of one run, section by section: what assessment.ipynb calls.

Everything here is read from the run folder and derived from findings; nothing is typed in, and
nothing is measured again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from .. import policy as policies
from .. import record
from ..decision import AreaResult, Cell, Condition, Decision, Verdict
from ..finding import AREAS, Finding, Reason, Status
from ..policy import STAGES, Stage
from . import figures, limits, method
from .blocks import (
    Block,
    Bullets,
    Code,
    Column,
    Fold,
    Head,
    Heading,
    Link,
    Mark,
    Paragraph,
    Piece,
    Section,
    Strong,
    Table,
    Text,
    number,
)
from .display import use_our_look
from .document import Document
from .evidence_files import EvidenceFiles
from .look import Figure
from .sections import (
    TITLES,
    accounts,
    area_blocks,
    gravest_first,
    settled,
    stands_in_the_way,
    unmeasurable,
)
from .text import line, sentence

FIRST_STEPS = 5
FEW = 3  # checks that are named in a sentence; the table of open points names all


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
        use_our_look()

    @property
    def stage(self) -> Stage:
        return self.record.stage

    @property
    def decision(self) -> Decision:
        return self.record.decision

    @cached_property
    def areas(self) -> dict[str, AreaResult]:
        return {result.area: result for result in self.record.areas}

    def findings(self, area: str) -> list[Finding]:
        return [f for f in self.record.findings if f.area == area]

    def title(self) -> Document:
        """What was assessed, and the verdicts."""
        r = self.record
        target = " ".join(part for part in (r.target.name, r.target.version) if part)
        about: list[Piece] = [f"Environment {r.environment}, run ", Code(r.run)]
        about += [f", finished {r.finished:%Y-%m-%d %H:%M} UTC. "]
        about += ["Commit ", Code(line(r.target.commit)[:12]), ". "] if r.target.commit else []
        about += [f"Audited by readiness {r.tool.version}, commit ", Code(r.tool.commit), "."]
        boxes = [self._verdict_box(stage) for stage in STAGES]
        return Document(
            [
                Paragraph("Production readiness assessment", "overline"),
                Heading(1, line(target, 120)),
                Paragraph(about, "about"),
                Section("verdicts", boxes),
            ]
        )

    def _verdict_box(self, stage: Stage) -> Section:
        verdict: Verdict = getattr(self.decision, stage)
        mark = Mark.verdict(verdict)
        body: list[Block] = [
            Paragraph(stage.capitalize(), "overline"),
            Paragraph([mark], "verdict"),
            Paragraph(self._in_short(stage)),
        ]
        return Section(f"box {mark.tone}", body)

    def _in_short(self, stage: Stage) -> str:
        """Why the verdict is what it is, in a few words."""
        open_ = len({c.check for c in self.decision.conditions if c.stage == stage})
        if barring := self._barring(stage):
            return f"Barred by {len(barring)} of {len(self.decision.criteria)} criteria."
        points = _many(open_, "open point")
        return f"{points}, none of them barring." if open_ else "Nothing is open."

    def _because(self, stage: Stage) -> str:
        """Why the verdict is what it is, by name."""
        barring = self._barring(stage)
        return f"Barred by {_and(barring)}." if barring else self._in_short(stage)

    def _barring(self, stage: Stage) -> list[str]:
        cells = {c.criterion: getattr(c, stage) for c in self.decision.criteria}
        return [
            c.title
            for c in self.policy.criteria
            if stage in c.blocking and cells.get(c.title) is Cell.NO_GO
        ]

    def summary(self) -> Document:
        """The six areas: colour, what the unknowns could make of it, confidence, counts."""
        rows = [self._summary_row(area) for area in AREAS if self._concerns(area)]
        columns: list[Head] = [
            "Area",
            "Status",
            Column("Confidence, %", True),
            "With every unknown settled",
            Column("Passed", True),
            Column("Failed", True),
            Column("Unknown", True),
            Column("N/A", True),
        ]
        caption = f"The six areas, by what {self.stage} requires"
        return Document([Table(columns, rows, caption, row_header=0, kind="summary")])

    def _summary_row(self, area: str) -> list[Text]:
        name = Link(TITLES[area], f"#{area}")
        r = self.areas.get(area)
        if r is None:
            left_out = len(self.policy.expected(area))
            return [
                name,
                Mark("unknown", "NOT RUN"),
                "0",
                "not part of this run",
                0,
                0,
                left_out,
                0,
            ]
        return [
            name,
            Mark.of(r.colour),
            number(100 * r.confidence),
            settled(r),
            r.passed,
            r.failed,
            r.not_measured,
            r.not_applicable,
        ]

    def _concerns(self, area: str) -> bool:
        return area in self.areas or bool(self.policy.expected(area))

    def answers(self) -> Figure:
        """How much of what policy asks was answered, as a figure."""
        rows = {
            area: (r.passed, r.failed, r.not_measured, r.not_applicable)
            if (r := self.areas.get(area))
            else (0, 0, len(self.policy.expected(area)), 0)
            for area in AREAS
            if self._concerns(area)
        }
        return figures.answers(rows)

    def verdict(self) -> Document:
        """The verdict for each stage in words, and what to settle first."""
        items: list[Text] = []
        for stage in STAGES:
            verdict: Verdict = getattr(self.decision, stage)
            said: list[Piece] = [Mark.verdict(verdict), f" for {stage}. {self._because(stage)}"]
            bare = self.decision.without_waivers.get(stage, verdict)
            if bare is not verdict:
                said += [" Without its waivers it would be ", Mark.verdict(bare), "."]
            items.append(said)
        blocks: list[Block] = [Bullets(items), Paragraph(self._counts())]
        if steps := self._first_steps():
            blocks += [Heading(3, f"First to settle for {self.stage}"), Bullets(steps, True)]
        return Document(blocks)

    def _counts(self) -> str:
        found = self.record.findings
        waived = sum(bool(f.waiver) for f in found)
        carried = sum(bool(f.carried_over) for f in found)
        broke = sum(f.status is Status.ERROR for f in found)
        blind = sum(f.reason is Reason.NO_CHECK for f in found)
        answered = sum(f.status.known for f in found)
        answered_for = {f.check for f in found}
        left_out = [c for c in self.policy.checks if c not in answered_for]
        expected = len(found) + len(left_out)
        said = [f"{answered} of {expected} expected checks were answered."]
        said += [f"{len(left_out)} were not part of this run."] if left_out else []
        said += [f"{blind} cannot be measured by this version yet."] if blind else []
        said += [f"{broke} broke."] if broke else []
        said += [f"{carried} failed in an earlier run and were not measured since."] * bool(carried)
        said += [f"{waived} {'is' if waived == 1 else 'are'} waived."] if waived else []
        return " ".join(said)

    def _first_steps(self) -> list[Text]:
        open_ = [
            f
            for f in self.record.findings
            if stands_in_the_way(f, self.policy, self.stage) and not unmeasurable(f)
        ]
        return [
            [
                Mark.status(f.status),
                " ",
                Link(line(f.title), f"#{f.check}"),
                f": {line(f.observed, 160)}",
            ]
            for f in gravest_first(open_, self.policy)[:FIRST_STEPS]
        ]

    def area(self, name: str) -> Document:
        """One area: evidence, what works, what is missing, what GREEN takes, minor gaps."""
        if name not in self.areas:
            title = f"{AREAS.index(name) + 1}. {TITLES[name]}"
            said = "This area was not part of the run."
            return Document([Heading(2, title, name), Paragraph(said)])
        place = AREAS.index(name) + 1
        blocks = area_blocks(place, self.areas[name], self.findings(name), self.policy, self.stage)
        return Document(blocks)

    def latency(self) -> Figure | Document:
        """The measured latencies against their targets, when the run measured them."""
        return figures.latency(self.evidence)

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
        by_check = {f.check: f for f in self.record.findings}
        rows: list[list[Text]] = []
        for result in self.decision.criteria:
            passed = sum(by_check[c].status is Status.PASS for c in result.checks if c in by_check)
            rows.append(
                [
                    result.criterion,
                    Mark.of(result.staging),
                    Mark.of(result.production),
                    f"{passed} of {len(result.checks)}",
                ]
            )
        columns: list[Head] = ["Criterion", "Staging", "Production", Column("Checks passed", True)]
        blocks: list[Block] = [Table(columns, rows, row_header=0, kind="matrix")]
        accepted = [
            f"{criterion.title} for {stage}, {how}"
            for criterion in self.policy.criteria
            for stage, how in criterion.accept.items()
        ]
        said = "GO* is a GO with open points: unknowns that the stage does not require, waivers"
        said += f", or gaps that policy accepts ({'; '.join(accepted)})." if accepted else "."
        blocks.append(Paragraph(said, "note"))
        if self.decision.conditions:
            count = len(self.decision.conditions)
            blocks.append(Fold(f"The {count} open points behind the matrix", [self._open_points()]))
        return Document(blocks)

    def _open_points(self) -> Table:
        rows: list[list[Text]] = [
            [result.criterion, stage.capitalize(), sentence(why).rstrip("."), _codes(checks)]
            for result in self.decision.criteria
            for stage in STAGES
            for why, checks in _by_reason(result.conditions, stage)
        ]
        return Table(["Criterion", "Stage", "Open because", "Checks"], rows)

    def recommendation(self) -> Document:
        """What follows from the decision: the verdict asked for, and what production takes."""
        verdict: Verdict = getattr(self.decision, self.stage)
        said: list[Piece] = [Mark.verdict(verdict), f" for {self.stage}."]
        blocks: list[Block] = [Paragraph(said, "lead")]
        for stage in STAGES:
            verdict = getattr(self.decision, stage)
            if verdict is Verdict.NO_GO:
                blocks.append(Paragraph(f"A GO for {stage} requires:"))
                blocks.append(Bullets(self._requirements(stage, self._barring(stage)), True))
            elif verdict is Verdict.CONDITIONAL_GO:
                opens = [
                    r.criterion for r in self.decision.criteria if getattr(r, stage) is not Cell.GO
                ]
                blocks.append(Paragraph(f"{stage.capitalize()} is accepted with these open:"))
                blocks.append(Bullets(self._requirements(stage, opens)))
        return Document(blocks)

    def _requirements(self, stage: Stage, criteria: Sequence[str]) -> list[Text]:
        items: list[Text] = []
        accepts = {c.title: c.accept.get(stage) for c in self.policy.criteria}
        for result in self.decision.criteria:
            if result.criterion not in criteria:
                continue
            said: list[Piece] = [Strong(result.criterion)]
            if (how := accepts.get(result.criterion)) and getattr(result, stage) is not Cell.NO_GO:
                said.append(f" ({how})")
            said.append(": ")
            for n, (why, checks) in enumerate(_by_reason(result.conditions, stage)):
                said += ["; "] if n else []
                said += _to_do(why, checks)
            items.append([*said, "."])
        return items

    def method(self) -> Document:
        """How it was measured: what a PASS rests on, and the receipt of the calibration."""
        return Document(method.calibration(self.record))

    def confidence(self) -> Document:
        return Document(method.confidence(self.record, self.policy))

    def provenance(self) -> Document:
        return Document(method.provenance(self.record, self.evidence))


def _by_reason(conditions: Sequence[Condition], stage: Stage) -> list[tuple[str, list[str]]]:
    """The open points of a stage by why they are open, failures first."""
    grouped: dict[str, list[str]] = {}
    for condition in conditions:
        if condition.stage == stage:
            grouped.setdefault(condition.why, []).append(condition.check)
    return sorted(grouped.items(), key=lambda item: (not item[0].startswith("failed"), item[0]))


def _to_do(why: str, checks: Sequence[str]) -> list[Piece]:
    """What settles open points that share a reason; many of them by their number."""
    named = _codes(checks) if len(checks) <= FEW else [f"{len(checks)} checks"]
    if why == "failed":
        return ["repair ", *named]
    if why.startswith("not measured: "):
        reason = why.removeprefix("not measured: ").replace("no check", "no check yet")
        return ["measure ", *named, f" ({reason})"]
    if why.startswith("only "):
        seen, _, required = why.removeprefix("only ").removesuffix(" is required").partition(", ")
        return [f"show as {required} what was seen as {seen}: ", *named]
    return [f"{why}: ", *named]


def _codes(checks: Sequence[str]) -> list[Piece]:
    said: list[Piece] = []
    for check in checks:
        said += [", "] if said else []
        said.append(Code(check))
    return said


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _and(names: Sequence[str]) -> str:
    named = [f"“{name}”" for name in names]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
