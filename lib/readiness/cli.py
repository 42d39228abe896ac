"""The command line: audit, judge, sign, verify, compare, and the reference stack."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from .documents import ParameterError
from .finding import Status

if TYPE_CHECKING:
    from .finding import Finding
    from .record import Record

NO_GO, CANNOT_RUN, UNSIGNED = 1, 2, 3

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Decide from evidence whether a service may go to production.",
)
stack = typer.Typer(no_args_is_help=True, help="The reference stack to audit out of the box.")
keys = typer.Typer(no_args_is_help=True, help="The keys that runs are signed with.")
app.add_typer(stack, name="reference")
app.add_typer(keys, name="keys")

Stage = Literal["staging", "production"]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder, e.g. outputs/demo/latest")]


def main() -> None:
    """Run the command line; what goes wrong is said in a sentence and never as a traceback."""
    with _in_words():
        app()


@contextmanager
def _in_words() -> Iterator[None]:
    from .variables import redact

    try:
        yield
    except ParameterError as broke:
        _stop("The parameters cannot be used:\n  " + "\n  ".join(broke.problems))
    except KeyboardInterrupt:
        _stop("interrupted; nothing was published")
    except (ValueError, RuntimeError, OSError) as broke:
        if os.environ.get("READINESS_DEBUG"):
            raise
        _stop(redact(str(broke)) or type(broke).__name__)


def _stop(message: str, code: int = CANNOT_RUN) -> NoReturn:
    typer.echo(message, err=True)
    raise SystemExit(code)


@app.command()
def audit(
    environment: Annotated[str, typer.Option(help="The name of a file in params/")] = "demo",
    area: Annotated[list[str] | None, typer.Option(help="Only this area; may be repeated")] = None,
    stage: Annotated[Stage, typer.Option(help="Decides the exit status")] = "staging",
    executor: Annotated[str, typer.Option(help="local, or dask://host:port")] = "local",
) -> None:
    """Audit an environment. Exits 0 for GO and CONDITIONAL GO, 1 for NO-GO, 2 if it cannot run."""
    from . import reference, runner
    from .finding import AREAS
    from .record import Record

    if unknown := set(area or ()) - set(AREAS):
        _stop(f"no such area: {', '.join(sorted(unknown))} (there are: {', '.join(AREAS)})")
    if environment == "demo":
        reference.use_variables()
    areas = [a for a in AREAS if not area or a in area]
    wanted = runner.request(environment, stage=stage, areas=areas, say=typer.echo)
    run = runner.audit(wanted, _executor(executor))
    kept = Record.read(run)
    _print_verdict(kept, run)
    raise SystemExit(NO_GO if getattr(kept.decision, stage) == "NO-GO" else 0)


def _executor(name: str) -> Any:
    """The executor that carries the notebooks: None for the local pool, or a Dask cluster's."""
    if name == "local":
        return None
    if not name.startswith("dask://"):
        _stop(f"no such executor: {name} (local, or dask://host:port)")
    try:
        from distributed import Client
    except ImportError:
        _stop("the executor dask needs the package distributed: pip install distributed")
    cluster = Client(name.replace("dask://", "tcp://"))  # type: ignore[no-untyped-call]
    return cluster.get_executor(pure=False)  # type: ignore[no-untyped-call]


def _print_verdict(kept: Record, run: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from .report.blocks import Mark

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


@app.command()
def judge(run: RunFolder) -> None:
    """Judge a run's evidence again, offline, and say where the answer differs."""
    from .check import catalogue
    from .evidence import Evidence
    from .record import Record

    run, known = run.resolve(), catalogue()
    judged = differing = 0
    for finding in Record.read(run).findings:
        check = known.get(finding.check)
        names = check.inputs if check and not finding.carried_over else []
        files = [run / "evidence" / finding.check / f"{name}.json" for name in names]
        if check is None or not files or not all(f.exists() for f in files):
            continue
        evidence = [Evidence.from_json(f.read_text(encoding="utf-8")) for f in files]
        again = check.assess(evidence, check.criteria.model_validate(finding.criteria))
        judged += 1
        overruled = finding.status is Status.NOT_APPLICABLE or finding.reason == "uncalibrated"
        if again.status is not finding.status and not overruled:
            differing += 1
            said = f"was {finding.status}, is now {again.status}: {again.observed}"
            typer.echo(f"{finding.check}: {said}")
    typer.echo(f"{judged} findings judged again, {differing} differ")
    raise SystemExit(1 if differing else 0)


@app.command()
def sign(
    run: RunFolder,
    key: Annotated[Path, typer.Option(help="Ed25519 private key, PEM or OpenSSH")],
    name: Annotated[str, typer.Option()],
    role: Annotated[str, typer.Option()],
    decision: Annotated[str, typer.Option(help="GO, CONDITIONAL GO or NO-GO")],
    comment: Annotated[str, typer.Option()] = "",
) -> None:
    """Sign a run: its manifest, with your decision. The passphrase is asked for."""
    from . import signing

    if decision not in ("GO", "CONDITIONAL GO", "NO-GO"):
        _stop(f"no such decision: {decision} (GO, CONDITIONAL GO, NO-GO)")
    private = _private_key(key)
    done = signing.sign(
        run.resolve(), private, name=name, role=role, decision=decision, comment=comment
    )
    typer.echo(f"signed as {done.name}, {done.role}: {done.decision} (key {done.key_id[:16]})")


def _private_key(path: Path) -> Any:
    from . import signing

    try:
        return signing.load_key(path)
    except signing.SigningError as broke:
        if "passphrase" not in str(broke) or not sys.stdin.isatty():
            raise
    return signing.load_key(path, typer.prompt("Passphrase", hide_input=True).encode())


@app.command()
def verify(
    run: RunFolder,
    trust: Annotated[Path | None, typer.Option(help="Folder of trusted public keys")] = None,
) -> None:
    """Verify a run offline. Exits 0 intact and signed, 1 not intact, 3 intact but not signed."""
    from . import signing

    if not run.is_dir():
        _stop(f"{run} is not a run: no such folder")
    found = signing.verify(run.resolve(), trust or signing.KEYS)
    for problem in found.problems:
        typer.echo(problem)
    if not found.intact:
        raise SystemExit(NO_GO)
    for one in found.sign_offs:
        typer.echo(f"{one.name}, {one.role}: {one.decision}, {one.time} (key {one.key_id[:16]})")
    if not found.sign_offs:
        typer.echo("intact, but nobody has signed it")
        raise SystemExit(UNSIGNED)
    typer.echo("intact: every byte is as it was signed")


@app.command()
def compare(run_a: RunFolder, run_b: RunFolder) -> None:
    """Every check whose answer differs between two runs."""
    from .record import Record

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


@app.command()
def export(
    run: RunFolder,
    to: Annotated[str, typer.Option(help="junit, sarif, csv, xlsx, prometheus or in-toto")],
    output: Annotated[Path | None, typer.Option(help="The file; else named by the format")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier run, for SARIF")] = None,
) -> None:
    """Write a run's findings in another tool's format. What a format cannot carry is named."""
    from . import exports
    from .record import Record

    previous = Record.read(baseline.resolve()) if baseline else None
    made = exports.export(Record.read(run.resolve()), to, previous)
    file = output or Path(exports.FORMATS[to][0])
    file.write_bytes(made.content)
    for dropped in made.dropped:
        typer.echo(f"left out: {dropped}", err=True)
    typer.echo(str(file))


@app.command()
def checks() -> None:
    """The catalogue of checks, made from the code."""
    from . import policy
    from .check import catalogue

    known = catalogue()
    for identifier in policy.load().checks:
        if check := known.get(identifier):
            typer.echo(f"\n{identifier}  {check.severity}, {check.strength}, {check.safety}")
            typer.echo(f"  {check.title}")
            for name in ("What", "Why", "Bad", "Remedy"):
                typer.echo(f"  {name}: {check.sections[name]}")
            typer.echo(f"  Specimens: {', '.join(s.name for s in check.specimens)}")
        else:
            typer.echo(f"\n{identifier}  not measured by this version")


@keys.command("new")
def keys_new(
    name: Annotated[str, typer.Argument(help="Whose key it is; names the public key's file")],
    private: Annotated[Path, typer.Option(help="Where the private key is written (0600)")],
    no_passphrase: Annotated[bool, typer.Option(help="For machines that sign")] = False,
) -> None:
    """Make an Ed25519 key and put its public half among the trusted keys in params/keys."""
    from . import signing

    passphrase = b""
    if not no_passphrase:
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True).encode()
    public = signing.new_key(private, name, passphrase or None)
    typer.echo(f"private key: {private}\ntrusted public key: {public}")


@stack.command("up")
def reference_up() -> None:
    """Start the stack and produce its test reports."""
    from . import reference

    reference.stack().up()
    reference.stack().reports()
    typer.echo("the reference stack is up; audit it with: readiness audit --environment demo")


@stack.command("down")
def reference_down() -> None:
    """Stop the stack and remove its data."""
    from . import reference

    reference.stack().down()


@stack.command("fault")
def reference_fault(
    name: Annotated[str, typer.Argument(help="A file in reference/faults, or none")],
) -> None:
    """Spoil the running stack in exactly one way; ``none`` restores it."""
    from . import reference

    running = reference.stack()
    running.clear_fault() if name == "none" else running.set_fault(name)


@stack.command("audit", hidden=True)
def reference_audit() -> None:
    """What `make audit` does: bring the stack up, audit it, and leave it as it was found."""
    from . import reference

    was_up = reference.stack().status()["up"]
    reference_up()
    try:
        audit(environment="demo", area=None, stage="staging", executor="local")
    finally:
        if not was_up:
            reference.stack().down()


@stack.command("lab", hidden=True)
def reference_lab() -> None:
    """What `make lab` does: JupyterLab on the notebooks, with the stack up beside it."""
    import subprocess

    from . import reference
    from .documents import ROOT

    reference_up()
    reference.use_variables()
    command = [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={ROOT / 'notebooks'}"]
    if os.geteuid() == 0:
        command.append("--allow-root")  # it refuses otherwise; it listens on loopback, with a token
    try:
        subprocess.run(command, check=False)
    finally:
        reference.stack().down()
