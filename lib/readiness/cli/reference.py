"""The reference stack: up, down, a fault, and what `make audit` and `make lab` do."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .audit import audit

stack = typer.Typer(no_args_is_help=True, help="The reference stack to audit out of the box.")


@stack.command("up")
def reference_up() -> None:
    """Start the stack and produce its test reports."""
    from .. import reference

    reference.stack().up()
    reference.stack().reports()
    typer.echo("the reference stack is up; audit it with: readiness audit --environment demo")


@stack.command("down")
def reference_down() -> None:
    """Stop the stack and remove its data."""
    from .. import reference

    reference.stack().down()


@stack.command("fault")
def reference_fault(
    name: Annotated[str, typer.Argument(help="A file in reference/faults, or none")],
) -> None:
    """Spoil the running stack in exactly one way; ``none`` restores it."""
    from .. import reference

    running = reference.stack()
    running.clear_fault() if name == "none" else running.set_fault(name)


@stack.command("audit", hidden=True)
def reference_audit() -> None:
    """What `make audit` does: bring the stack up, audit it, and leave it as it was found."""
    from .. import reference

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

    from .. import reference
    from ..documents import ROOT

    reference_up()
    reference.use_variables()
    command = [sys.executable, "-m", "jupyter", "lab", f"--notebook-dir={ROOT / 'notebooks'}"]
    if os.geteuid() == 0:
        command.append("--allow-root")  # it refuses otherwise; it listens on loopback, with a token
    try:
        subprocess.run(command, check=False)
    finally:
        reference.stack().down()
