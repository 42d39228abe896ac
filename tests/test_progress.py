"""What takes long says so where somebody waits, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import nbclient
import nbformat
import pytest
from readiness import progress

WORK = """
import time
from readiness import progress
progress.AFTER_S, progress.EVERY_S = 0.1, 0.05
with progress.shown("plaintext.elsewhere"):
    progress.at("public.rows", 1, 4)
    time.sleep({seconds})
"""


def on_a_terminal(code: str) -> str:
    """What a program writes to its terminal."""
    ours, theirs = pty.openpty()
    subprocess.run([sys.executable, "-c", code], check=True, stderr=theirs, timeout=30)
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 10_000):
            written += piece
    except OSError:  # how a terminal that nobody holds ends
        pass
    os.close(ours)
    return written.decode()


def test_a_terminal_shows_a_line_and_is_left_as_it_was():
    shown = on_a_terminal(WORK.format(seconds=0.4))
    assert "plaintext.elsewhere: public.rows  █████░░░░░░░░░░░░░░░ 25%" in shown
    assert shown.endswith("\r\x1b[K")
    assert "\n" not in shown


def test_what_is_quick_shows_nothing():
    assert on_a_terminal(WORK.format(seconds=0)) == ""


def test_a_log_is_not_written_into():
    done = subprocess.run(
        [sys.executable, "-c", WORK.format(seconds=0.4)], capture_output=True, check=True
    )
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("at_the_keyboard", [False, True])
def test_nothing_of_it_stays_in_a_notebook(at_the_keyboard: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if at_the_keyboard:
        monkeypatch.setenv("JPY_SESSION_NAME", "a.ipynb")
    cell = nbformat.v4.new_code_cell(WORK.format(seconds=0.5))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    told = [output["data"]["text/plain"] for output in cell.outputs]
    assert told == ([""] if at_the_keyboard else [])


def test_the_runner_sees_what_its_kernels_are_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path))
    monkeypatch.setattr(progress, "AFTER_S", 0.05)
    with progress.shown("checksums.of_tables"):
        progress.at("public.rows")
        with progress.shown("database.access"):  # within: what waits is the outer one
            time.sleep(0.3)
        (file,) = tmp_path.iterdir()
        assert file.read_text().startswith("checksums.of_tables: public.rows  ")
    assert file.read_text() == ""


def test_a_terminal_shows_what_other_processes_are_at():
    inner = WORK.format(seconds=0.6)
    code = "import subprocess, sys\nfrom readiness import progress\n"
    code += "progress.AFTER_S, progress.EVERY_S = 0.1, 0.05\n"
    code += f"with progress.watched():\n    subprocess.run([sys.executable, '-c', {inner!r}])\n"
    shown = on_a_terminal(code)
    assert "public.rows" in shown
    assert shown.endswith("\r\x1b[K")
