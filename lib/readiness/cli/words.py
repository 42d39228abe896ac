"""What every command shares: exit statuses, and saying what went wrong in a sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from ..documents import ParameterError

NO_GO, CANNOT_RUN = 1, 2

Stage = Literal["staging", "production"]
Trust = Annotated[Path | None, typer.Option(help="Folder of trusted keys, for params/keys")]
RunFolder = Annotated[Path, typer.Argument(help="A run's folder, e.g. outputs/demo/latest")]


@contextmanager
def in_words() -> Iterator[None]:
    from ..variables import redact

    try:
        yield
    except ParameterError as broke:
        stop("The parameters cannot be used:\n  " + "\n  ".join(broke.problems))
    except KeyboardInterrupt:
        stop("interrupted; nothing was published")
    except (ValueError, RuntimeError, OSError) as broke:
        if os.environ.get("READINESS_DEBUG"):
            raise
        stop(redact(str(broke)) or type(broke).__name__)


def stop(message: str, code: int = CANNOT_RUN) -> NoReturn:
    typer.echo(message, err=True)
    raise SystemExit(code)


def printable(text: str) -> str:
    """Text that others wrote, without what would steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
