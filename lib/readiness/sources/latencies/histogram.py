"""Buckets of times that keep every percentile within a thousandth, whatever the times are.

The first bits of a floating-point number are its logarithm, straightened a little: its exponent and
ten bits of its fraction name a bucket whose width is 1/1024 of its lower edge or less, so that the
middle of a bucket is at most 1/2048 (0.049 %) away from anything in it. HdrHistogram does the same
with whole numbers. Memory depends on the range of times alone, and never on how many there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

# Times are in ms: from 2**-20, a nanosecond, to 2**34, half a year. What is beyond is counted in
# the outermost bucket; the least is shown as 0 and the largest as the maximum, which is kept.
LOWEST, HIGHEST = -20, 34
FRACTION_BITS, EXPONENT_BIAS = 52, 1023  # of IEEE 754's binary64

Floats = np.ndarray[Any, np.dtype[np.float64]]
Ints = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Scale:
    """Buckets with so many bits of the fraction: each octave is cut in 2**bits pieces."""

    bits: int

    @property
    def size(self) -> int:
        return (HIGHEST - LOWEST) << self.bits

    def bucket(self, ms: Floats) -> Ints:
        """The bucket of each time; times are at least 0 and no NaN."""
        found: Ints = ms.view(np.int64) >> (FRACTION_BITS - self.bits)
        found -= (EXPONENT_BIAS + LOWEST) << self.bits
        return np.clip(found, 0, self.size - 1, out=found)

    @cached_property
    def edges(self) -> Floats:
        """Lower edges of the buckets, and the upper one of the last."""
        n = np.arange(self.size + 1)
        octave, piece = n >> self.bits, n & ((1 << self.bits) - 1)
        edges: Floats = np.ldexp(1 + piece / (1 << self.bits), octave + LOWEST)
        return edges

    @cached_property
    def middles(self) -> Floats:
        middle = (self.edges[:-1] + self.edges[1:]) / 2
        middle[0] = 0.0
        return middle


FINE = Scale(10)  # for what is said of everything: within 0.049 %
COARSE = Scale(6)  # for each stretch of time: within 0.8 %
FINE_TO_COARSE = FINE.bits - COARSE.bits


def quantile(counts: Ints, q: float, scale: Scale = FINE, most: float = math.inf) -> float | None:
    """The q-quantile (the smallest time with at least the share q at or below it), in ms.

    ``most`` is the longest time there was: nothing above it is claimed.
    """
    below = np.cumsum(counts)
    n = int(below[-1])
    if not n:
        return None
    found = int(np.searchsorted(below, max(1, math.ceil(n * q - 1e-9))))
    last = found == scale.size - 1 and math.isfinite(most)
    return most if last else min(most, float(scale.middles[found]))
