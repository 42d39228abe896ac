"""The keys that runs are signed with: make, trust, list."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from .words import CANNOT_RUN, Trust, stop

PASSPHRASE = "READINESS_PASSPHRASE"

keys = typer.Typer(no_args_is_help=True, help="The keys that runs are signed with.")
Identifier = Annotated[str, typer.Argument(help="Names the file in params/keys")]
Person = Annotated[str, typer.Option(help="Whose key it is, as it stands beside the signature")]
Roles = Annotated[list[str], typer.Option("--role", help="May sign as this; may be repeated")]


@keys.command()
def new(
    identifier: Identifier,
    private: Annotated[Path, typer.Option(help="Where the private key is written (0600)")],
    name: Person,
    roles: Roles,
    no_passphrase: Annotated[bool, typer.Option(help="For machines that sign")] = False,
    trust: Trust = None,
) -> None:
    """Make an Ed25519 key, and trust its public half for a person and their roles.

    The passphrase is asked for, or taken from the variable READINESS_PASSPHRASE.
    """
    from .. import keys as all_keys

    passphrase = None if no_passphrase else _passphrase(twice=True)
    public = all_keys.new_key(private, passphrase)
    try:
        _trust(identifier, public, name, roles, trust)
    except ValueError:
        private.unlink()
        raise
    typer.echo(f"private key: {private}")


@keys.command("trust")
def trust_key(
    identifier: Identifier,
    public: Annotated[Path, typer.Argument(help="An Ed25519 public key, PEM or OpenSSH")],
    name: Person,
    roles: Roles,
    trust: Trust = None,
) -> None:
    """Trust somebody's public key (an SSH key of type ed25519 will do) for them and their roles."""
    from .. import keys as all_keys

    _trust(identifier, all_keys.public_key(public.read_bytes(), str(public)), name, roles, trust)


@keys.command("list")
def list_keys(trust: Trust = None) -> None:
    """The trusted keys: file, person, roles, key id. To end trust in one, remove its file."""
    from .. import keys as all_keys
    from .. import policy

    found = all_keys.trusted(trust or all_keys.FOLDER).values()
    roles = policy.load().sign_off.roles
    for key in found:
        idle = [role for role in key.roles if role not in roles]
        note = f"  (policy has no role {', '.join(idle)})" if idle else ""
        typer.echo(f"{key.identifier}: {key.name}, {', '.join(key.roles)}, {key.key_id}{note}")
    if not found:
        typer.echo("no key is trusted yet: readiness keys new, or readiness keys trust")


def _trust(identifier: str, public: Any, name: str, roles: list[str], folder: Path | None) -> None:
    from .. import keys as all_keys
    from .. import policy

    known = policy.load().sign_off.roles
    file = all_keys.trust(identifier, public, name, roles, known, folder or all_keys.FOLDER)
    typer.echo(f"trusted: {name}, {', '.join(roles)}, in {file}")


def unlocked(path: Path) -> Any:
    """The private key at ``path``; a passphrase is asked for only when it needs one."""
    from .. import keys as all_keys

    try:
        return all_keys.private_key(path)
    except all_keys.KeyProblem as broke:
        if "needs its passphrase" not in str(broke):
            raise
    return all_keys.private_key(path, _passphrase())


def _passphrase(twice: bool = False) -> bytes:
    if given := os.environ.get(PASSPHRASE):
        return given.encode()
    if not sys.stdin.isatty():
        stop(f"a passphrase is needed: ask at a terminal, or set {PASSPHRASE}", CANNOT_RUN)
    said: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice)
    return said.encode()
