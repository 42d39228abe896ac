"""Signing a run, verifying it, and the keys that runs are signed with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .words import NO_GO, UNSIGNED, RunFolder, stop

keys = typer.Typer(no_args_is_help=True, help="The keys that runs are signed with.")


def sign(
    run: RunFolder,
    key: Annotated[Path, typer.Option(help="Ed25519 private key, PEM or OpenSSH")],
    name: Annotated[str, typer.Option()],
    role: Annotated[str, typer.Option()],
    decision: Annotated[str, typer.Option(help="GO, CONDITIONAL GO or NO-GO")],
    comment: Annotated[str, typer.Option()] = "",
) -> None:
    """Sign a run: its manifest, with your decision. The passphrase is asked for."""
    from .. import signing

    if decision not in ("GO", "CONDITIONAL GO", "NO-GO"):
        stop(f"no such decision: {decision} (GO, CONDITIONAL GO, NO-GO)")
    private = _private_key(key)
    done = signing.sign(
        run.resolve(), private, name=name, role=role, decision=decision, comment=comment
    )
    typer.echo(f"signed as {done.name}, {done.role}: {done.decision} (key {done.key_id[:16]})")


def _private_key(path: Path) -> Any:
    from .. import signing

    try:
        return signing.load_key(path)
    except signing.SigningError as broke:
        if "passphrase" not in str(broke) or not sys.stdin.isatty():
            raise
    return signing.load_key(path, typer.prompt("Passphrase", hide_input=True).encode())


def verify(
    run: RunFolder,
    trust: Annotated[Path | None, typer.Option(help="Folder of trusted public keys")] = None,
) -> None:
    """Verify a run offline. Exits 0 intact and signed, 1 not intact, 3 intact but not signed."""
    from .. import signing

    if not run.is_dir():
        stop(f"{run} is not a run: no such folder")
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


@keys.command("new")
def keys_new(
    name: Annotated[str, typer.Argument(help="Whose key it is; names the public key's file")],
    private: Annotated[Path, typer.Option(help="Where the private key is written (0600)")],
    no_passphrase: Annotated[bool, typer.Option(help="For machines that sign")] = False,
) -> None:
    """Make an Ed25519 key and put its public half among the trusted keys in params/keys."""
    from .. import signing

    passphrase = b""
    if not no_passphrase:
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True).encode()
    public = signing.new_key(private, name, passphrase or None)
    typer.echo(f"private key: {private}\ntrusted public key: {public}")
