"""Intervals that assume nothing about the shape of what was measured.

A quantile is bounded by order statistics: of n independent samples the number at or below the
q-quantile is binomial(n, q), whatever their distribution. ``confidence`` always speaks of one
bound: the true value lies above ``low`` with that probability, and below ``high`` with that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

MOST_SAMPLES = 20_000  # where the question how many are needed is given up
FEWEST_FOR_A_SLOPE = 8
ROUNDING = 1e-9  # of sums of floating-point probabilities, relatively


@dataclass(frozen=True)
class Interval:
    """An estimate and its bounds; a bound that the samples cannot give is None."""

    estimate: float
    low: float | None
    high: float | None


def quantile_interval(samples: Sequence[float], q: float, confidence: float = 0.95) -> Interval:
    """The q-quantile of what ``samples`` were drawn from, with exact nonparametric bounds.

    The bounds are samples themselves, so ties and outliers need no care. The estimate is the
    smallest sample with at least the share q at or below it.
    """
    ordered = sorted(samples)
    n = len(ordered)
    if n == 0:
        raise ValueError("no samples")
    below, above = quantile_ranks(n, q, confidence)
    return Interval(
        ordered[max(0, math.ceil(n * q) - 1)],
        ordered[below - 1] if below else None,
        ordered[above - 1] if above else None,
    )


@lru_cache(maxsize=4096)
def quantile_ranks(n: int, q: float, confidence: float) -> tuple[int | None, int | None]:
    """Which order statistics (1 = smallest) bound the q-quantile from below and from above.

    Below: the largest r with P(B <= r - 1) <= 1 - confidence. Above: the smallest s with
    P(B >= s) <= 1 - confidence. B is binomial(n, q).
    """
    if not 0 < q < 1 or not 0 < confidence < 1:
        raise ValueError("q and confidence lie between 0 and 1")
    risk = (1 - confidence) * (1 + ROUNDING)  # a probability that equals it is not beyond it
    # Further from the middle than this lies less than any risk that is asked for.
    reach = math.ceil(12 * math.sqrt(n * q * (1 - q)) + 40)
    lowest, highest = max(0, math.floor(n * q) - reach), min(n, math.ceil(n * q) + reach)
    r, tail = lowest, 0.0
    for k in range(lowest, n):
        tail += binomial(k, n, q)
        if tail > risk:
            break
        r = k + 1
    s, tail = highest + 1, 0.0
    for k in range(highest, 0, -1):
        tail += binomial(k, n, q)
        if tail > risk:
            break
        s = k
    return r or None, s if s <= n else None


def share_at_least(hits: int, n: int, confidence: float = 0.95) -> float:
    """The lower bound of a share that was seen ``hits`` times in ``n`` (Clopper and Pearson)."""
    if hits == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        # P(B >= hits) grows with the share.
        tail = sum(binomial(k, n, middle) for k in range(hits, n + 1))
        low, high = (middle, high) if tail <= 1 - confidence else (low, middle)
    return low


def samples_for_bound(q: float, confidence: float = 0.95) -> int:
    """The fewest samples that bound the q-quantile from above, 299 for q 0.99 at 0.95."""
    return math.ceil(math.log(1 - confidence) / math.log(q) - 1e-9)


def samples_to_decide(share_met: float, q: float, confidence: float = 0.95) -> int | None:
    """About how many samples tell on which side of a target the q-quantile lies, when
    ``share_met`` of them keep meeting it; None when no sensible number does."""
    for n in _growing(samples_for_bound(q, confidence)):
        below, above = quantile_ranks(n, q, confidence)
        met = round(share_met * n)
        if (above is not None and met >= above) or (below is not None and met < below):
            return n
    return None


def _growing(n: int) -> Iterator[int]:
    while n <= MOST_SAMPLES:
        yield n
        n = math.ceil(n * 1.2)


def binomial(k: int, n: int, p: float) -> float:
    """P(B = k) for B binomial(n, p)."""
    if p <= 0 or p >= 1:
        return float(k == (0 if p <= 0 else n))
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(ways + k * math.log(p) + (n - k) * math.log1p(-p))


@dataclass(frozen=True)
class Slope:
    """How much y grows with x, and the bounds of that."""

    estimate: float
    low: float
    high: float


def slope(x: Sequence[float], y: Sequence[float], confidence: float = 0.95) -> Slope | None:
    """Theil and Sen's slope with Sen's interval (1968); None for fewer than eight points.

    Half of the points may be off without swaying it. ``confidence`` is of each bound.
    """
    from statistics import NormalDist

    n = len(x)
    if n < FEWEST_FOR_A_SLOPE:
        return None
    slopes = sorted(
        (y[j] - y[i]) / (x[j] - x[i]) for i in range(n) for j in range(i + 1, n) if x[j] != x[i]
    )
    if not slopes:
        return None
    reach = NormalDist().inv_cdf(confidence) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low = max(0, math.floor((len(slopes) - reach) / 2))
    high = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return Slope(slopes[len(slopes) // 2], slopes[low], slopes[high])
