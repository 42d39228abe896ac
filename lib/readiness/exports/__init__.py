"""findings.json in the formats of other tools: one module a format, each from a record alone.

A finding that a format cannot carry is left out and named in ``dropped``; it never costs the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TypeVar

from ..finding import Finding
from ..record import Record


@dataclass
class Export:
    """A file for another tool, and the findings that it could not carry, with why."""

    content: bytes
    dropped: list[str] = field(default_factory=list)


FORMATS = {  # name -> (file, module)
    "junit": ("junit.xml", "junit"),
    "sarif": ("findings.sarif", "sarif"),
    "csv": ("findings.csv", "spreadsheet"),
    "xlsx": ("findings.xlsx", "workbook"),
    "prometheus": ("readiness.prom", "prometheus"),
    "in-toto": ("test-result.json", "intoto"),
    "oscal": ("assessment-results.json", "oscal"),
}

PACKAGES = {"trestle": "compliance-trestle"}  # module -> package, where they differ

T = TypeVar("T")


def export(record: Record, name: str, previous: Record | None = None) -> Export:
    """The record in the format ``name``; SARIF says what changed since ``previous``.

    Raises ValueError for an unknown format, and when an optional package is missing.
    """
    if name not in FORMATS:
        raise ValueError(f"no such format: {name} (there are: {', '.join(FORMATS)})")
    try:
        module = import_module(f".{FORMATS[name][1]}", __name__)
    except ImportError as missing:
        module_name = (missing.name or str(missing)).split(".")[0]
        package = PACKAGES.get(module_name, module_name)
        raise ValueError(f"the format {name} needs: pip install {package}") from None
    made: Export = module.export(record, previous)
    return made


def each(
    findings: Iterable[Finding], convert: Callable[[Finding], T]
) -> tuple[list[tuple[Finding, T]], list[str]]:
    """Convert findings one by one; what breaks is left out and named."""
    made, dropped = [], []
    for finding in findings:
        try:
            made.append((finding, convert(finding)))
        except Exception as broke:
            dropped.append(f"{finding.check}: {type(broke).__name__}: {broke}")
    return made, dropped


def printable(text: str) -> str:
    """``text`` without the characters that XML 1.0 and terminals cannot carry."""
    return "".join(
        c
        for c in text.encode("utf-8", errors="replace").decode("utf-8")
        if c in "\t\n" or (c >= " " and not "\x7f" <= c <= "\x9f" and c not in "\ufffe\uffff")
    )
