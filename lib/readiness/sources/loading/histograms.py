"""Times of a load run as HDR histograms, one a request: a generator's own, and all merged.

They are small whatever the load was, and other tools read their log; three digits are exact. The
samples in Parquet say more, and are what is judged.
"""

from __future__ import annotations

from collections.abc import Iterable

from hdrh.histogram import HdrHistogram

LONGEST_US = 24 * 3600 * 1_000_000
DIGITS = 3


class Histograms:
    """Times in microseconds by the number of the request in the scenario."""

    def __init__(self) -> None:
        self.of: dict[int, HdrHistogram] = {}

    def record(self, request: int, ms: float) -> None:
        self._of(request).record_value(min(max(round(ms * 1000), 1), LONGEST_US))

    def encoded(self) -> dict[int, bytes]:
        """As they travel and are kept: compressed, in the format of every HdrHistogram."""
        return {request: held.encode() for request, held in self.of.items()}

    def merge(self, encoded: dict[int, bytes]) -> None:
        for request, held in encoded.items():
            self._of(int(request)).decode_and_add(held)

    def _of(self, request: int) -> HdrHistogram:
        if request not in self.of:
            self.of[request] = HdrHistogram(1, LONGEST_US, DIGITS)
        return self.of[request]


def merged(parts: Iterable[dict[int, bytes]]) -> Histograms:
    """The histograms of several generators as one."""
    whole = Histograms()
    for part in parts:
        whole.merge(part)
    return whole


def log(whole: Histograms, requests: list[str], began: float, ended: float) -> str:
    """A histogram log (HdrHistogram's format 1.3), one line a request; its maximum is in ms."""
    lines = [
        "#[Histogram log format version 1.3]",
        f"#[StartTime: {began:.3f} (seconds since epoch)]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    for request, held in sorted(whole.of.items()):
        tag = requests[request].replace(" ", "_").replace(",", "_")
        most = held.get_max_value() / 1000
        payload = held.encode().decode("ascii")
        lines.append(f"Tag={tag},{began:.3f},{ended - began:.3f},{most:.3f},{payload}")
    return "\n".join(lines) + "\n"
