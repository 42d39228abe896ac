"""What a Dockerfile says about the image it ends in: its base, health check and command."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace

from ..shell import text_of
from .variables import interpolate


@dataclass(frozen=True)
class Stage:
    base: str = ""  # the image it stands on in the end
    health: str | None = None  # shell text; "" when it is switched off
    entrypoint: str = ""  # as shell text
    command: str = ""


def final_stage(text: str, wanted: str | None = None) -> Stage:
    """The stage ``wanted``, or the last one, with what it inherits from the stages it stands on."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    current, name = Stage(), ""
    for line in _instructions(text):
        word, _, rest = line.partition(" ")
        word, rest = word.upper(), rest.strip()
        if word == "ARG" and not name:
            key, given, value = rest.partition("=")
            if given:
                arguments[key] = value.strip("\"'")
        elif word == "FROM":
            image, _, alias = _without_flags(rest).partition(" ")
            base = _filled(image, arguments)
            current = stages.get(base.lower(), Stage(base))
            name = alias.split()[-1].lower() if alias.split() else f"stage {len(stages)}"
        elif word == "HEALTHCHECK":
            said = _without_flags(rest)
            health = "" if said.upper() == "NONE" else _command(said.partition(" ")[2])
            current = replace(current, health=health)
        elif word == "ENTRYPOINT":
            current = replace(current, entrypoint=_command(rest), command="")
        elif word == "CMD":
            current = replace(current, command=_command(rest))
        if name:
            stages[name] = current
    if wanted and wanted.lower() in stages:
        return stages[wanted.lower()]
    return current


def _instructions(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"[\\`]\s*\n", " ", "\n".join(lines))
    return [line.strip() for line in joined.splitlines() if line.strip()]


def _without_flags(text: str) -> str:
    return re.sub(r"^(--\S+\s+)+", "", text.strip())


def _filled(image: str, arguments: dict[str, str]) -> str:
    try:
        return interpolate(image.strip(), arguments)
    except ValueError:
        return image


def _command(text: str) -> str:
    """A command in exec form (JSON) or shell form, as shell text."""
    try:
        given = json.loads(text)
    except ValueError:
        given = text
    return text_of(given)
