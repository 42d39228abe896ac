"""Where the target's code says ON CONFLICT: which keys its upserts rely on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Record = dict[str, Any]
TARGET = re.compile(
    r"on_conflict_do_(?:update|nothing)\(\s*(?:index_elements\s*=\s*)?[\[(](?P<elements>[^\])]*)"
    r"|ON\s+CONFLICT\s*\((?P<columns>[^)]*)\)"
    r"|unique_fields\s*=\s*[\[(](?P<fields>[^\])]*)",
    re.IGNORECASE,
)
BEFORE = 600  # characters in which the table or its model is named
LARGEST = 1_000_000  # bytes of a file
MOST = 5_000  # files
SKIPPED = {".git", ".venv", "venv", "node_modules", "site-packages", "__pycache__", "tests"}


def found_in(folders: Iterable[Path]) -> list[Record]:
    """Each upsert of the Python and SQL files below: columns, text before it, and where."""
    seen = []
    for folder in folders:
        for number, path in enumerate(_files(folder)):
            if number >= MOST:
                break
            try:
                text = path.read_text(encoding="utf-8", errors="replace")[:LARGEST]
            except OSError:
                continue
            for match in TARGET.finditer(text):
                listed = next(group for group in match.groups() if group is not None)
                columns = [one.group() for one in re.finditer(r"\w+(?=\W*(?:,|$))", listed)]
                line = text.count("\n", 0, match.start()) + 1
                before = text[max(0, match.start() - BEFORE) : match.start()]
                where = f"{path.relative_to(folder)}:{line}"
                seen.append({"columns": sorted(columns), "before": _bare(before), "where": where})
    return seen


def mark(records: Sequence[Record], upserts: Sequence[Record]) -> None:
    """Say at each unique key which upsert relies on it, as ``upsert``."""
    for record in records:
        if record["kind"] != "index" or not record["unique"]:
            continue
        listed = re.fullmatch(r"btree \(([^()]*)\).*", record["definition"])
        if listed is None:
            continue
        columns = sorted(name.strip('"') for name in listed[1].split(", "))
        table = _bare(record["table"])
        for upsert in upserts:
            if upsert["columns"] == columns and table.rstrip("s") in upsert["before"]:
                record["upsert"] = upsert["where"]
                break


def _bare(text: str) -> str:
    return text.lower().replace("_", "")


def _files(folder: Path) -> Iterable[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".py", ".sql") and not SKIPPED & set(path.relative_to(folder).parts):
            yield path
