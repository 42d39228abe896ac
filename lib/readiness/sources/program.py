"""Running a program of the target or a tool: bounded in time and output, and gone afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..finding import NotMeasured, Reason
from ..target import Target
from ..variables import Deferred

KEPT = 200_000  # bytes of each output, from its end


@dataclass(frozen=True)
class Done:
    returncode: int | None  # None: stopped at the time limit
    output: str
    errors: str


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    folder: Path,
    kept: int = KEPT,
) -> Done:
    """Run ``command`` in ``folder`` with this environment and nothing of our own, as a group of
    processes that is ended as a whole.

    Of this process's environment it sees PATH alone: what the audit knows is not for the target's
    code. Raises NotMeasured ``tool_missing`` when there is no such program.
    """
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={**own_environment(folder), **environment},
            start_new_session=True,
            umask=0o077,  # what it writes may be a copy of everybody's data
        )
    except OSError as broke:
        raise NotMeasured(
            Reason.TOOL_MISSING, f"{command[0]} cannot be run: {broke.strerror}"
        ) from None
    tails = [_Tail(stream, kept) for stream in (process.stdout, process.stderr) if stream]
    returncode: int | None = None
    with suppress(subprocess.TimeoutExpired):
        returncode = process.wait(timeout_s)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    output, errors = (tail.text() for tail in tails)
    return Done(returncode, output, errors)


def own_environment(home: Path) -> dict[str, str]:
    """What a program of the target sees of ours: PATH, and a folder to call its home."""
    own = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "TMPDIR": str(home)}
    return own | {"LC_ALL": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


@contextmanager
def for_commands(
    target: Target, given: Mapping[str, Deferred]
) -> Iterator[tuple[Path, dict[str, str]]]:
    """Where a command of the parameters runs, and its environment: in the repository's folder, if
    there is one, with a folder of its own as home and what ``given`` names."""
    where = target.repository.path.value() if target.repository else None
    with tempfile.TemporaryDirectory(prefix="readiness-command-") as home:
        values = {name: value.value() for name, value in given.items()}
        yield Path(where or home), own_environment(Path(home)) | values


class _Tail(threading.Thread):
    """Reads a stream to its end and keeps the last of it."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        super().__init__(daemon=True)
        self._most = most
        self._stream = stream
        self._kept = bytearray()
        self.start()

    def run(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 65_536):
                self._kept += chunk
                del self._kept[: -self._most]

    def text(self) -> str:
        self.join(1.0)  # a process that left the group may hold the stream open
        return self._kept.decode("utf-8", errors="replace")
