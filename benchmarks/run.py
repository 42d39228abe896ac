"""The benchmarks: `make bench` writes benchmarks/results.json. They never gate the tests.
`python benchmarks/run.py load percentiles` measures these parts anew.

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
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import contents
import load
import percentiles
import schema
from readiness import postgresql, record, reference, runner
from readiness.documents import ROOT
from readiness.finding import AREAS

RESULTS = Path(__file__).with_name("results.json")
VERSIONS = ("papermill", "nbconvert", "plotly", "pandas", "sqlalchemy", "psycopg", "cryptography")
VERSIONS += ("locust", "pyarrow", "duckdb")


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


def version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"


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


def report(findings: int) -> dict[str, object]:
    """The assessment of a run of so many findings: seconds to render it, and its size."""
    sys.path.insert(0, str(ROOT / "tests"))
    import sample_run
    from readiness.report import render

    with TemporaryDirectory() as folder:
        run = sample_run.many(Path(folder) / "demo" / "20260216T095804Z", findings)
        rendered = seconds(lambda: render.assessment(run), runs=1, warm_up=False)
        sizes = {name: (run / name).stat().st_size for name in ("assessment.html", "assessment.md")}
    return {"findings": findings, "render_s": rendered, "bytes": sizes}


PARTS: dict[str, Callable[[], object]] = {
    "audit": audit_against_plain_script,
    "report": lambda: [report(count) for count in (100, 2_000)],
    "schema": schema.measure,
    "contents": lambda: {"scans": contents.scans(), "verification": contents.opened()},
    "load": load.measure,
    "percentiles": percentiles.measure,
}


def main() -> None:
    """All parts, or those that are named; what the others found last time stays."""
    wanted = sys.argv[1:] or list(PARTS)
    if unknown := set(wanted) - set(PARTS):
        raise SystemExit(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    stack = reference.stack()
    was_up = stack.status()["up"]
    stack.up()
    if "audit" in wanted:
        stack.reports()
    try:
        os.environ.update(stack.environment())
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        results |= {
            "machine": {"cores": os.cpu_count(), "system": platform.system()},
            "versions": {
                "python": platform.python_version(),
                "postgresql": str(postgresql.installation()),
                **{name: version_of(name) for name in VERSIONS},
            },
        }
        for part in wanted:
            results[part] = PARTS[part]()
            print(json.dumps({part: results[part]}, indent=1), flush=True)
    finally:
        if not was_up:
            stack.down()
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
