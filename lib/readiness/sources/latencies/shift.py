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
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from .histogram import COARSE, Floats, Ints
from .profile import Profile

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MOST_ENDPOINTS = 40
DRAWS = 1_000
RISK = 0.05  # of any false alarm in a comparison
FEWEST_STRETCHES = 20  # of time with requests in them, on each side
FEWEST_BLOCKS = 8
FEWEST_BEYOND = 50  # requests beyond the percentile, on each side
# Romano and others (2006): below the first a delta is negligible, then small, medium, large.
SIZES = ((0.147, "negligible"), (0.33, "small"), (0.474, "medium"), (math.inf, "large"))

Verdict = Literal["slower", "faster", "no shift shown", "too little to tell"]
Failing = Literal["more often", "less often", "no change shown", "too little to tell"]


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
class Failures:
    """The share of an endpoint's requests that failed, before and after (%), and the bounds of the
    difference in percentage points."""

    endpoint: str
    before: float
    after: float
    low: float | None
    high: float | None
    verdict: Failing


@dataclass(frozen=True)
class Comparison:
    shifts: list[Shift]
    failures: list[Failures]
    only_before: list[str]
    only_after: list[str]
    left_out: list[str]  # endpoints beyond the most that are compared


def compare(before: Profile, after: Profile, most: int = MOST_ENDPOINTS) -> Comparison:
    """The endpoints that both have, those with most time after the change first."""
    first = {before.names[n]: n for n in before.used()}
    second = {after.names[n]: n for n in after.used()}
    both = [name for name in second if name in first]
    rows = max(1, min(most, len(both)) * (len(PERCENTILES) + 1))
    shifts, failures = [], []
    for name in both[:most]:
        shifts += _shifts(name, before, first[name], after, second[name], rows)
        failures.append(_failures(name, before, first[name], after, second[name], rows))
    return Comparison(
        shifts,
        failures,
        [name for name in first if name not in second],
        [name for name in second if name not in first],
        both[most:],
    )


def _shifts(name: str, before: Profile, b: int, after: Profile, a: int, rows: int) -> list[Shift]:
    sides = (before.histories(b), after.histories(a))
    old, new = (side.sum(axis=0) for side in sides)
    delta = cliffs_delta(old, new) if old.any() and new.any() else None
    spread: dict[str, float] = {}
    if _stretches(sides) >= FEWEST_STRETCHES:
        lengths = [block_length(*_slow(side)) for side in sides]
        drawn = [_drawn(side, *how) for side, how in zip(sides, enumerate(lengths), strict=True)]
        spread = {p: math.hypot(*(float(d[p].std(ddof=1)) for d in drawn)) for p in PERCENTILES}
        reach = _reach(sides, lengths, rows)
    shifts = []
    for label, q in PERCENTILES.items():
        was, is_ = before.quantile(q, b), after.quantile(q, a)
        if was is None and is_ is None:  # never answered
            continue
        low = high = None
        verdict: Verdict = "too little to tell"
        enough = min(old.sum(), new.sum()) * (1 - q) >= FEWEST_BEYOND
        if spread and enough and was and is_:
            middle, width = math.log(is_ / was), reach * max(spread[label], _GRAIN)
            low, high = math.exp(middle - width), math.exp(middle + width)
            verdict = "slower" if low > 1 else "faster" if high < 1 else "no shift shown"
        shifts.append(Shift(name, label, was, is_, low, high, delta, verdict))
    return shifts


def _failures(name: str, before: Profile, b: int, after: Profile, a: int, rows: int) -> Failures:
    was, is_ = (100 * p.failed(n) / p.asked(n) for p, n in ((before, b), (after, a)))
    sides = [p.over_time[n, : p.slices.count] for p, n in ((before, b), (after, a))]
    if _stretches([side[:, :1] for side in sides]) < FEWEST_STRETCHES:
        return Failures(name, was, is_, None, None, "too little to tell")
    lengths, spread = [], 0.0
    for number, side in enumerate(sides):
        requests, failed = side[:, 0], side[:, 1]
        lengths.append(block_length(failed / np.maximum(requests, 1), requests))
        drawn = _weights(len(side), lengths[-1], number) @ side.astype(np.float64)
        spread = math.hypot(spread, float((drawn[:, 1] / np.maximum(drawn[:, 0], 1)).std(ddof=1)))
    width = 100 * spread * _reach(sides, lengths, rows)
    low, high = is_ - was - width, is_ - was + width
    verdict: Failing = "more often" if low > 0 else "less often" if high < 0 else "no change shown"
    return Failures(name, was, is_, low, high, verdict)


_GRAIN = 1 / (1 << COARSE.bits) / math.sqrt(12)  # what a bucket's width leaves open


def _stretches(sides: Sequence[Ints]) -> int:
    """In how many stretches of time there was anything, on the side with fewer."""
    return min(int((side.sum(axis=1) > 0).sum()) for side in sides)


def _reach(sides: Sequence[Ints], lengths: Sequence[int], rows: int) -> float:
    """How many standard errors an interval reaches, one of so many."""
    blocks = min(len(side) // length for side, length in zip(sides, lengths, strict=True))
    return student(1 - RISK / 2 / rows, blocks - 1)


def _slow(history: Ints) -> tuple[Floats, Ints]:
    """The share of answers slower than the median in each stretch, and how many there were."""
    total = history.sum(axis=1)
    half = int(np.searchsorted(np.cumsum(history.sum(axis=0)), total.sum() / 2))
    return history[:, half + 1 :].sum(axis=1) / np.maximum(total, 1), total


def block_length(share: Floats, total: Ints) -> int:
    """How many stretches of time hang together: Politis and White's rule (2004, corrected 2009) on
    a share over time, and no less than the cube root of their number."""
    n: int = len(share)
    least, most = math.ceil(n ** (1 / 3)), max(1, n // FEWEST_BLOCKS)
    x = np.where(total > 0, share, share[total > 0].mean())
    x = x - x.mean()
    covariance = np.array([(x[: n - k] * x[k:]).sum() / n for k in range(n // 2)])
    if covariance[0] <= 0:
        return int(min(least, most))
    # The last lag before a few in a row that are no larger than chance makes them.
    large = np.abs(covariance[1:] / covariance[0]) > 2 * math.sqrt(math.log10(n) / n)
    found = (k for k in range(len(large)) if not large[k : k + 5].any())
    reach = max(1, next(found, len(large) - 1))
    lags = np.arange(-2 * reach, 2 * reach + 1)
    lags = lags[np.abs(lags) < len(covariance)]
    weighted = np.clip(2 - np.abs(lags) / reach, 0, 1) * covariance[np.abs(lags)]
    if (whole := weighted.sum()) <= 0:
        return int(min(least, most))
    best = (1.5 * ((np.abs(lags) * weighted).sum() / whole) ** 2 * n) ** (1 / 3)
    return int(min(most, max(least, math.ceil(best))))


def _weights(stretches: int, length: int, seed: int) -> Floats:
    """How often each stretch is in each draw. The same files give the same draws."""
    chance = np.random.default_rng(seed)
    starts = chance.integers(0, stretches, (DRAWS, math.ceil(stretches / length)))
    picked = (starts[..., None] + np.arange(length)).reshape(DRAWS, -1)[:, :stretches] % stretches
    times = np.zeros((DRAWS, stretches))
    np.add.at(times, (np.arange(DRAWS)[:, None], picked), 1)
    return times


def _drawn(history: Ints, seed: int, length: int) -> dict[str, Floats]:
    """The logarithm of each percentile in histories that were put together from blocks of this."""
    times = _weights(len(history), length, seed)
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
