"""What a make target runs: its recipe, and the recipes of what it needs."""

from __future__ import annotations

import re

DEEPEST = 4  # prerequisites of prerequisites ...
RULE = re.compile(r"^([^\s:=#][^:=#]*?)\s*::?(?!=)\s*([^=#;]*)")
VARIABLE = re.compile(r"^(?:export\s+)?([\w.-]+)\s*(?::{0,3}|\?)=\s*(.*)$")


def recipe(text: str, target: str) -> list[str]:
    """The lines that ``make target`` runs, prerequisites first, its variables filled in."""
    rules, variables = _parsed(text)
    return [_filled(line, variables) for line in _lines(rules, target, 0)]


def _parsed(text: str) -> tuple[dict[str, tuple[list[str], list[str]]], dict[str, str]]:
    rules: dict[str, tuple[list[str], list[str]]] = {}
    variables: dict[str, str] = {}
    current: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("\t"):
            for name in current:
                rules[name][1].append(line.strip())
        elif found := VARIABLE.match(line):
            variables[found[1]] = found[2].strip()
        elif found := RULE.match(line):
            current = found[1].split()
            for name in current:
                rules.setdefault(name, ([], []))[0].extend(found[2].split("|")[0].split())
                if (inline := line.partition(";")[2].strip()) and ";" in line:
                    rules[name][1].append(inline)
        elif line.strip() and not line.startswith("#"):
            current = []
    return rules, variables


def _lines(rules: dict[str, tuple[list[str], list[str]]], target: str, depth: int) -> list[str]:
    if target not in rules or depth > DEEPEST:
        return []
    needs, own = rules[target]
    before = [line for name in needs for line in _lines(rules, name, depth + 1)]
    return [*before, *own]


def _filled(line: str, variables: dict[str, str]) -> str:
    """Make's variables replaced; an unknown one by its own name: ``$(PYTEST)`` is ``pytest``."""
    for _ in range(DEEPEST):
        filled = re.sub(r"\$[({]([\w.-]+)[)}]", lambda m: variables.get(m[1], m[1].lower()), line)
        if filled == line:
            break
        line = filled
    return line.replace("$$", "$")
