"""Comparing runs, and writing them in other tools' formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .words import RunFolder

if TYPE_CHECKING:
    from ..report.blocks import Table


def compare(
    run_a: RunFolder,
    run_b: RunFolder,
    as_json: Annotated[bool, typer.Option("--json", help="For machines")] = False,
) -> None:
    """Every check, colour and verdict that differs between two runs, and what caused it."""
    from ..history.comparison import compare as compared
    from ..report import flips

    found = compared(run_a.resolve(), run_b.resolve())
    if as_json:
        typer.echo(found.model_dump_json(indent=1))
        return
    for note in found.notes:
        typer.echo(note)
    if found.outcome:
        _print(flips.outcome(found))
    if found.flips:
        rows = [(found.after, flip) for flip in found.flips]
        _print(flips.flips(rows, f"Answers that differ between {found.before} and {found.after}"))
    typer.echo(f"{len(found.flips)} flips")


def _print(table: Table) -> None:
    """A table in the terminal, wrapped to its width."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    from ..report.plain import inline

    grid = Grid(*(head.title for head in table.heads()), title=table.caption, show_lines=True)
    for row in table.rows:
        grid.add_row(*(Text(inline(cell)) for cell in row))
    Console().print(grid)


def export(
    run: RunFolder,
    to: Annotated[str, typer.Option(help="junit, sarif, csv, xlsx, prometheus, in-toto or oscal")],
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


def prune(
    environment: Annotated[str | None, typer.Option(help="Only this one; else all")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go")] = False,
) -> None:
    """Remove old runs as policy's retention says: never signed ones, never the newest."""
    from .. import policy, record, runner
    from ..finding import now
    from ..history import retention
    from ..report import render

    outputs, rule, gone = record.OUTPUTS, policy.load().retention, 0
    for home in record.environments(outputs):
        if environment not in (None, home.name):
            continue
        with runner.only_one(home):
            for one in retention.considered(home.name, outputs, rule, now()):
                typer.echo(f"{home.name}/{one.run.name}: {one.why or 'may go'}")
            removed = () if dry_run else retention.prune(home.name, outputs, rule, now())
            gone += len(list(removed))
    if gone:
        render.index(outputs)
    typer.echo(f"{gone} runs removed")
