"""What a check is made of, as a digest: so that two runs can tell whether it was the same check."""

from __future__ import annotations

import ast
import hashlib
import inspect
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from .check import Check, catalogue
from .documents import ROOT

PACKAGE = ROOT / "lib"


def fingerprints(identifiers: Iterable[str]) -> dict[str, str]:
    """The fingerprints of those checks that this version has."""
    known = catalogue()
    return {i: fingerprint(known[i]) for i in identifiers if i in known}


def fingerprint(check: Check) -> str:
    """The digest of a check's code, its sources' code, all of ours they import, and specimens."""
    code = {Path(inspect.getfile(check.judge))}
    code |= {Path(inspect.getfile(source.collect)) for source in check.sources}
    files, left = set(code), list(code)
    while left:
        found = _imported(left.pop()) - files
        files |= found
        left += found
    for folder in {specimen.path.parent for specimen in check.specimens}:
        files |= {p for p in folder.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.relative_to(PACKAGE)} {_digest(path)}\n".encode())
    return digest.hexdigest()


@cache
def _imported(path: Path) -> set[Path]:
    """The files of ours that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.ImportFrom):
            base = path.parents[node.level - 1] if node.level else PACKAGE
            base = base.joinpath(*(node.module or "").split("."))
            found |= {base, *(base / name.name for name in node.names)}
        elif isinstance(node, ast.Import):
            found |= {PACKAGE.joinpath(*name.name.split(".")) for name in node.names}
    files = {file for base in found for file in (base.with_suffix(".py"), base / "__init__.py")}
    return {file for file in files if file.is_relative_to(PACKAGE) and file.is_file()}


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
