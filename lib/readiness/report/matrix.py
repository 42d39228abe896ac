"""The go/no-go matrix with the open points behind it, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence

from ..decision import Cell, Condition, Verdict
from ..finding import Status
from ..policy import STAGES, Policy, Stage
from ..record import Record
from .blocks import (
    Block,
    Bullets,
    Code,
    Column,
    Fold,
    Head,
    Mark,
    Paragraph,
    Piece,
    Strong,
    Table,
    Text,
)
from .summary import FEW, barring, because
from .text import line, sentence


def matrix(record: Record, policy: Policy) -> list[Block]:
    """Every criterion with how many of its checks passed, and the open points behind it."""
    by_check = {f.check: f for f in record.findings}
    rows: list[list[Text]] = []
    for result in record.decision.criteria:
        passed = sum(by_check[c].status is Status.PASS for c in result.checks if c in by_check)
        cells = [Mark.of(result.staging), Mark.of(result.production)]
        rows.append([result.criterion, *cells, f"{passed} of {len(result.checks)}"])
    columns: list[Head] = ["Criterion", "Staging", "Production", Column("Checks passed", True)]
    blocks: list[Block] = [Table(columns, rows, row_header=0, kind="matrix")]
    accepted = [
        f"{criterion.title} for {stage}, {how}"
        for criterion in policy.criteria
        for stage, how in criterion.accept.items()
    ]
    said = "GO* is a GO with open points: unknowns that the stage does not require, waivers"
    said += f", or gaps that policy accepts ({'; '.join(accepted)})." if accepted else "."
    blocks.append(Paragraph(said, "note"))
    if record.decision.conditions:
        count = len(record.decision.conditions)
        title = f"The {count} open points behind the matrix, with their owners"
        blocks.append(Fold(title, [_open_points(record)], "open-points"))
    return blocks


def _open_points(record: Record) -> Table:
    rows: list[list[Text]] = [
        [
            result.criterion,
            stage.capitalize(),
            sentence(why).rstrip("."),
            line(owner),
            line(accepted) or "—",
            _codes(checks),
        ]
        for result in record.decision.criteria
        for stage in STAGES
        for (why, owner, accepted), checks in _grouped(result.conditions, stage)
    ]
    heads = ["Criterion", "Stage", "Open because", "Owner", "Accepted meanwhile", "Checks"]
    return Table(heads, rows, kind="open-points")


def recommendation(record: Record, policy: Policy) -> list[Block]:
    """What follows from the decision: the verdict asked for, its conditions, what a GO takes."""
    decision = record.decision
    blocks: list[Block] = []
    for stage in STAGES:
        verdict: Verdict = getattr(decision, stage)
        why = because(decision, policy, stage)
        said: list[Piece] = [Mark.verdict(verdict), f" for {stage}. {why}"]
        bare = decision.without_waivers.get(stage, verdict)
        if bare is not verdict:
            said += [" Without its waivers it would be ", Mark.verdict(bare), "."]
        blocks.append(Paragraph(said, "lead"))
        if verdict is Verdict.NO_GO:
            blocks.append(Paragraph(f"{stage.capitalize()} requires, before anything else:"))
            closed = barring(decision, policy, stage)
            blocks.append(Bullets(_requirements(record, policy, stage, closed, True), True))
        elif verdict is Verdict.CONDITIONAL_GO:
            blocks.append(Paragraph(f"The conditions on which {stage} is accepted:"))
            opens = [c.criterion for c in decision.criteria if getattr(c, stage) is not Cell.GO]
            blocks.append(Bullets(_requirements(record, policy, stage, opens, False)))
    return blocks


def _requirements(
    record: Record, policy: Policy, stage: Stage, criteria: Sequence[str], bars: bool
) -> list[Text]:
    """Each criterion with what settles it; only what bars it, when it is barred."""
    items: list[Text] = []
    accepts = {c.title: c.accept.get(stage) for c in policy.criteria}
    for result in record.decision.criteria:
        if result.criterion not in criteria:
            continue
        said: list[Piece] = [Strong(result.criterion)]
        if (how := accepts.get(result.criterion)) and getattr(result, stage) is not Cell.NO_GO:
            said.append(f" ({how})")
        said.append(": ")
        wanted = [c for c in result.conditions if c.bars or not bars]
        grouped: dict[str, list[str]] = {}
        for (why, _, _), checks in _grouped(wanted, stage):
            grouped.setdefault(why, []).extend(checks)
        for n, (why, checks) in enumerate(grouped.items()):
            said += ["; "] if n else []
            said += _to_do(why, checks)
        items.append([*said, "."])
    return items


def _grouped(
    conditions: Sequence[Condition], stage: Stage
) -> list[tuple[tuple[str, str, str], list[str]]]:
    """The open points of a stage by why they are open, owner and acceptance; failures first."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for c in conditions:
        if c.stage == stage:
            grouped.setdefault((c.why, c.owner, c.accepted), []).append(c.check)
    return sorted(grouped.items(), key=lambda item: (not item[0][0].startswith("failed"), item[0]))


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
