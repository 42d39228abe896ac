"""The command line. Each module below holds the commands of one subject."""

from __future__ import annotations

import typer

from . import audit, keys, parameters, reference, requests, runs, sign_off
from .words import in_words

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Decide from evidence whether a service may go to production.",
)
for command in (
    audit.audit,
    audit.judge,
    sign_off.sign,
    sign_off.verify,
    sign_off.waive,
    runs.compare,
    runs.export,
    runs.prune,
    requests.analyse,
    audit.checks,
    parameters.parameters,
):
    app.command()(command)
app.add_typer(reference.stack, name="reference")
app.add_typer(keys.keys, name="keys")


def main() -> None:
    """Run the command line; what goes wrong is said in a sentence and never as a traceback."""
    with in_words():
        app()
