"""The service's own cipher code, running in its own interpreter for as long as it is asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..finding import NotMeasured, Reason
from ..target import CipherCode

DRIVER = Path(__file__).with_name("cipher_driver.py")
Answer = dict[str, Any]


class Service:
    """The running driver; asked in batches, as each question costs a turn."""

    def __init__(self, code: CipherCode, process: subprocess.Popen[str], errors: Path) -> None:
        self.python = ""
        self.forks = False  # whether it can be tried in forked workers
        self._code = code
        self._process = process
        self._errors = errors
        self._timed_out = False

    def load(self) -> None:
        """Import the service's module. Raises NotMeasured when that fails."""
        code = self._code
        told = {
            "path": [entry.value() for entry in code.path],
            "module": code.module,
            "derive_key": code.derive_key,
            "encrypt": code.encrypt,
            "decrypt": code.decrypt,
        }
        reply = self._turn(told)
        if "raised" in reply:
            raise self._unusable(f"{reply['raised']}: {reply['message']}")
        self.python, self.forks = reply["python"], reply["forks"]

    def ask(self, operations: list[list[Any]]) -> list[Answer]:
        """An answer for each operation."""
        answers: list[Answer] = self._turn(operations)
        return answers

    def give_up(self) -> None:
        """The time is over."""
        self._timed_out = True
        self.end()

    def end(self) -> None:
        """End the process and whatever it started."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _turn(self, said: object) -> Any:
        process = self._process
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(said) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())
        except (OSError, ValueError):  # its ends of the pipes are closed: it is gone, or will be
            self.end()
            process.wait()
        if self._timed_out:
            raise self._unusable(f"no answer within {self._code.timeout_s:g} s")
        lines = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise self._unusable(f"it ended without an answer: {(lines or ['nothing said'])[-1]}")

    def _unusable(self, said: str) -> NotMeasured:
        for name, value in self._code.environment.items():
            if value.names() and len(value.value()) > 3:  # its errors may repeat what it was given
                said = said.replace(value.value(), f"[{name}]")
        return NotMeasured(
            Reason.UNREACHABLE,
            f"the cipher code {self._code.module} cannot be tried with {self._code.interpreter}: "
            f"{said[:400]} (see target.encryption.code: interpreter, path, module, environment)",
        )


@contextmanager
def running(code: CipherCode) -> Iterator[Service]:
    """The driver in the service's interpreter, in a session of its own, gone with the block.

    Of this process's environment it sees PATH alone, beside what the parameters give it.
    """
    with tempfile.TemporaryDirectory(prefix="readiness-cipher-") as folder:
        variables = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": folder,
            "TMPDIR": folder,
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",  # the target's folders stay as they are
            **{name: value.value() for name, value in code.environment.items()},
        }
        errors = Path(folder, "stderr")
        process = _start(code.interpreter.value(), variables, folder, errors)
        service = Service(code, process, errors)
        watchdog = threading.Timer(code.timeout_s, service.give_up)
        watchdog.start()
        try:
            service.load()
            yield service
        finally:
            watchdog.cancel()
            service.end()
            with suppress(OSError):
                process.communicate()


def _start(
    interpreter: str, variables: dict[str, str], folder: str, errors: Path
) -> subprocess.Popen[str]:
    with errors.open("wb") as sink:
        try:
            return subprocess.Popen(
                [interpreter, "-c", DRIVER.read_text(encoding="utf-8")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                cwd=folder,
                env=variables,
                text=True,
                encoding="utf-8",
                start_new_session=True,
                umask=0o077,
            )
        except OSError as broke:
            raise NotMeasured(
                Reason.TOOL_MISSING,
                f"{interpreter} cannot be run ({broke.strerror}): set "
                "target.encryption.code.interpreter to the service's Python",
            ) from None
