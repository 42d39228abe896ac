"""A guard runs its command once its holder lets go or is killed, alone or with its children."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from readiness.guard import Guard

HOLD = """
import sys, time
from pathlib import Path
from readiness.guard import Guard
folder = Path(sys.argv[1])
Guard(["touch", str(folder / "given-back")], environment={}, folder=folder, timeout_s=5)
print("held", flush=True)
time.sleep(60)
"""


def guard(folder: Path, *command: str, **options):
    given = {"environment": {"WORD": "said"}, "folder": folder, "timeout_s": 5, **options}
    return Guard(command, **given)


def test_the_command_waits_until_it_is_released(tmp_path):
    held = guard(tmp_path, "/bin/sh", "-c", "echo $WORD; pwd > there; exit 3")
    time.sleep(0.2)
    assert not (tmp_path / "there").exists()
    assert held.release() == {"exit": 3, "said": "said\n"}
    assert (tmp_path / "there").read_text().strip() == str(tmp_path)


def test_a_command_that_fails_is_tried_again(tmp_path):
    script = "test -e once && exit 0; touch once; exit 1"
    assert guard(tmp_path, "/bin/sh", "-c", script, attempts=3).release()["exit"] == 0


def test_a_command_that_hangs_or_does_not_exist_is_said(tmp_path):
    hung = guard(tmp_path, "/bin/sleep", "60", timeout_s=0.2).release()
    assert hung == {"exit": None, "said": ""}
    assert guard(tmp_path, "/no/such/program").release()["exit"] == 126


def test_what_the_command_starts_lives_on_and_can_be_stopped(tmp_path):
    held = guard(tmp_path, "/bin/sh", "-c", "sleep 60 & echo $!")
    process = psutil.Process(int(held.release()["said"]))
    process.terminate()  # a signal that the guard itself does not heed
    process.wait(5)


@pytest.mark.parametrize("how", ["alone", "with all its children"])
def test_it_is_done_when_its_holder_is_killed(how, tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        family = psutil.Process(holder.pid).children(recursive=True)
        for process in family if how != "alone" else ():
            process.kill()
        os.kill(holder.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while not (tmp_path / "given-back").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (tmp_path / "given-back").exists()
