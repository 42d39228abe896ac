"""Whether requests became slower: two profiles compared, endpoint by endpoint.

Tests for two samples (Mann and Whitney, Kolmogorov and Smirnov) take requests for independent. They
are not: a stall, a deployment or a busy hour makes thousands of them slow together, and of millions
of requests every difference is "significant". What is independent, nearly, is a stretch of time
from another some stretches away. So whole blocks of stretches are drawn again and again, with their
requests as they were (the circular block bootstrap: Politis and Romano, 1992); how far percentiles
move from draw to draw is how far they can be trusted. The requests themselves say how long a block
must be. Intervals are Student's on the logarithm of the
ratio, and so wide that with all rows together there is one false alarm in twenty comparisons
(Bonferroni). Nothing is assumed about the shape of the latencies.

How large a shift is, apart from being real: Cliff's delta, the share of pairs in which the later
request took longer less the share in which it was the quicker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from .histogram import COARSE, Floats, Ints
from .profile import Profile

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
DRAWS = 1_000
RISK = 0.05  # of any false alarm in a comparison
FEWEST_STRETCHES = 20  # of time with requests in them, on each side
FEWEST_BLOCKS = 8
FEWEST_BEYOND = 50  # requests beyond the percentile, on each side
# Romano and others (2006): below the first a delta is negligible, then small, medium, large.
SIZES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"), (math.inf, "large"))

Verdict = Literal["slower", "faster", "no shift shown", "too little to tell"]


@dataclass(frozen=True)
class Shift:
    """One percentile of one endpoint, before and after (ms)."""

    endpoint: str
    percentile: str
    before: float | None
    after: float | None
    low: float | None  # bounds of after / before; None when it cannot be told
    high: float | None
    delta: float | None  # Cliff's, of the endpoint
    verdict: Verdict

    @property
    def ratio(self) -> float | None:
        return self.after / self.before if self.before and self.after is not None else None

    @property
    def size(self) -> str:
        if self.delta is None:
            return "—"
        return next(word for below, word in SIZES if abs(self.delta) < below)


@dataclass(frozen=True)
class Comparison:
    shifts: list[Shift]
    only_before: list[str]
    only_after: list[str]


def compare(before: Profile, after: Profile, most: int = 20) -> Comparison:
    """The endpoints that both have, those with most time after the change first."""
    first = {before.names[n]: n for n in before.used()}
    second = {after.names[n]: n for n in after.used()}
    both = [name for name in second if name in first][:most]
    rows = max(1, len(both) * len(PERCENTILES))
    shifts = [s for name in both for s in _of(name, before, first[name], after, second[name], rows)]
    return Comparison(
        shifts,
        [name for name in first if name not in second],
        [name for name in second if name not in first],
    )


def _of(name: str, before: Profile, b: int, after: Profile, a: int, rows: int) -> list[Shift]:
    old, new = before.histories(b), after.histories(a)
    sides = (old, new)
    delta = None
    if old.any() and new.any():
        delta = cliffs_delta(old.sum(axis=0), new.sum(axis=0))
    stretches = min(int((side.sum(axis=1) > 0).sum()) for side in sides)
    spread: dict[str, float] = {}
    if stretches >= FEWEST_STRETCHES:
        # Fixed draws: the same files give the same answer.
        drawn = [_drawn(side, np.random.default_rng(n)) for n, side in enumerate(sides)]
        spread = {p: math.hypot(*(float(d[p].std(ddof=1)) for d in drawn)) for p in PERCENTILES}
        freedom = min(len(side) // block_length(side) for side in sides) - 1
        reach = student(1 - RISK / 2 / rows, freedom)
    shifts = []
    for label, q in PERCENTILES.items():
        was, is_ = before.quantile(q, b), after.quantile(q, a)
        if was is None and is_ is None:  # never answered
            continue
        low = high = None
        verdict: Verdict = "too little to tell"
        enough = min(int(side.sum()) for side in sides) * (1 - q) >= FEWEST_BEYOND
        if spread and enough and was and is_:
            middle, width = math.log(is_ / was), reach * max(spread[label], _GRAIN)
            low, high = math.exp(middle - width), math.exp(middle + width)
            verdict = "slower" if low > 1 else "faster" if high < 1 else "no shift shown"
        shifts.append(Shift(name, label, was, is_, low, high, delta, verdict))
    return shifts


_GRAIN = 1 / (1 << COARSE.bits) / math.sqrt(12)  # what a bucket's width leaves open


def block_length(history: Ints) -> int:
    """How many stretches hang together: Politis and White's rule (2004, corrected 2009) on the
    share of slow requests over time, and no less than the cube root of their number."""
    n: int = len(history)
    least, most = math.ceil(n ** (1 / 3)), max(1, n // FEWEST_BLOCKS)
    total = history.sum(axis=1)
    half = int(np.searchsorted(np.cumsum(history.sum(axis=0)), total.sum() / 2))
    share = history[:, half + 1 :].sum(axis=1) / np.maximum(total, 1)
    x = np.where(total > 0, share, share[total > 0].mean())
    x = x - x.mean()
    covariance = np.array([(x[: n - k] * x[k:]).sum() / n for k in range(n // 2)])
    if covariance[0] <= 0:
        return int(min(least, most))
    # The last lag before a few in a row that are no larger than chance makes them.
    large = np.abs(covariance[1:] / covariance[0]) > 2 * math.sqrt(math.log10(n) / n)
    reach = next((k for k in range(len(large)) if not large[k : k + 5].any()), len(large) - 1)
    lags = np.arange(-2 * max(reach, 1), 2 * max(reach, 1) + 1)
    lags = lags[np.abs(lags) < len(covariance)]
    weight = np.clip(2 - 2 * np.abs(lags) / (2 * max(reach, 1)), 0, 1)
    weighted = weight * covariance[np.abs(lags)]
    spread = weighted.sum()
    if spread <= 0:
        return int(min(least, most))
    best = (1.5 * (np.abs(lags) * weighted).sum() ** 2 / spread**2 * n) ** (1 / 3)
    return int(min(most, max(least, math.ceil(best))))


def _drawn(history: Ints, chance: np.random.Generator) -> dict[str, Floats]:
    """The logarithm of each percentile in histories that were put together from blocks of this."""
    stretches = len(history)
    length = block_length(history)
    starts = chance.integers(0, stretches, (DRAWS, math.ceil(stretches / length)))
    picked = (starts[..., None] + np.arange(length)).reshape(DRAWS, -1)[:, :stretches] % stretches
    times = np.zeros((DRAWS, stretches))
    np.add.at(times, (np.arange(DRAWS)[:, None], picked), 1)
    taken = np.flatnonzero(history.any(axis=0))
    below = np.cumsum(times @ history[:, taken].astype(np.float64), axis=1)
    n = below[:, -1:]
    found = {}
    for label, q in PERCENTILES.items():
        at = np.minimum((below < q * n).sum(axis=1), len(taken) - 1)
        # Within its bucket the percentile lies where its rank says, so that draws differ smoothly.
        rows = np.arange(DRAWS)
        under = np.where(at > 0, below[rows, at - 1], 0.0)
        within = np.clip((q * n[:, 0] - under) / np.maximum(below[rows, at] - under, 1), 0, 1)
        edges = COARSE.edges
        low, high = edges[taken[at]], edges[taken[at] + 1]
        found[label] = np.log(low + within * (high - low))
    return found


def cliffs_delta(before: Ints, after: Ints) -> float:
    """P(after > before) - P(after < before) of two histograms with the same buckets."""
    old, new = before / before.sum(), after / after.sum()
    up_to = np.cumsum(old)
    return float((new * (2 * up_to - old)).sum() - 1)


def student(p: float, freedom: int) -> float:
    """Student's p-quantile, by Fisher and Cornish's expansion: within 0.1 % from 8 on."""
    z, v = NormalDist().inv_cdf(p), max(freedom, 1)
    terms: tuple[Any, ...] = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(z + sum(term / v ** (n + 1) for n, term in enumerate(terms)))
