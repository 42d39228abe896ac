"""Stretches of time that grow coarser as the time that they span grows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .histogram import Floats, Ints

MOST = 150  # stretches; a day is 96 of a quarter of an hour, two hours are 120 minutes
# Each is a whole number of those before it, so that stretches can be put together.
WIDTHS_S = (0.1, 1, 5, 15, 60, 300, 900, 3600, 10_800, 21_600, 86_400, 604_800, 4_838_400)
WIDEST_SPAN_S = WIDTHS_S[-1] * MOST


@dataclass(frozen=True)
class Slices:
    """Stretches of equal width; number ``first`` stands at index 0, and ``count`` are in use."""

    width_s: float
    first: int = 0
    count: int = 0

    @classmethod
    def narrowest(cls) -> Slices:
        return cls(WIDTHS_S[0])

    def index(self, at: Floats) -> Ints:
        """Which stretch each time (seconds since the epoch) is in; it must have been spanned."""
        found: Ints = np.floor(at / self.width_s).astype(np.int64)
        return np.clip(found - self.first, 0, max(self.count, 1) - 1)

    def spanning(self, earliest: float, latest: float) -> Slices:
        """These, or fewer wider ones that span these times too."""
        for width in WIDTHS_S[WIDTHS_S.index(self.width_s) :]:
            low, high = math.floor(earliest / width), math.floor(latest / width)
            if self.count:
                factor = round(width / self.width_s)
                low = min(low, self.first // factor)
                high = max(high, (self.first + self.count - 1) // factor)
            if high - low < MOST:
                break
        return Slices(width, low, min(high - low + 1, MOST))

    def moved_to(self, wider: Slices) -> Ints:
        """Where each of these stretches lies among ``wider`` ones."""
        factor = round(wider.width_s / self.width_s)
        return (self.first + np.arange(self.count)) // factor - wider.first

    def starts(self) -> Floats:
        """When each stretch begins, in seconds since the epoch."""
        starts: Floats = (self.first + np.arange(self.count, dtype=np.float64)) * self.width_s
        return starts
