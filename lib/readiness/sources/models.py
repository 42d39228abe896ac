"""The target's models, asked in the target's own interpreter: their DDL and what it cannot say."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from ..finding import NotMeasured, Reason
from ..target import Orm, Target, need
from . import program

EMITTER = Path(__file__).with_name("emit_ddl.py")
LARGEST_ANSWER = 200_000_000  # bytes; 10,000 tables are about 30 million


def emit(target: Target) -> dict[str, Any]:
    """What ``emit_ddl.py`` answers: schemas, statements, columns, foreign_keys, versions.

    Raises NotMeasured when the interpreter is not there, the module does not import, does not
    come back in time or gives no metadata, or the metadata holds no table.
    """
    orm = need(target.orm, "target.orm")
    with tempfile.TemporaryDirectory(prefix="readiness-orm-") as folder:
        answer = Path(folder, "answer.json")
        job = {
            "path": [part.value() for part in orm.path],
            "imports": orm.imports,
            "metadata": orm.metadata,
            "answer": str(answer),
        }
        done = program.run(
            [orm.interpreter.value(), "-c", EMITTER.read_text(encoding="utf-8"), json.dumps(job)],
            environment={name: value.value() for name, value in orm.environment.items()},
            timeout_s=orm.timeout_s,
            folder=Path(folder),
        )
        if done.returncode is None:
            raise NotMeasured(
                Reason.UNREACHABLE,
                f"{orm.metadata} was not there within {orm.timeout_s:g} s: importing it must not "
                "start the application (or raise target.orm.timeout_s)",
            )
        emitted = _read(answer)
    if emitted is None:
        said = _masked((done.errors.strip().splitlines() or ["nothing"])[-1], orm)
        raise NotMeasured(
            Reason.UNREACHABLE,
            f"{orm.interpreter} ended with {done.returncode} and gave no metadata; it said: {said}",
        )
    if error := emitted.get("error"):
        said = _masked(f"{error}: {emitted['message']}", orm)
        raise NotMeasured(
            Reason.UNREACHABLE,
            f"{orm.metadata} gave no metadata: {said}; try it with that interpreter by hand "
            "(target.orm: interpreter, path, imports, metadata, environment)",
        )
    if not emitted["tables"]:
        raise NotMeasured(
            Reason.NO_SAMPLES,
            f"{orm.metadata} holds no table: name the modules that define the models under "
            "target.orm.imports",
        )
    return emitted


def _read(answer: Path) -> dict[str, Any] | None:
    try:
        if answer.stat().st_size > LARGEST_ANSWER:
            return None
        said = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _masked(text: str, orm: Orm) -> str:
    """``text`` without the values the application was given: its errors like to repeat them."""
    for name, value in orm.environment.items():
        if value.names() and len(value.value()) > 3:
            text = text.replace(value.value(), f"[{name}]")
    return text[:400]
