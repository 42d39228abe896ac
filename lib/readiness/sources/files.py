"""Files that may hold what was just written: logs, and backups as they are packed."""

from __future__ import annotations

import glob
import gzip
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

from ..target import Plaintext

PIECE = 1 << 20  # bytes in memory at a time
RESTORE_SECONDS = 120
ARCHIVE, GZIP = b"PGDMP", b"\x1f\x8b"


def search(
    declared: Plaintext, forms: set[str], since: float, said: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Every place of these texts, in lower case, in files that were written to since then.

    ``said`` gets one row a file or pattern: whether it was searched, or why not. A file that is
    older cannot hold them.
    """
    wide = {form.encode(): form for form in forms}
    # UTF-16 stands in a file with its zeros, which the server writes as an escape.
    wide |= {form.encode().replace(b"\\000", b"\0"): form for form in forms if "\\000" in form}
    for pattern in (*declared.logs, *declared.backups):
        named = glob.glob(pattern.value(), recursive=True)  # noqa: PTH207  (an absolute pattern)
        paths = [Path(path) for path in sorted(named)]
        newer = [path for path in paths if path.is_file() and path.stat().st_mtime >= since]
        if not newer:
            why = "no file was written to since" if paths else "there is no such file"
            said.append({"file": str(pattern), "searched": False, "why": why})
        for path in newer:
            row: dict[str, Any] = {"file": path.name, "searched": True, "why": ""}
            try:
                with _opened(path) as stream:
                    for start, form in _found(stream, wide):
                        yield {"file": path.name, "form": form, "start": start, "length": len(form)}
            except (OSError, EOFError, ValueError) as broke:
                row |= {"searched": False, "why": str(broke)[:200]}
            said.append(row)


def _found(stream: IO[bytes], wide: dict[bytes, str]) -> Iterator[tuple[int, str]]:
    longest = max(map(len, wide), default=0)
    tail, start = b"", 0
    seen: set[tuple[int, str]] = set()
    while piece := stream.read(PIECE):
        text = (tail + piece).lower()
        for looked_for, form in wide.items():
            place = text.find(looked_for)
            if place >= 0 and (start + place, form) not in seen:
                seen.add((start + place, form))
                yield start + place, form
        tail = text[-longest:]
        start += len(text) - len(tail)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """A file as it reads: unpacked, where it is gzip or an archive of pg_dump."""
    with path.open("rb") as plain:
        head = plain.read(5)
        plain.seek(0)
        if head.startswith(GZIP):
            with gzip.open(plain) as unpacked:
                yield cast(IO[bytes], unpacked)
        elif head == ARCHIVE:
            with _restored(path) as sql:
                yield sql
        else:
            yield plain


@contextmanager
def _restored(path: Path) -> Iterator[IO[bytes]]:
    program = shutil.which("pg_restore")
    if not program:
        raise OSError("an archive of pg_dump, and pg_restore is not installed")
    process = subprocess.Popen(
        [program, "--file=-", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdout
    try:
        yield process.stdout
        if process.wait(RESTORE_SECONDS):
            raise OSError("pg_restore could not read it")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        process.wait()
