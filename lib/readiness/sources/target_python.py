"""A question to the target's own Python: a script of ours, run there, that answers in a file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..finding import NotMeasured, Reason
from ..variables import Deferred
from . import program

LARGEST_ANSWER = 200_000_000  # bytes; the DDL of 10,000 tables is about 30 million


def ask(
    script: Path,
    job: Mapping[str, Any],
    *,
    interpreter: Deferred,
    environment: Mapping[str, Deferred],
    timeout_s: float,
    about: str,
    section: str,
) -> dict[str, Any]:
    """What ``script`` answers to ``job`` in the target's interpreter.

    ``about`` names what is asked for and ``section`` where the parameters say so. Raises
    NotMeasured when the interpreter is not there, or the answer is not, in time or at all.
    """
    with tempfile.TemporaryDirectory(prefix="readiness-ask-") as folder:
        answer = Path(folder, "answer.json")
        given = json.dumps({**job, "answer": str(answer)})
        done = program.run(
            [interpreter.value(), "-c", script.read_text(encoding="utf-8"), given],
            environment={name: value.value() for name, value in environment.items()},
            timeout_s=timeout_s,
            folder=Path(folder),
        )
        if done.returncode is None:
            raise NotMeasured(
                Reason.UNREACHABLE,
                f"{about} was not there within {timeout_s:g} s: importing it must not "
                f"start the application (or raise {section}.timeout_s)",
            )
        said = _read(answer)
    if said is None:
        last = _masked((done.errors.strip().splitlines() or ["nothing"])[-1], environment)
        raise NotMeasured(
            Reason.UNREACHABLE,
            f"{interpreter} ended with {done.returncode} and gave no metadata; it said: {last}",
        )
    if error := said.get("error"):
        message = _masked(f"{error}: {said['message']}", environment)
        raise NotMeasured(
            Reason.UNREACHABLE,
            f"{about} gave no metadata: {message}; try it with that interpreter by hand "
            f"({section}: interpreter, path, environment)",
        )
    return said


def _read(answer: Path) -> dict[str, Any] | None:
    try:
        if answer.stat().st_size > LARGEST_ANSWER:
            return None
        said = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _masked(text: str, environment: Mapping[str, Deferred]) -> str:
    """``text`` without the values the application was given: its errors like to repeat them."""
    for name, value in environment.items():
        if value.names() and len(value.value()) > 3:
            text = text.replace(value.value(), f"[{name}]")
    return text[:400]
