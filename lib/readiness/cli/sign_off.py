"""Signing a run, verifying it, and drafting a waiver of what failed in it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from .keys import unlocked
from .words import RunFolder, Stage, Trust, printable, stop


def sign(
    run: RunFolder,
    key: Annotated[Path, typer.Option(help="Ed25519 private key, OpenSSH or PEM")],
    role: Annotated[str, typer.Option(help="One that the key is trusted for")],
    decision: Annotated[str, typer.Option(help="GO, CONDITIONAL GO or NO-GO")],
    comment: Annotated[str, typer.Option()] = "",
    override: Annotated[
        str, typer.Option(help="Why, when you decide better than the run; shown in red on page one")
    ] = "",
    trust: Trust = None,
) -> None:
    """Sign a run: every byte of it, with your decision. The passphrase is asked for."""
    from .. import keys, signing
    from ..decision import Verdict
    from ..report import render

    if decision not in list(Verdict):
        stop(f"no such decision: {decision} ({', '.join(Verdict)})")
    done = signing.sign(
        run.resolve(),
        unlocked(key),
        role=role,
        decision=Verdict(decision),
        comment=comment,
        override=override,
        folder=trust or keys.FOLDER,
    )
    home = run.resolve().parent.parent
    if (home / "index.html").exists():  # it says who signed
        render.index(home)
    said = f"signed as {done.name}, {done.role}: {done.decision} for {done.stage}"
    typer.echo(f"{said} (key {done.key_id[:16]})")


def verify(
    run: RunFolder,
    stage: Annotated[
        Stage | None, typer.Option(help="The stage to enter; else the one it was decided for")
    ] = None,
    trust: Trust = None,
) -> None:
    """Verify a run offline: its bytes, its signatures, and whether they still hold.

    Exits 0 when it is intact, signed as policy asks, in force, and GO or CONDITIONAL GO; 1 when
    anything was changed or a signer is not trusted; 2 when it cannot be verified; 3 when signatures
    are missing; 4 when it has lapsed (evidence or a waiver expired, or the policy changed); 5 when
    it is signed as NO-GO, or for another stage.
    """
    from .. import keys, signing

    if not run.is_dir():
        stop(f"{run} is not a run: no such folder")
    found = signing.verify(run.resolve(), trust or keys.FOLDER)
    outcome = found.outcome(stage)
    for problem in [*found.problems, *found.missing, *found.lapsed]:
        typer.echo(printable(problem))
    if found.intact:
        typer.echo("intact: every byte is as the audit wrote it")
        for one in found.sign_offs:
            override = f", OVERRIDE: {one.override}" if one.override else ""
            by = f"{one.name}, {one.role}: {one.decision} for {one.stage}{override}"
            typer.echo(printable(f"{by}, {one.time} (key {one.key_id[:16]})"))
    decided = f"{found.decision} for {found.stage}" if found.decision else ""
    said = {
        signing.Outcome.SIGNED: f"signed and in force: {decided}",
        signing.Outcome.CHANGED: "not to be trusted",
        signing.Outcome.UNSIGNED: "not signed as policy asks",
        signing.Outcome.LAPSED: "the sign-off has lapsed",
        signing.Outcome.REFUSED: f"signed, and no GO for {stage or found.stage}: {decided}",
    }
    typer.echo(said[outcome])
    raise SystemExit(outcome)


def waive(
    run: RunFolder,
    check: Annotated[str, typer.Argument(help="A check that failed in it")],
    reason: Annotated[str, typer.Option(help="Why the failure can be lived with")],
    owner: Annotated[str, typer.Option(help="Who will settle it")],
    days: Annotated[float, typer.Option(help="How long, from now")] = 30,
) -> None:
    """Draft a waiver of a failure, for params/waivers.yaml. It counts once somebody else approves.

    The draft holds what was measured in this run: anything worse than that reopens it.
    """
    from .. import policy, waivers
    from ..finding import now
    from ..record import Record

    kept = Record.read(run.resolve())
    finding = next((f for f in kept.findings if f.check == check), None)
    if finding is None:
        stop(f"{check} is not in this run")
    if not 0 < days <= (most := policy.load().waivers.max_days):
        stop(f"a waiver lasts more than 0 days and, by policy, at most {most:g}")
    until = now().replace(microsecond=0) + timedelta(days=days)
    typer.echo(waivers.draft(finding, kept.run, kept.environment, reason, owner, until), nl=False)
