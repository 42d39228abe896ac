"""A command that is run when this process lets go of it or ends, however it ends.

A guard is a process that waits for its standard input to close, which the end of the process that
holds the other side does too, also when it is killed; then it runs its command. It is nobody's
child, so it outlives whoever is killed together with all its children, as the kernel of a notebook
is at its deadline. Only the end of the machine it does not survive.

This file is run as a script as well, by an interpreter that finds nothing but the standard library.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

PAUSE_S = 1.0  # before the command is tried again
KEPT = 2_000  # characters of what the command said, from its end


class Guard:
    """Watches from the moment it is made; ``release`` has the command run at once.

    The command is tried ``attempts`` times while it fails, ``timeout_s`` seconds each. It is told
    by standard input, with its environment: a command line can be read by everybody. Raises OSError
    when there can be no guard.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        timeout_s: float,
        attempts: int = 1,
    ) -> None:
        plan: dict[str, Any] = {"command": list(command), "environment": dict(environment)}
        plan |= {"folder": str(folder), "timeout_s": timeout_s, "attempts": attempts}
        process = subprocess.Popen(
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        self._held, self._said = process.stdin, process.stdout
        with suppress(BrokenPipeError):
            self._held.write(json.dumps(plan).encode() + b"\n")
            self._held.flush()
        process.wait()  # it has left its place to a child of its own, which is now nobody's
        if self._said.readline() != b"watching\n":
            raise OSError("the guard did not start")

    def release(self) -> dict[str, Any]:
        """Have the command run now; ``exit`` (None: stopped at the time limit), ``said``."""
        with suppress(BrokenPipeError):
            self._held.close()
        with self._said:
            answer = self._said.read()
        return dict(json.loads(answer)) if answer else {"exit": None, "said": "the guard is gone"}


def _watch() -> None:
    """Wait for standard input to close, then run the command that its first line describes."""
    plan = json.loads(sys.stdin.buffer.readline())
    if os.fork():
        os._exit(0)
    for ask in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ask, lambda *_: None)  # not SIG_IGN, which the command would inherit
    print("watching", flush=True)
    sys.stdin.buffer.read()
    for attempt in range(plan["attempts"]):
        time.sleep(PAUSE_S if attempt else 0)
        done = _run(plan)
        if done["exit"] == 0:
            break
    with suppress(OSError):  # nobody may be there to hear it
        print(json.dumps(done), flush=True)


def _run(plan: dict[str, Any]) -> dict[str, Any]:
    # Output goes to a file and not to a pipe: a server that is started holds on to it.
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                plan["command"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=plan["folder"] if Path(plan["folder"]).is_dir() else "/",
                env=plan["environment"],
                start_new_session=True,
            )
        except OSError as broke:
            return {"exit": 126, "said": broke.strerror}
        try:
            code: int | None = process.wait(plan["timeout_s"])
        except subprocess.TimeoutExpired:
            code = None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        output.seek(0)
        return {"exit": code, "said": output.read().decode(errors="replace")[-KEPT:]}


if __name__ == "__main__":
    _watch()
