"""How it was measured: calibration, confidence with its numbers, and where everything came from."""

from __future__ import annotations

from ..finding import Strength
from ..policy import Policy
from ..record import Record
from .blocks import (
    Block,
    Code,
    Column,
    Facts,
    Fold,
    Head,
    Link,
    Paragraph,
    Piece,
    Table,
    Text,
    number,
)
from .evidence_files import EvidenceFiles
from .sections import TITLES
from .text import line


def calibration(record: Record) -> list[Block]:
    """Per area: how many checks proved themselves in this run, on how many specimens."""
    rows: list[list[Text]] = []
    for result in record.areas:
        tried = [f for f in record.findings if f.area == result.area and f.calibration]
        kept = [f.calibration for f in tried if f.calibration]
        specimens = [r for c in kept for r in c.results()]
        rows.append(
            [
                TITLES[result.area],
                len(kept),
                len(specimens),
                sum(r.as_expected for r in specimens),
                sum(not c.holds for c in kept),
                number(sum(r.duration_s for r in specimens), 1),
            ]
        )
    columns: list[Head] = [
        "Area",
        Column("Checks tried", True),
        Column("Specimens", True),
        Column("Answered rightly", True),
        Column("Checks not believed", True),
        Column("Time, s", True),
    ]
    return [Table(columns, rows, "Calibration in this run", row_header=0)]


def confidence(record: Record, policy: Policy) -> list[Block]:
    """The formula with its numbers: per area, and term by term."""
    rows: list[list[Text]] = []
    terms: list[list[Text]] = []
    for result in record.areas:
        total = sum(t.weight for t in result.terms)
        reached = sum(t.reached for t in result.terms)
        percent = 100 * result.confidence
        rows.append([TITLES[result.area], number(reached, 2), number(total, 2), number(percent, 1)])
        terms += [
            [
                Code(t.check),
                number(t.weight, 1),
                number(t.coverage),
                number(t.strength, 2),
                number(t.freshness, 3),
                number(t.reached, 2),
            ]
            for t in result.terms
        ]
    factors = ", ".join(f"{s} {policy.strength_factor[s]:g}" for s in Strength)
    formula = (
        "Confidence is the sum of weight × coverage × strength × freshness over the expected "
        "checks, divided by the sum of their weights. Coverage is 1 for a check that was answered "
        f"and 0 for an unknown; strength is {factors}; freshness falls from 1 to 0 over the age "
        "that policy allows. An unknown stays in the divisor, so losing evidence lowers it."
    )
    areas = Table(
        [
            "Area",
            Column("Sum reached", True),
            Column("Sum of weights", True),
            Column("Confidence, %", True),
        ],
        rows,
        "Confidence, with its numbers",
        row_header=0,
    )
    names = ("Weight", "Coverage", "Strength", "Freshness", "Reached")
    columns: list[Head] = ["Check", *(Column(name, True) for name in names)]
    fold = Fold("The terms of every check", [Table(columns, terms, row_header=0)])
    return [Paragraph(formula), areas, fold]


def provenance(record: Record, evidence: EvidenceFiles) -> list[Block]:
    """Who measured what with which tools, how long it took, and which waivers there were."""
    took = (record.finished - record.started).total_seconds()
    requests = sum(one["requests"] for one in evidence.collected)
    target: list[Piece] = [line(record.target.name)]
    target += [f", version {line(record.target.version)}"] if record.target.version else []
    target += [", commit ", Code(line(record.target.commit))] if record.target.commit else []
    pairs: list[tuple[str, Text]] = [
        ("Environment", record.environment),
        ("Target", target),
        ("Run", [Code(record.run), f", decided for {record.stage}"]),
        (
            "Time",
            f"{record.started:%Y-%m-%d %H:%M:%S} to {record.finished:%Y-%m-%d %H:%M:%S} UTC, "
            f"{number(took)} s",
        ),
        ("Permitted", ", ".join(record.permit) or "nothing"),
        ("Requests sent", number(requests)),
        ("Tool", [f"readiness {record.tool.version}, commit ", Code(record.tool.commit)]),
        ("PostgreSQL for scratch", line(record.postgresql)),
        ("Previous run", [Code(record.previous)] if record.previous else "none"),
    ]
    blocks: list[Block] = [Facts(pairs)]
    if tools := evidence.tools():
        rows: list[list[Text]] = [[line(name), line(", ".join(v))] for name, v in tools.items()]
        blocks.append(Table(["Program or library", "Version"], rows, "What measured", 0))
    notebooks: list[list[Text]] = [
        [
            Link(f"notebooks/{n.area}.html", f"notebooks/{n.area}.html"),
            number(n.seconds, 1),
            number(n.kernel_start_s, 1),
            line(n.problem) if n.problem else "ran to its end",
        ]
        for n in record.notebooks
    ]
    if notebooks:
        seconds = [Column(name, True) for name in ("Wall time, s", "Kernel start, s")]
        columns: list[Head] = ["Notebook", *seconds, "Outcome"]
        blocks.append(Table(columns, notebooks, "Notebooks", 0))
    waived: list[list[Text]] = [
        [
            Code(line(w.check)),
            line(str(w)),
            f"ignored: {line(w.ignored)}" if w.ignored else "in force",
        ]
        for w in record.waivers
    ]
    if waived:
        blocks.append(Table(["Check", "Waiver", "State"], waived, "Waivers", 0))
    else:
        blocks.append(Paragraph("No waiver is on file for this environment."))
    return blocks
