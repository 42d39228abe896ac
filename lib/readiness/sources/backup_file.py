"""The file that a backup left behind: how large it is, and whether it can be read to its end."""

from __future__ import annotations

import glob
import gzip
import shutil
import time
import zlib
from pathlib import Path
from typing import Any

from ..postgresql import Installation
from .program import run

HEAD, TAIL = 512, 400  # bytes looked at where a file is known by its first or last words
LIST_SECONDS = 60.0
BEGINS, ENDS = b"PostgreSQL database dump", b"database dump complete"  # of pg_dump's plain format
CHUNK = 1 << 20


def find(folder: Path, named: Path) -> Path | None:
    """The backup in ``folder``: the file that was named, else the newest that is there."""
    if named.exists():
        return named
    found = [path for path in folder.rglob("*") if path.is_file()]
    if (toc := next((p for p in found if p.name == "toc.dat"), None)) is not None:
        return toc.parent
    return max(found, key=lambda path: path.stat().st_mtime_ns, default=None)


def describe(path: Path | None, programs: Installation) -> dict[str, Any]:
    """Size and format of a backup, how many tables with rows it lists, and what is wrong with it.

    ``tables`` is None where the format keeps no list.
    """
    row: dict[str, Any] = {"bytes": 0, "format": None, "tables": None, "problem": None}
    if path is None:
        return row | {"problem": "there is no file where {file} or {folder} pointed"}
    row["bytes"] = _size(path)
    if not row["bytes"]:
        return row | {"problem": "the file is empty"}
    row["format"], row["problem"] = _format(path)
    if row["format"] in ("custom", "tar", "directory"):
        command = [str(programs.bin / "pg_restore"), "--list", str(path)]
        done = run(command, environment={}, timeout_s=LIST_SECONDS, folder=path.parent)
        listed = [line for line in done.output.splitlines() if " TABLE DATA " in line]
        row["tables"] = len(listed) if done.returncode == 0 else None
        if done.returncode != 0:
            row["problem"] = f"pg_restore cannot read it: {done.errors.strip()[:200]}"
    return row


def cut_copy(path: Path, folder: Path) -> Path:
    """A copy of a backup whose second half is missing; of a directory, that of its largest file."""
    folder.mkdir()
    copy = folder / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
        tables = [file for file in copy.rglob("*") if file.is_file() and file.name != "toc.dat"]
        largest = max(tables, key=lambda file: file.stat().st_size, default=copy / "toc.dat")
    else:
        shutil.copyfile(path, copy)
        largest = copy
    with largest.open("r+b") as file:
        file.truncate(largest.stat().st_size // 2)
    return copy


def newest(patterns: list[str]) -> dict[str, Any] | None:
    """Age and size of the newest kept backup; None when nobody said where they are."""
    if not patterns:
        return None
    names = [name for pattern in patterns for name in glob.glob(pattern)]  # noqa: PTH207
    found = [Path(name) for name in names]
    kept = [path for path in found if path.is_file() or (path / "toc.dat").exists()]
    latest = max(kept, key=lambda path: path.stat().st_mtime, default=None)
    if latest is None:
        return {"backups": 0, "age_hours": None, "bytes": 0}
    age = (time.time() - latest.stat().st_mtime) / 3600
    return {"backups": len(kept), "age_hours": round(age, 2), "bytes": _size(latest)}


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size


def _format(path: Path) -> tuple[str, str | None]:
    """The format by its first bytes, and what is wrong with the file as a file."""
    if path.is_dir():
        return "directory", None
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(0, path.stat().st_size - TAIL))
        tail = file.read()
    if head.startswith(b"\x1f\x8b"):
        return _unpacked(path)
    return _inner(head, tail)


def _inner(head: bytes, tail: bytes) -> tuple[str, str | None]:
    if head.startswith(b"PGDMP"):
        return "custom", None
    if head[257:262] == b"ustar":
        return "tar", None
    if BEGINS in head:
        return "plain", None if ENDS in tail else "cut off: pg_dump's last line is missing"
    return "unknown", None  # encrypted, or in a form of the target's own: the restore will tell


def _unpacked(path: Path) -> tuple[str, str | None]:
    head, tail = b"", b""
    try:
        with gzip.open(path) as stream:
            while chunk := stream.read(CHUNK):
                head = head or chunk[:HEAD]
                tail = (tail + chunk)[-TAIL:]
    except (OSError, EOFError, zlib.error) as broke:
        return "gzip", f"cannot be unpacked to its end: {str(broke)[:100]}"
    inside, problem = _inner(head, tail)
    return f"gzip of {inside}", problem or (None if head else "nothing is in it")
