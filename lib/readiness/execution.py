"""Executing one notebook with papermill, and whether to believe what came out.

``run_one`` takes and gives plain values, so that any ``concurrent.futures`` executor can carry it,
also to another machine: notebook text in, notebook text and evidence bytes out. Secrets travel by
the worker's environment, never in the task.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .audit import FOLDER_VARIABLE, PREVIOUS_VARIABLE, RESULT_TYPE
from .report.display import CARD_TYPE


def run_one(task: dict[str, Any]) -> dict[str, Any]:
    """Run one notebook and return what it left; never raises.

    ``task``: name, notebook (text), parameters, deadline_s for the whole notebook, and previous,
    the folder of the run before, if there is one.
    Returns name, notebook (executed text), evidence (path -> bytes), problem (None when the
    notebook ran to its end), seconds, kernel_start_s.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="readiness-notebook-") as folder:
        evidence = Path(folder, "evidence")
        evidence.mkdir(mode=0o700)
        output = Path(folder, "notebook.ipynb")
        os.environ[FOLDER_VARIABLE] = str(evidence)
        if previous := task.get("previous"):
            os.environ[PREVIOUS_VARIABLE] = previous
        try:
            with _deadline(task["deadline_s"]) as overrun:
                problem = _execute(task, output)
            if overrun.is_set():
                problem = f"stopped: not done within {task['deadline_s']:g} s"
        except BaseException as broke:
            problem = f"{type(broke).__name__}: {broke}"
        finally:
            del os.environ[FOLDER_VARIABLE]
            os.environ.pop(PREVIOUS_VARIABLE, None)
        text = output.read_text(encoding="utf-8") if output.exists() else task["notebook"]
        return {
            "name": task["name"],
            "notebook": text,
            "evidence": {
                str(p.relative_to(evidence)): p.read_bytes()
                for p in sorted(evidence.rglob("*"))
                if p.is_file()
            },
            "problem": problem or incomplete(json.loads(text)),
            "seconds": round(time.perf_counter() - started, 3),
            "kernel_start_s": _kernel_start(json.loads(text)),
        }


def _execute(task: dict[str, Any], output: Path) -> str | None:
    """Execute through papermill; returns what went wrong, in one line."""
    import nbformat
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    notebook = nbformat.reads(task["notebook"], as_version=4)  # type: ignore[no-untyped-call]
    try:
        execute(notebook, output, task["parameters"], task["deadline_s"])
    except PapermillExecutionError as broke:
        return f"cell {broke.exec_count} broke: {broke.ename}: {broke.evalue}"
    except (DeadKernelError, CellTimeoutError) as broke:
        return f"the kernel was lost: {str(broke).splitlines()[0] or type(broke).__name__}"
    return None


def execute(
    notebook: Any, output: Path, parameters: dict[str, Any], cell_timeout_s: float, **options: Any
) -> None:
    """Execute a notebook (a path or a node) with papermill, in a kernel that is ours alone."""
    import papermill
    from jupyter_client.manager import AsyncKernelManager

    # Named by us: jupyter_client's own name is the same for every kernel started in one folder, so
    # that two at once would hear each other. In /tmp, as a socket's path has 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="readiness-kernel-", dir="/tmp") as sockets:

        class PrivateKernel(AsyncKernelManager):
            """A kernel on Unix sockets in a folder of its owner: nobody else can listen."""

            def __init__(self, **given: Any) -> None:
                super().__init__(**{**given, "transport": "ipc", "ip": f"{sockets}/kernel"})

            async def _async_pre_start_kernel(self, **given: Any) -> Any:
                # What a kernel prints outside its cells is about its own start and end.
                quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
                return await super()._async_pre_start_kernel(**{**given, **quiet})

            pre_start_kernel = _async_pre_start_kernel

        papermill.execute_notebook(
            notebook,
            str(output),
            parameters=parameters,
            kernel_name="python3",
            progress_bar=False,
            execution_timeout=cell_timeout_s,
            kernel_manager_class=PrivateKernel,
            **options,
        )


@contextmanager
def _deadline(seconds: float) -> Iterator[threading.Event]:
    """Kill this process's kernels when the block takes longer; the event says that it did."""
    overrun = threading.Event()

    def stop() -> None:
        overrun.set()
        _kill_children()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield overrun
    finally:
        timer.cancel()
        _kill_children()


def _kill_children() -> None:
    """Kill every kernel of this process and what it started; nothing of a notebook outlives it."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            if "ipykernel" in " ".join(child.cmdline()):
                for process in [*child.children(recursive=True), child]:
                    process.kill()


def incomplete(notebook: dict[str, Any]) -> str | None:
    """Why an executed notebook is not to be believed as complete, or None.

    papermill's own status is not asked: a killed kernel or ``sys.exit(0)`` leaves it clean. Every
    code cell must have run, none may hold an error, and the last must have given a result.
    """
    code = [
        c for c in notebook["cells"] if c["cell_type"] == "code" and "".join(c["source"]).strip()
    ]
    for number, cell in enumerate(code, 1):
        if any(output["output_type"] == "error" for output in cell["outputs"]):
            return f"code cell {number} of {len(code)} broke"
        if cell.get("execution_count") is None:
            return f"code cell {number} of {len(code)} never ran"
    if not code or conclusion(notebook) is None:
        return "the last cell gave no result"
    return None


def conclusion(notebook: dict[str, Any]) -> dict[str, Any] | None:
    """The result that the notebook's last code cell emitted."""
    code = [
        c for c in notebook["cells"] if c["cell_type"] == "code" and "".join(c["source"]).strip()
    ]
    found = list(_outputs(code[-1:], RESULT_TYPE))
    return found[-1] if found else None


def cards(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings judged one by one, for a notebook that did not reach its conclusion."""
    return list(_outputs(notebook["cells"], CARD_TYPE))


def _outputs(cells: list[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    for cell in cells:
        for output in cell.get("outputs", []):
            if kind in output.get("data", {}):
                yield output["data"][kind]


def _kernel_start(notebook: dict[str, Any]) -> float:
    """Seconds from the beginning until the first cell ran: imports of papermill and the kernel."""
    from datetime import datetime

    about = notebook["metadata"].get("papermill", {})
    first = next(
        (
            c["metadata"]["papermill"]["start_time"]
            for c in notebook["cells"]
            if c["metadata"].get("papermill", {}).get("start_time")
        ),
        None,
    )
    if not first or not about.get("start_time"):
        return 0.0
    begun, ran = (datetime.fromisoformat(t) for t in (about["start_time"], first))
    return round((ran - begun).total_seconds(), 3)
