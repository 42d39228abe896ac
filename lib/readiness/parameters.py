"""What to audit and what is allowed: reading params/<environment>.yaml."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator

from .documents import ROOT, ParameterError, read_yaml, short_path
from .target import Safety, Section, Target

M = TypeVar("M", bound=BaseModel)


class Parameters(Section):
    """A params file."""

    environment: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    target: Target
    permit: frozenset[Safety] = frozenset({"passive"})
    criteria: dict[str, dict[str, Any]] = {}

    @model_validator(mode="after")
    def _hand_over_permission(self) -> Parameters:
        self.target._permit = self.permit
        return self


def validated(
    model: type[M],
    raw: object,
    where: str,
    variables: Mapping[str, str] | None = None,
    specimen: bool = False,
) -> M:
    """``raw`` as a model; every problem at once, each with ``where`` and its key path."""
    try:
        return model.model_validate(raw, context={"variables": variables, "specimen": specimen})
    except ValidationError as broke:
        raise ParameterError(list(_problems(broke, where))) from None


def _problems(broke: ValidationError, where: str) -> Iterator[str]:
    # Without the input: what was written in the wrong place may be a secret.
    for error in broke.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in error["loc"])
        message = error["msg"]
        if error["type"] == "extra_forbidden":
            message = "unknown key"
        elif error["type"] == "missing":
            message = "is missing"
        yield f"{where}: {key or 'top level'}: {message}"


def load(environment: str, folder: Path = ROOT / "params") -> Parameters:
    """Read ``params/<environment>.yaml``.

    Raises ParameterError with every problem: unknown key, wrong type, unset variable.
    """
    path = folder / f"{environment}.yaml"
    raw = read_yaml(path)
    made = validated(Parameters, raw, short_path(path))
    if made.environment != environment:
        said = f"environment: says {made.environment}, the file name {environment}"
        raise ParameterError([f"{short_path(path)}: {said}"])
    return made
