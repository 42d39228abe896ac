"""Load on the reference stack's endpoint with one query: wrk, hey, and ours, side by side.

All ask the same with fifty users, in turns, several times, and are compared round by round. The
service shares this machine's cores with whoever asks it. A program that is not installed is said.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from statistics import median
from typing import Any

from hdrh.histogram import HdrHistogram
from readiness import reference
from readiness.parameters import validated
from readiness.sources import load
from readiness.sources.loading.analysis import QUANTILES
from readiness.target import Target

PATH = "/api/readiness"  # one query, and no rate limit
USERS, SECONDS, ROUNDS = 50, 8, 5


def wrk(url: str) -> dict[str, Any]:
    command = ["wrk", "-t1", f"-c{USERS}", f"-d{SECONDS}s", "--latency", url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, p99 = _in(r"Requests/sec:\s+([\d.]+)", said), _in(r"99%\s+([\d.]+[mu]?s)\b", said)
    unit = {"us": 1e-3, "ms": 1.0}.get(p99[-2:], 1e3)
    return {"per_s": float(rate), "p99_ms": round(float(p99.rstrip("mus")) * unit, 2)}


def hey(url: str) -> dict[str, Any]:
    command = ["hey", "-z", f"{SECONDS}s", "-c", str(USERS), url]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate, p99 = _in(r"Requests/sec:\s+([\d.]+)", said), _in(r"99%+ in ([\d.]+) secs", said)
    return {"per_s": float(rate), "p99_ms": round(float(p99) * 1000, 2)}


def _in(pattern: str, said: str) -> str:
    found = re.search(pattern, said)
    assert found, said
    return found[1]


def ours(url: str) -> dict[str, Any]:
    """Our generator (Locust's FastHttpUser in a process of its own), with all that it records."""
    base = url.removesuffix(PATH)
    raw = {
        "name": "benchmark",
        "http": {"base_url": base, "timeout_s": 10},
        "load": {
            "scenario": [{"operation": f"GET {PATH}", "category": "reads"}],
            "targets": {"reads": {"p95_ms": 10_000}},
            "users": USERS,
            "spawn_per_s": 100,
            "warm_up_s": 1,
            "duration_s": SECONDS,
        },
    }
    target = validated(Target, raw, "benchmark", {}, specimen=True).allowing(["passive", "load"])
    evidence = load.run(target)
    assert evidence.problem is None, evidence.problem
    found = {row["percentile"]: row["estimate"] for row in evidence.records[0]["percentiles"]}
    problems = evidence.records[0]["problems"]
    assert not problems, problems
    return {
        "per_s": evidence.facts["per_s"],
        "p99_ms": round(found["p99"], 2),
        "ceiling_per_s": evidence.facts["ceiling_per_s"],
        "locust_against_samples": evidence.facts["locust"],
        "histogram_differs_percent": _histogram_differs(evidence),
    }


def _histogram_differs(evidence: Any) -> float:
    """How far percentiles of the HDR histogram lie from those of the samples, at most."""
    import io

    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(evidence.files["samples.parquet"]))
    took = np.sort(table["corrected_ms"].to_numpy())
    payload = evidence.files["latencies.hlog"].decode().splitlines()[-1].rsplit(",", 1)[1]
    held = HdrHistogram.decode(payload)
    off = []
    for q in QUANTILES.values():
        exact = float(took[max(1, int(q * len(took) + 0.5)) - 1])  # the rank that it rounds to
        off.append(abs(held.get_value_at_percentile(100 * q) / 1000 / exact - 1))
    return round(100 * max(off), 3)


WAYS: dict[str, Callable[[str], dict[str, Any]]] = {"wrk": wrk, "hey": hey, "ours": ours}


def measure() -> dict[str, Any]:
    """The stack must be up, and its variables set."""
    url = reference.stack().environment()["NPS_BASE_URL"].rstrip("/") + PATH
    rounds: dict[str, list[dict[str, Any]]] = {
        way: [] for way in WAYS if way == "ours" or shutil.which(way)
    }
    waiting = []
    for _ in range(ROUNDS):
        waiting.append(round(os.getloadavg()[0], 1))
        for way, runs in rounds.items():
            runs.append(WAYS[way](url))
    found: dict[str, Any] = {"endpoint": PATH, "users": USERS, "seconds": SECONDS}
    found["machine_load_before_rounds"] = waiting
    for way in WAYS:
        if runs := rounds.get(way):
            found[way] = sorted(runs, key=lambda run: float(run["per_s"]))[len(runs) // 2]
        else:
            found[way] = {"said": "is not installed"}
    for other in ("wrk", "hey"):
        if runs := rounds.get(other):
            # Round by round: what else the machine does changes more slowly than that.
            pairs = zip(rounds["ours"], runs, strict=True)
            ratios = [round(own["per_s"] / its["per_s"], 2) for own, its in pairs]
            found[f"rate_to_{other}"] = {"median": median(ratios), "rounds": ratios}
    found["ceiling_to_rate"] = round(
        median(run["ceiling_per_s"] / run["per_s"] for run in rounds["ours"]), 1
    )
    return found


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
