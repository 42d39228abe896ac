"""Pages in a real browser: how soon they show, how long they are stuck, what they transfer."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..statistics import Interval, quantile_interval, quantile_ranks
from ..target import Frontend, Target, need
from ..traffic import Planned
from . import browser
from .program import run

CONFIDENCE = 0.95  # of each bound of a median
START_S = 30.0
SHOWN_MS = ("fcp_ms", "lcp_ms", "tbt_ms", "load_ms")

Standing = Literal["met", "missed", "open"]


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    page = target.frontend
    if page:
        for path in page.pages:
            yield Planned(f"GET {path}", 1 + page.max_loads * len(page.profiles))


@source("passive", plan=_planned)
def loads(target: Target) -> Collected:
    """Every page of target.frontend loaded several times with an empty cache: one row a load.

    The browser sends what the page asks for, also to other hosts; facts.hosts counts it.
    """
    page = need(target.frontend, "target.frontend")
    given = page.base_url or (target.http.base_url if target.http else None)
    base = need(given, "target.frontend.base_url").value().rstrip("/")
    if importlib.util.find_spec("playwright") is None:
        raise NotMeasured(Reason.TOOL_MISSING, "no playwright: pip install playwright")
    chromium = page.browser.value() if page.browser else browser.found()
    if not chromium:
        raise NotMeasured(Reason.TOOL_MISSING, "no Chromium on this machine: install chromium")
    wanted = [
        {"url": base + path, "path": path, "profile": profile, "contains": page.contains}
        for path in page.pages
        for profile in page.profiles
    ]
    # The first load warms the server and the browser and is not counted.
    records, told = _visited(chromium, page, [wanted[0], *wanted * page.loads])
    records = records[1:]
    while more := _left_open(records, wanted, page):
        added, told = _visited(chromium, page, more)
        records += added
    hosts: dict[str, int] = {}
    for record in records:
        for host, count in record.pop("hosts").items():
            hosts[host] = hosts.get(host, 0) + count
    facts = {"targets": page.targets.given(), "hosts": hosts}
    if records and all("ERR_CONNECTION" in record["problem"] for record in records):
        raise NotMeasured(Reason.UNREACHABLE, f"{base}: {records[0]['problem']}")
    tools = {"playwright": version("playwright"), "Chromium": told.get("version", "?")}
    return Collected(records, facts, tools)


def _visited(
    chromium: str, page: Frontend, visits: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="readiness-browser-") as name:
        folder = Path(name)
        plan, result = folder / "plan.json", folder / "result.json"
        content = {"browser": chromium, "options": browser.options(), "visits": visits}
        plan.write_text(json.dumps({**content, "timeout_s": page.timeout_s}))
        command = [sys.executable, "-m", "readiness.sources.browsing.visits", plan, result]
        most = START_S + 2 * page.timeout_s * len(visits)
        done = run([str(part) for part in command], environment={}, timeout_s=most, folder=folder)
        if not result.exists():
            said = (done.errors.strip().splitlines() or ["it did not start in time"])[-1]
            raise NotMeasured(Reason.INCONCLUSIVE, f"the browser could not be used: {said[:200]}")
        told = json.loads(result.read_text())
        return told["visits"], told


def _left_open(
    records: list[dict[str, Any]], wanted: list[dict[str, Any]], page: Frontend
) -> list[dict[str, Any]]:
    """The visits to make again: two more of each page whose median is not decided yet."""
    undecided = {(r["path"], r["profile"]) for r in medians(records, page.targets.given())
                 if r["standing"] == "open" and 0 < r["loads"] <= page.max_loads - 2}  # fmt: skip
    return [one for one in wanted if (one["path"], one["profile"]) in undecided] * 2


def medians(records: list[dict[str, Any]], targets: dict[str, float]) -> list[dict[str, Any]]:
    """Each figure of each page and profile: its median with bounds, and where it stands."""
    rows = []
    for path, profile in dict.fromkeys((r["path"], r["profile"]) for r in records):
        own = [r for r in records if (r["path"], r["profile"]) == (path, profile)]
        good = [r for r in own if not r["problem"]]
        for name, target in targets.items():
            values = [float(r[name]) for r in good if r.get(name) is not None]
            median = Interval(float("nan"), None, None)
            if values and quantile_ranks(len(values), 0.5, CONFIDENCE)[0]:
                median = quantile_interval(values, 0.5, CONFIDENCE)
            standing: Standing = "open"
            if median.high is not None and median.high <= target:
                standing = "met"
            elif median.low is not None and median.low > target:
                standing = "missed"
            told = {"page": path, "path": path, "profile": profile, "figure": name}
            spread = {"median": median.estimate if values else None, "low": median.low,
                      "high": median.high, "target": target, "standing": standing}  # fmt: skip
            rows.append({**told, "loads": len(values), **spread})
    return rows


def table(evidence: Evidence) -> Any:
    """A data frame: each figure of each page, its median and bounds against the target."""
    import pandas as pd

    rows = medians(evidence.records, evidence.facts.get("targets", {}))
    columns = ["page", "profile", "figure", "loads", "median", "low", "high", "target", "standing"]
    return pd.DataFrame(rows, columns=columns).round(3)


def figure(evidence: Evidence) -> Any:
    """A figure: every load of every page, by what the user waits for."""
    import plotly.graph_objects as go

    records = [record for record in evidence.records if not record["problem"]]
    if not records:
        return None
    made = go.Figure()
    for profile, symbol in (("desktop", "circle"), ("mobile", "diamond")):
        own = [(r, name) for r in records if r["profile"] == profile for name in SHOWN_MS]
        made.add_scatter(
            x=[r[name] for r, name in own],
            y=[f"{r['path']} · {name.removesuffix('_ms').upper()}" for r, name in own],
            mode="markers",
            marker={"symbol": symbol, "size": 8, "opacity": 0.6},
            name=profile,
        )
    made.update_xaxes(title="milliseconds since the navigation began", rangemode="tozero")
    made.update_yaxes(title="page and moment", autorange="reversed")
    made.update_layout(height=160 + 30 * len(SHOWN_MS) * len({r["path"] for r in records}))
    return made
