"""Percentiles of 100 million samples in Parquet: ours, pandas, DuckDB, and the exact ones.

Each runs alone in a process of its own, which tells its seconds (imports apart) and its peak of
memory; the file is in the system's cache. Ours is also measured with all that `readiness analyse`
says: four columns, by endpoint and over time.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

SAMPLES = 100_000_000
AT_ONCE = 1_000_000
QUANTILES = (0.5, 0.95, 0.99, 0.999)
RUNS = {"exact": 1}


def make(folder: Path, samples: int) -> None:
    """times.parquet has the times alone; requests.parquet when, which endpoint and status, too."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = np.random.default_rng(7)
    paths = pa.array([f"/api/{name}" for name in "abcdefgh"])
    times = pa.schema([("took_ms", pa.float64())])
    requests = pa.schema(
        [
            *times,
            ("at", pa.float64()),
            ("status", pa.int16()),
            ("path", pa.dictionary(pa.int32(), pa.string())),
        ]
    )
    with (
        pq.ParquetWriter(folder / "times.parquet", times, compression="zstd") as one,
        pq.ParquetWriter(folder / "requests.parquet", requests, compression="zstd") as other,
    ):
        for start in range(0, samples, AT_ONCE):
            n = min(AT_ONCE, samples - start)
            took = chance.lognormal(3, 1, n)
            at = 1.76e9 + 86_400 * (start + np.arange(n)) / samples
            status = np.where(chance.random(n) < 0.01, 500, 200).astype(np.int16)
            number = pa.array(chance.integers(0, len(paths), n, np.int32))
            path = pa.DictionaryArray.from_arrays(number, paths)
            one.write_batch(pa.record_batch([took], schema=times))
            other.write_batch(pa.record_batch([took, at, status, path], schema=requests))


def ours(folder: Path, name: str = "times.parquet") -> list[float]:
    from readiness.sources.latencies.reading import profile_of

    profile = profile_of([folder / name])
    assert not profile.files[0].problem, profile.files[0].problem
    return [profile.quantile(q) or 0.0 for q in QUANTILES]


def ours_whole_analysis(folder: Path) -> list[float]:
    return ours(folder, "requests.parquet")


def pandas(folder: Path) -> list[float]:
    import pandas as pd

    frame = pd.read_parquet(folder / "times.parquet", columns=["took_ms"])
    return [float(one) for one in frame["took_ms"].quantile(list(QUANTILES))]


def duckdb(folder: Path) -> list[float]:
    import duckdb as database

    asked = f"SELECT quantile_disc(took_ms, {list(QUANTILES)}) FROM '{folder}/times.parquet'"
    ((found,),) = database.execute(asked).fetchall()
    return list(found)


def exact(folder: Path) -> list[float]:
    import numpy as np
    import pyarrow.parquet as pq

    took = pq.read_table(folder / "times.parquet")["took_ms"].to_numpy()
    took = np.sort(took)
    return [float(took[int(np.ceil(len(took) * q)) - 1]) for q in QUANTILES]


WAYS: dict[str, Callable[[Path], list[float]]] = {
    "exact": exact,
    "pandas": pandas,
    "duckdb": duckdb,
    "ours": ours,
    "ours_whole_analysis": ours_whole_analysis,
}


IMPORTS = {
    "exact": ("pyarrow.parquet", "pyarrow.dataset"),
    "pandas": ("pandas", "pyarrow.parquet", "pyarrow.dataset"),
    "duckdb": ("duckdb",),
    "ours": ("readiness.sources.latencies.reading", "pyarrow.parquet"),
    "ours_whole_analysis": ("readiness.sources.latencies.reading", "pyarrow.parquet"),
}


def alone(name: str, folder: Path) -> dict[str, Any]:
    """One way in a process of its own: the median of its runs."""
    runs = []
    for _ in range(RUNS.get(name, 3)):
        command = [sys.executable, __file__, name, str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
        runs.append(json.loads(done.stdout))
    middle = median(run["s"] for run in runs)
    return {**next(run for run in runs if run["s"] == middle)}


def measure(samples: int = SAMPLES) -> dict[str, Any]:
    found: dict[str, Any] = {"samples": samples}
    with tempfile.TemporaryDirectory(prefix="readiness-bench-") as name:
        folder = Path(name)
        make(folder, samples)
        sizes = {p.name: p.stat().st_size // 2**20 for p in sorted(folder.iterdir())}
        found["file_mb"] = sizes
        for way in WAYS:
            found[way] = {"said": "is not installed"}
            if way != "duckdb" or find_spec("duckdb"):
                found[way] = alone(way, folder)
    right = found["exact"]["percentiles"]
    for way in ("pandas", "duckdb", "ours"):
        if "percentiles" in found[way]:
            off = [abs(a / b - 1) for a, b in zip(found[way]["percentiles"], right, strict=True)]
            found[way]["error_percent"] = round(100 * max(off), 4)
    found["time_to_pandas"] = round(found["ours"]["s"] / found["pandas"]["s"], 2)
    found["memory_to_pandas"] = round(found["ours"]["peak_mb"] / found["pandas"]["peak_mb"], 2)
    return found


def main() -> None:
    way, folder = sys.argv[1], Path(sys.argv[2])
    for module in IMPORTS[way]:
        import_module(module)
    started = time.perf_counter()
    found = WAYS[way](folder)
    took = round(time.perf_counter() - started, 2)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"s": took, "peak_mb": peak, "percentiles": found}))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main()
    else:
        print(json.dumps(measure(int(os.environ.get("SAMPLES", SAMPLES))), indent=1))
