"""The benchmarks: `make bench` writes benchmarks/results.json. They never gate the tests.

Seconds depend on the machine and its neighbours; the ratios within one run are what to compare.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median

import schema
from readiness import postgresql, record, reference, runner
from readiness.documents import ROOT
from readiness.finding import AREAS

RESULTS = Path(__file__).with_name("results.json")
VERSIONS = ("papermill", "nbconvert", "plotly", "pandas", "sqlalchemy", "psycopg", "cryptography")


def seconds(work: Callable[[], object], runs: int = 3, warm_up: bool = True) -> float:
    """The median wall time of a few runs, after one that is not counted."""
    if warm_up:
        work()
    taken = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return round(median(taken), 3)


def script(code: str) -> None:
    subprocess.run(
        [sys.executable, "-c", code], check=True, timeout=900, cwd=ROOT, env={**os.environ}
    )


def audit_against_plain_script() -> dict[str, object]:
    """The whole audit, each notebook's share, and the same checks without notebooks."""
    outputs = ROOT / "outputs"
    # A minute each, and what a warm-up would warm (disk, database) the stack's start has warmed.
    once = {"runs": 1, "warm_up": False}
    whole = seconds(lambda: runner.audit(runner.request("demo", outputs=outputs)), **once)
    latest = record.latest("demo", outputs)
    assert latest
    kept = record.Record.read(latest)
    plain = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from plain import judge_all; from readiness.parameters import load\n"
        "judge_all(load('demo'), calibrated=True)"
    )
    bare = seconds(lambda: script(plain), **once)
    imports = seconds(lambda: script("import pandas, plotly.graph_objects, sqlalchemy, readiness"))
    starts = sum(n.kernel_start_s for n in kept.notebooks)
    in_notebooks = sum(n.seconds for n in kept.notebooks)
    return {
        "audit_s": whole,
        "plain_script_s": bare,
        "ratio_audit_to_plain_script": round(whole / bare, 2),
        "notebooks_s": {n.area: n.seconds for n in kept.notebooks},
        "kernel_start_s": {n.area: n.kernel_start_s for n in kept.notebooks},
        "imports_s": imports,
        "share_of_kernel_start": round(starts / in_notebooks, 3),
        "share_of_imports": round(imports * len(AREAS) / in_notebooks, 3),
    }


def main() -> None:
    stack = reference.stack()
    was_up = stack.status()["up"]
    stack.up()
    stack.reports()
    try:
        os.environ.update(stack.environment())
        results = {
            "machine": {"cores": os.cpu_count(), "system": platform.system()},
            "versions": {
                "python": platform.python_version(),
                "postgresql": str(postgresql.installation()),
                **{name: version(name) for name in VERSIONS},
            },
            "audit": audit_against_plain_script(),
            "schema": schema.measure(),
        }
    finally:
        if not was_up:
            stack.down()
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps(results["audit"], indent=1))


if __name__ == "__main__":
    main()
