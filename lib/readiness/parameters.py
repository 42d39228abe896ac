"""What to audit and what is allowed: reading params/<environment>.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError

from .documents import ROOT, ParameterError, read_yaml, short_path
from .target import Safety, Section, Target

M = TypeVar("M", bound=BaseModel)


class Parameters(Section):
    """A params file."""

    environment: str
    target: Target
    permit: frozenset[Safety] = frozenset({"passive"})
    criteria: dict[str, dict[str, Any]] = {}

    @field_validator("environment")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise PydanticCustomError("name", "must be of small letters, digits and hyphens")
        return name

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
        elif error["type"] in ("model_type", "model_attributes_type"):
            message = "must be a mapping, of keys to values"
        yield f"{where}: {key or 'top level'}: {message}"


@dataclass(frozen=True)
class Described:
    """A params file as it was read: its content, the model of it, and all that is wrong with it."""

    path: Path
    raw: Any
    parameters: Parameters | None
    problems: list[str]

    @property
    def where(self) -> str:
        """The file, as its problems name it."""
        return short_path(self.path)


def environments(folder: Path = ROOT / "params") -> list[str]:
    """The environments that can be audited: one for each params file of a target."""
    return sorted(p.stem for p in folder.glob("*.yaml") if p.stem not in ("policy", "waivers"))


def read(environment: str, folder: Path = ROOT / "params") -> Described:
    """Read the file that describes an environment: ``params/<environment>.yaml``, or the file
    itself where a path is given (anything with a slash, or that ends in ``.yaml``).

    Raises ParameterError when there is no such file or it is no YAML; everything else that is
    wrong (unknown key, wrong type, unset variable) is in ``problems``.
    """
    if "/" in environment or environment.endswith((".yaml", ".yml")):
        path = Path(environment).expanduser().absolute()
    elif environment not in environments(folder):
        known = ", ".join(environments(folder)) or "none"
        said = f"no such environment (there are: {known}; a file elsewhere is named by its path)"
        raise ParameterError([f"{environment or 'no name'}: {said}"])
    else:
        path = folder / f"{environment}.yaml"
    raw = read_yaml(path)
    try:
        made = validated(Parameters, raw, short_path(path))
    except ParameterError as broke:
        return Described(path, raw, None, broke.problems)
    problems = []
    if made.environment != path.stem:
        said = f"environment: says {made.environment}, the file name {path.stem}"
        problems.append(f"{short_path(path)}: {said}")
    return Described(path, raw, made, problems)


def load(environment: str, folder: Path = ROOT / "params") -> Parameters:
    """The parameters of an environment (see ``read``); raises ParameterError with every problem."""
    described = read(environment, folder)
    if described.problems or described.parameters is None:
        raise ParameterError(described.problems)
    return described.parameters
