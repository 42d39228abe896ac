"""How far something has come that takes more than two seconds: told while it lasts, then gone.

A source says what it is at (``at``); whoever waits for it sees that with the seconds that have
passed: on the terminal, under the cell of a notebook that is worked on, and, of notebooks that the
runner executes, on the terminal of the runner. Nothing of it stays in a notebook or a file.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

AFTER_S = 2.0  # what is done sooner shows nothing
EVERY_S = 0.5
WIDTH = 20  # of the bar
LONGEST = 100  # characters of a line
VARIABLE = "READINESS_PROGRESS"  # the folder in which whoever waits elsewhere looks
Write = Callable[[str], None]  # of a line, or of nothing when it is over


class Progress:
    """One long work: its name, what it is at, and the share that is done, if that is known."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.began = time.monotonic()
        self.what = ""
        self.share: float | None = None

    def line(self) -> str:
        parts = [f"{self.name}: {self.what}" if self.what else self.name]
        if self.share is not None:
            full = round(WIDTH * self.share)
            parts.append(f"{'█' * full}{'░' * (WIDTH - full)} {self.share:.0%}")
        return "  ".join([*parts, f"{time.monotonic() - self.began:.0f} s"])[:LONGEST]


_running: list[Progress] = []  # the outermost is shown; of several threads, the first


def at(what: str, done: float = 0, of: float = 0) -> None:
    """Say what the running work is at, and how much of it is done, if that is known."""
    if _running:
        _running[0].what = what
        _running[0].share = min(done / of, 1.0) if of else None


@contextmanager
def shown(name: str) -> Iterator[None]:
    """Tell how far the work in this block has come, from its third second on."""
    progress, over = Progress(name), Event()
    _running.append(progress)
    write = _where() if len(_running) == 1 else None
    if write:
        telling = Thread(target=_tell, args=(progress.line, write, over), daemon=True)
        telling.start()
    try:
        yield
    finally:
        _running.remove(progress)
        over.set()
        if write:
            telling.join()


def _tell(line: Callable[[], str], write: Write, over: Event) -> None:
    waited = over.wait(AFTER_S)
    told = not waited
    while not waited:
        write(line())
        waited = over.wait(EVERY_S)
    if told:
        write("")


def _where() -> Write | None:
    """Where somebody waits: elsewhere, at a notebook, at this terminal, or nowhere."""
    from .report.display import interactive

    if folder := os.environ.get(VARIABLE):
        return _file(Path(folder, str(os.getpid())))
    if interactive():
        return _under_the_cell()
    return _terminal if sys.stderr.isatty() else None


def _terminal(line: str) -> None:
    with suppress(OSError):
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()


def _file(path: Path) -> Write:
    def write(line: str) -> None:
        with suppress(OSError):
            path.write_text(line, encoding="utf-8")

    return write


def _under_the_cell() -> Write:
    from IPython.display import display

    handle: list[Any] = []  # made with the first line, so that what is quick leaves no output

    def write(line: str) -> None:
        told = {"text/plain": line}
        if handle:
            handle[0].update(told, raw=True)
        else:
            handle.append(display(told, raw=True, display_id=True))  # type: ignore[no-untyped-call]

    return write


@contextmanager
def watched() -> Iterator[None]:
    """Show on this terminal what processes that are started in this block are at."""
    if not sys.stderr.isatty():
        yield
        return
    with tempfile.TemporaryDirectory(prefix="readiness-progress-") as name:
        folder, over = Path(name), Event()

        def line() -> str:
            files = sorted(folder.iterdir(), key=lambda path: path.name)
            told = [path.read_text(encoding="utf-8") for path in files]
            return " | ".join(filter(None, told))[:LONGEST]

        telling = Thread(target=_tell, args=(line, _terminal, over), daemon=True)
        os.environ[VARIABLE] = name
        telling.start()
        try:
            yield
        finally:
            del os.environ[VARIABLE]
            over.set()
            telling.join()
