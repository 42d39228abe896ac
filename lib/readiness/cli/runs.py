"""Comparing runs, and writing them in other tools' formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .words import RunFolder

if TYPE_CHECKING:
    from ..finding import Finding


def compare(run_a: RunFolder, run_b: RunFolder) -> None:
    """Every check whose answer differs between two runs."""
    from ..record import Record

    before = {f.check: f for f in Record.read(run_a.resolve()).findings}
    after = {f.check: f for f in Record.read(run_b.resolve()).findings}
    flips = 0
    for check in [*before, *(c for c in after if c not in before)]:
        old, new = before.get(check), after.get(check)
        if old and new and (old.status, old.reason) == (new.status, new.reason):
            continue
        flips += 1
        typer.echo(f"{check}: {_said(old)} -> {_said(new)}" + (f": {new.observed}" if new else ""))
    typer.echo(f"{flips} flips")


def _said(finding: Finding | None) -> str:
    if finding is None:
        return "absent"
    return f"{finding.status}{f' ({finding.reason})' if finding.reason else ''}"


def export(
    run: RunFolder,
    to: Annotated[str, typer.Option(help="junit, sarif, csv, xlsx, prometheus or in-toto")],
    output: Annotated[Path | None, typer.Option(help="The file; else named by the format")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier run, for SARIF")] = None,
) -> None:
    """Write a run's findings in another tool's format. What a format cannot carry is named."""
    from .. import exports
    from ..record import Record

    previous = Record.read(baseline.resolve()) if baseline else None
    made = exports.export(Record.read(run.resolve()), to, previous)
    file = output or Path(exports.FORMATS[to][0])
    file.write_bytes(made.content)
    for dropped in made.dropped:
        typer.echo(f"left out: {dropped}", err=True)
    typer.echo(str(file))
