"""Variables in Compose files: ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and the like."""

from __future__ import annotations

import re
from collections.abc import Mapping

UNRESOLVED = re.compile(r"(?<!\$)\$\{\w+\}")
NAME = re.compile(r"[A-Za-z_]\w*")


class Filled(str):
    """A text that a variable's value, or its absence, became part of."""


def interpolate(
    text: str, variables: Mapping[str, str], seen: dict[str, bool] | None = None
) -> str:
    """``text`` with ``$NAME``, ``${NAME}``, ``${NAME:-default}`` and the like filled in.

    ``$$`` stays as it is. What has no value stays as ``${NAME}``. Raises ValueError for what
    Compose would refuse. ``seen`` collects the names with their defaults.
    """
    filled, rest = [], text
    while rest:
        before, dollar, rest = rest.partition("$")
        filled.append(before)
        if not dollar:
            break
        if rest.startswith("$"):
            filled.append("$$")
            rest = rest[1:]
        elif rest.startswith("{"):
            inner, rest = _braced(rest[1:])
            filled.append(_value(inner, variables, seen))
        elif found := NAME.match(rest):
            filled.append(_value(found.group(), variables, seen))
            rest = rest[found.end() :]
        else:
            raise ValueError("a lone $: write $$ for a dollar sign")
    joined = "".join(filled)
    return joined if joined == text and "$$" in text else Filled(joined)


def _braced(text: str) -> tuple[str, str]:
    """What stands before the closing brace, and what after it."""
    depth = 1
    for at, character in enumerate(text):
        depth += (character == "{") - (character == "}")
        if depth == 0:
            return text[:at], text[at + 1 :]
    raise ValueError("${ is not closed")


def _value(inner: str, variables: Mapping[str, str], seen: dict[str, bool] | None) -> str:
    found = re.fullmatch(r"([A-Za-z_]\w*)(?:(:?[-?+])(.*))?", inner, re.S)
    if not found:
        raise ValueError("not a variable between ${ and }")
    name, operator, rest = found.groups()
    default = interpolate(rest, variables, seen) if operator in ("-", ":-") else None
    if seen is not None:
        seen[name] = seen.get(name, False) or default is not None
    value = variables.get(name)
    if operator in ("+", ":+") and value is not None:
        return interpolate(rest, variables, seen)
    if value is None or (value == "" and operator == ":-"):
        return f"${{{name}}}" if default is None else default
    return value
