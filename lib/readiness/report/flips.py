"""What differs between two runs, as tables: for the terminal and for history.ipynb."""

from __future__ import annotations

from collections.abc import Sequence

from ..finding import AREAS
from ..history.comparison import Comparison, Flip
from .blocks import Code, Head, Mark, Piece, Quiet, Table, Text
from .sections import TITLES
from .text import line

MOST_DIFFERENCES = 3  # of evidence in a row; the JSON has more


def outcome(found: Comparison) -> Table:
    """Colours and verdicts that differ, with their causes."""
    rows: list[list[Text]] = [
        [
            TITLES[one.what] if one.what in AREAS else f"Verdict for {one.what}",
            Mark.of(one.before),
            Mark.of(one.after),
            "; ".join(one.causes),
            line(", ".join(one.checks)),
        ]
        for one in found.outcome
    ]
    return Table(
        ["", "Before", "After", "Cause", "Checks"],
        rows,
        f"Colours and verdicts that differ between {found.before} and {found.after}",
        row_header=0,
        note="" if rows else "None.",
    )


def flips(found: Sequence[tuple[str, Flip]], caption: str, note: str = "") -> Table:
    """Flips, each with the run it came with, its cause, and on what in the evidence it rests."""
    rows: list[list[Text]] = [
        [
            Code(run),
            Code(one.check),
            f"{_marked(one.before)} → {_marked(one.after)}",
            "; ".join(one.causes),
            _because(one),
        ]
        for run, one in found
    ]
    columns: list[Head] = ["Run", "Check", "Answer", "Cause", "Because"]
    return Table(columns, rows, caption, row_header=1, note=note)


def _marked(said: str) -> str:
    """An answer in words, behind the shape of its status."""
    status = next((s for s in ("NOT MEASURED", "NOT APPLICABLE") if said.startswith(s)), "")
    word = status or said.split(",")[0].split(" ")[0]
    shape = Mark.of(word.replace(" ", "_")).shape if word != "absent" else ""
    return f"{shape} {said}".strip()


def _because(flip: Flip) -> list[Piece]:
    """Reasons, then the least change of the evidence that turns the answer."""
    said: list[Piece] = [line("; ".join(flip.why))]
    for one in flip.evidence[:MOST_DIFFERENCES]:
        said += [". ", Code(line(one.where)), f": {line(one.before)} → {line(one.after)}"]
    if (more := flip.evidence_total - MOST_DIFFERENCES) > 0:
        said.append(Quiet(f" and {more} more"))
    if flip.observed and flip.observed not in "; ".join(flip.why):
        said += [". ", Quiet(line(flip.observed))]
    return said
