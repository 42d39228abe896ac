"""What samples say: percentiles with bounds, rates, errors, and all of it over time.

Requests under load hang together (a stall holds up all that wait behind it), so bounds that take
them for independent would be too narrow. The design effect (Kish, Survey Sampling, 1965) says how
much less they tell: the variance of the share above a percentile between stretches of time, over
the variance that independent requests would have.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...statistics import quantile_ranks

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
BLOCKS = 20
BINS_A_DECADE = 20
FEWEST_IN_A_BIN = 20  # of a timeline, on average: fewer make its percentiles dance

Floats = np.ndarray[Any, np.dtype[np.float64]]


def design_effect(at: Floats, above: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
    """How many times more samples it takes than if they were independent; at least 1."""
    if len(at) < 2 * BLOCKS:
        return 1.0
    edges = np.linspace(at.min(), at.max(), BLOCKS + 1)
    block = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, BLOCKS - 1)
    n = np.bincount(block, minlength=BLOCKS)
    hits = np.bincount(block, weights=above, minlength=BLOCKS)
    share = hits.sum() / n.sum()
    expected = (n * share * (1 - share)).sum()
    if expected <= 0:
        return 1.0
    found = ((hits - n * share) ** 2).sum() * BLOCKS / (BLOCKS - 1)
    return max(1.0, float(found / expected))


def percentile(at: Floats, took: Floats, q: float, confidence: float) -> dict[str, Any]:
    """The q-quantile of ``took`` (ms) with its bounds, and what its samples are worth.

    A bound that the samples cannot give is None.
    """
    ordered = np.sort(took)
    n = len(ordered)
    estimate = float(ordered[max(0, math.ceil(n * q) - 1)])
    effect = design_effect(at, took > estimate)
    worth = max(1, int(n / effect))
    below, above = quantile_ranks(worth, q, confidence)
    low = ordered[max(0, math.floor(below / worth * n) - 1)] if below else None
    high = ordered[min(n - 1, math.ceil(above / worth * n) - 1)] if above else None
    return {
        "estimate": estimate,
        "low": None if low is None else float(low),
        "high": None if high is None else float(high),
        "samples": n,
        "worth": worth,
    }


def beyond(at: Floats, took: Floats, target: float) -> dict[str, int]:
    """How many samples took longer than a target (ms), and what all of them are worth to tell."""
    late = took > target
    worth = max(1, int(len(took) / design_effect(at, late)))
    return {"beyond_target": int(late.sum()), "worth_at_target": worth}


def timeline(at: Floats, took: Floats, failed: Any, most: int = 60) -> list[dict[str, Any]]:
    """Rate, percentiles (ms) and failures over time, in at most ``most`` stretches."""
    if not len(at):
        return []
    count = int(max(1, min(most, len(at) // FEWEST_IN_A_BIN)))
    edges = np.linspace(at.min(), at.max(), count + 1)
    rows = []
    which = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, count - 1)
    for n in range(count):
        inside = which == n
        own = took[inside & ~failed]
        width = max(float(edges[n + 1] - edges[n]), 1e-9)
        row: dict[str, Any] = {
            "second": round(float(edges[n] - edges[0]), 2),
            "requests_per_s": round(float(inside.sum() / width), 2),
            "failed_per_s": round(float((inside & failed).sum() / width), 2),
        }
        for name, q in list(QUANTILES.items())[:3]:
            row[name] = round(float(np.quantile(own, q)), 3) if len(own) else None
        rows.append(row)
    return rows


def against_locust(
    entries: list[dict[str, Any]], table: Any, requests: list[str]
) -> list[dict[str, Any]]:
    """Locust's own percentiles beside those of the samples, of the same requests: all that were
    sent, those of the warm-up and failed ones too. Locust's are rounded (to ms, from 100 ms on to
    tens, from a second on to hundreds)."""
    took, request = table["took_ms"].to_numpy(), table["request"].to_numpy()
    rows = []
    for entry in entries:
        numbers = [n for n, name in enumerate(requests) if name == entry["request"]]
        own = took[np.isin(request, numbers)]
        for name, q in QUANTILES.items():
            if not len(own) or entry[name] is None:
                continue
            ours = float(np.quantile(own, q, method="inverted_cdf"))
            row = {"request": entry["request"], "requests": entry["requests"], "samples": len(own)}
            row |= {"percentile": name, "locust_ms": float(entry[name]), "samples_ms": ours}
            rows.append(row | {"differs_percent": 100 * (float(entry[name]) / ours - 1)})
    return rows


def distribution(took: Floats) -> list[dict[str, Any]]:
    """How many samples fell between which times (ms), on a logarithmic scale."""
    if not len(took):
        return []
    low = math.floor(math.log10(max(took.min(), 1e-3)) * BINS_A_DECADE)
    high = math.floor(math.log10(max(took.max(), 1e-3)) * BINS_A_DECADE) + 1
    edges = 10 ** (np.arange(low, high + 1) / BINS_A_DECADE)
    counts, _ = np.histogram(np.maximum(took, edges[0]), edges)
    return [
        {"from_ms": float(a), "to_ms": float(b), "samples": int(n)}
        for a, b, n in zip(edges, edges[1:], counts, strict=False)
        if n
    ]
