"""What access logs and sample files say, apart from any audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .words import printable, stop

if TYPE_CHECKING:
    from ..sources.latencies.profile import Profile

ENDPOINTS = ("endpoint", "requests", "failed, %", "p50, ms", "p95, ms", "p99, ms", "longest, ms")
SHIFTS = (
    *("endpoint", "percentile", "before, ms", "after, ms"),
    *("change", "at least", "at most", "verdict"),
)
FAILURES = ("endpoint", "failed before, %", "failed after, %", "at least", "at most", "it fails")


def analyse(
    files: Annotated[list[Path], typer.Argument(help="Access logs, Parquet files, or folders")],
    before: Annotated[
        list[Path] | None, typer.Option(help="The same from before a change; may be repeated")
    ] = None,
    latency: Annotated[
        str | None,
        typer.Option(help="NAME:UNIT of the time to answer where its name does not tell"),
    ] = None,
    output: Annotated[Path, typer.Option(help="The page to write")] = Path("analysis.html"),
) -> None:
    """Latency, failures and shifts in access logs or Parquet: a table here, figures on a page."""
    from ..report import requests_page
    from ..sources.latencies import tables
    from ..sources.latencies.fields import told
    from ..sources.latencies.reading import profile_of
    from ..sources.latencies.shift import compare

    field = told(latency) if latency else None
    profile = _read(profile_of(files, field))
    earlier = _read(profile_of(before, field)) if before else None
    _print(tables.endpoints(profile), ENDPOINTS, "Endpoints, the one with most time first")
    comparison = compare(earlier, profile) if earlier else None
    if comparison:
        _print(tables.shifts(comparison), SHIFTS, "Before and after")
        _print(tables.failures(comparison), FAILURES, "How often each endpoint failed")
    output.write_bytes(requests_page.page(profile, earlier, comparison).encode())
    typer.echo(str(output))


def _read(profile: Profile) -> Profile:
    """The profile, after what could not be read was said; without a request it ends here."""
    for file in profile.files:
        if file.problem:
            typer.echo(printable(f"{file.name}: {file.problem}"), err=True)
        if file.jumps_back:
            times = f"{file.jumps_back} time{'s' * (file.jumps_back > 1)}"
            typer.echo(printable(f"{file.name}: its clock went back {times}"), err=True)
    for reason, count in profile.broken.most_common():
        typer.echo(f"{count:,} not used: {reason}", err=True)
    if not profile.requests:
        stop("no request could be read; the README says which formats are")
    return profile


def _print(frame: Any, columns: Sequence[str], caption: str) -> None:
    """Some columns of a table in the terminal; the page has all."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..report.text import value

    grid = Table(title=caption, box=None, title_justify="left", padding=(0, 1))
    for name in columns:
        text = not len(frame) or isinstance(frame[name].iloc[0], str)
        grid.add_column(name, justify="left" if text else "right", overflow="fold")
    for row in frame[list(columns)].to_dict("records"):
        grid.add_row(*(Text(value(cell)) for cell in row.values()))
    Console().print(grid)
