"""Auditing an environment, judging a run's evidence again, and the catalogue of checks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .words import NO_GO, RunFolder, Stage, stop

if TYPE_CHECKING:
    from ..record import Record

SCHEDULER_SECONDS = 10


def audit(
    environment: Annotated[
        str, typer.Option(help="A file in params/, by name, or any by path")
    ] = "demo",
    area: Annotated[list[str] | None, typer.Option(help="Only this area; may be repeated")] = None,
    stage: Annotated[Stage, typer.Option(help="Decides the exit status")] = "staging",
    executor: Annotated[str, typer.Option(help="local, or dask://host:port")] = "local",
    outputs: Annotated[Path | None, typer.Option(help="Folder of the runs, for outputs/")] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be sent, and send nothing")
    ] = False,
) -> None:
    """Audit an environment. Exits 0 for GO and CONDITIONAL GO, 1 for NO-GO, 2 if it cannot run."""
    from .. import progress, reference, runner
    from ..finding import AREAS
    from ..record import Record

    if unknown := set(area or ()) - set(AREAS):
        stop(f"no such area: {', '.join(sorted(unknown))} (there are: {', '.join(AREAS)})")
    if environment == "demo":
        reference.use_variables()
    areas = [a for a in AREAS if not area or a in area]
    if plan:
        _print_plan(environment, areas)
        return
    wanted = runner.request(environment, stage=stage, areas=areas, say=typer.echo)
    wanted.outputs = outputs.absolute() if outputs else wanted.outputs
    with carrier(executor) as notebooks, progress.watched():
        run = runner.audit(wanted, notebooks)
    kept = Record.read(run)
    _print_verdict(kept, run)
    raise SystemExit(NO_GO if getattr(kept.decision, stage) == "NO-GO" else 0)


def _print_plan(environment: str, areas: list[str]) -> None:
    """Each source with its requests at most; the ledger of a run can be held against it."""
    from ..parameters import load
    from ..plan import known_operations, planned

    target = load(environment).target
    operations, known_from = known_operations(target, environment)
    # A document that is not known yet: what each operation in it would add is told instead.
    unknown = [] if operations else planned(target, ["POST /{one}"], areas)
    adds = {source.name: source.most for source in unknown}
    total = more = 0
    for source in planned(target, operations, areas):
        methods = ", ".join(f"{n} {method}" for method, n in sorted(source.by_method().items()))
        refused = "" if source.permitted else f" (not sent: {source.safety} is not permitted)"
        each = max(adds.get(source.name, 0) - source.most, 0)
        then = f", and {each} for each operation of the API document" if each else ""
        typer.echo(f"{source.name}: at most {source.most:,}{then}: {methods}{refused}")
        typer.echo(f"  for {', '.join(source.checks)}")
        for one in source.requests:
            typer.echo(f"  {one.most:6,} x {one.operation}")
        total += source.most if source.permitted else 0
        more += each if source.permitted else 0
    then = f", and {more} for each operation of the API document" if more else ""
    typer.echo(f"at most {total:,} requests{then}, repeats after a 429 apart; nothing was sent")
    typer.echo(f"operations of the API document: {len(operations) or 'unknown'} ({known_from})")


@contextmanager
def carrier(name: str) -> Iterator[Executor | None]:
    """The executor that carries the notebooks: None for the local pool, or a Dask cluster's.

    A notebook whose worker is lost is run again on another one.
    """
    if name == "local":
        yield None
        return
    if not name.startswith("dask://"):
        stop(f"no such executor: {name} (local, or dask://host:port)")
    try:
        from distributed import Client
    except ImportError:
        stop("the executor dask needs the package distributed: pip install distributed")
    address = name.removeprefix("dask://")
    try:
        client = Client(f"tcp://{address}", timeout=SCHEDULER_SECONDS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError):
        stop(f"no Dask scheduler answers at {address}")
    with client, client.get_executor(pure=False) as executor:  # type: ignore[no-untyped-call]
        yield executor


def _print_verdict(kept: Record, run: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from ..report.blocks import Mark

    table = Table(
        "Area", "Colour", "If unknowns pass / fail", "Confidence", "Passed", "Failed", "Unknown"
    )
    for result in kept.areas:
        table.add_row(
            result.area.replace("_", " "),
            str(Mark.of(result.colour)),
            f"{result.colour_if_unknowns_pass} / {result.colour_if_unknowns_fail}",
            f"{result.confidence:.0%}",
            f"{result.passed}/{result.expected}",
            str(result.failed),
            str(result.not_measured),
        )
    console = Console()
    console.print(table)
    for notebook in kept.notebooks:
        if notebook.problem:
            console.print(f"notebook {notebook.area}: {notebook.problem}", markup=False)
    console.print(f"staging: {kept.decision.staging}    production: {kept.decision.production}")
    console.print(f"{run / 'assessment.html'}", soft_wrap=True, markup=False)


def judge(run: RunFolder) -> None:
    """Judge a run's evidence again, offline, and say where the answer differs."""
    from ..history import judging
    from ..record import Record

    run = run.resolve()
    judged = differing = 0
    for finding in Record.read(run).findings:
        kept = None if finding.carried_over else judging.kept(run, finding)
        if kept is None:
            continue
        again = kept.judged()
        judged += 1
        if again.status is not finding.status and not judging.overruled(finding):
            differing += 1
            said = f"was {finding.status}, is now {again.status}: {again.observed}"
            typer.echo(f"{finding.check}: {said}")
    typer.echo(f"{judged} findings judged again, {differing} differ")
    raise SystemExit(1 if differing else 0)


def checks() -> None:
    """The catalogue of checks, made from the code."""
    from .. import policy
    from ..check import catalogue

    known = catalogue()
    for identifier in policy.load().checks:
        if check := known.get(identifier):
            typer.echo(f"\n{identifier}  {check.severity}, {check.strength}, {check.safety}")
            typer.echo(f"  {check.title}")
            for name in ("What", "Why", "Bad", "Remedy"):
                typer.echo(f"  {name}: {check.sections[name]}")
            if criteria := check.criteria().model_dump(mode="json"):
                said = ", ".join(f"{key} = {value}" for key, value in criteria.items())
                typer.echo(f"  Criteria: {said}")
            typer.echo(f"  Specimens: {', '.join(s.name for s in check.specimens)}")
        else:
            typer.echo(f"\n{identifier}  not measured by this version")
