"""What any number of requests say, by endpoint and over time, in a few hundred megabytes at most.

One histogram for each endpoint with all its requests, and a coarser one for each stretch of time.
Percentiles are of what was answered: a quick error is no quick answer. What somebody gave up
waiting for counts as both, a failure and an answer as slow as the limit.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from .histogram import COARSE, FINE, FINE_TO_COARSE, Floats, Ints, quantile
from .slices import MOST, WIDEST_SPAN_S, Slices

ENDPOINTS = 128  # kept apart; what comes later is in the first, "everything else"
OTHERS = "everything else"
SLOWEST = 20
EXAMPLES = 10  # of lines that could not be read

# How a request ended.
ANSWERED, FAILED, GIVEN_UP, TURNED_AWAY, REFUSED = range(5)
ENDED = ("answered", "failed", "given up", "turned away", "refused")
# By its status: 499 is nginx's word for a caller who went away, 504 for a service that never came.
BY_STATUS = np.full(1000, ANSWERED, np.uint8)
BY_STATUS[400:500] = REFUSED
BY_STATUS[500:] = FAILED
BY_STATUS[[0]] = FAILED
BY_STATUS[[499, 504]] = GIVEN_UP
BY_STATUS[429] = TURNED_AWAY


@dataclass
class Read:
    """A file, how many requests it gave, and what was wrong with it."""

    name: str
    requests: int = 0
    problem: str = ""
    jumps_back: int = 0  # of its clock, by more than a minute


@dataclass(frozen=True)
class Batch:
    """Requests by column."""

    ms: Floats
    endpoint: Ints | None = None  # a number that Profile.endpoint gave; None: all are one
    ended: np.ndarray[Any, np.dtype[np.uint8]] | None = None  # None: all were answered
    at: Floats | None = None  # seconds since the epoch
    lines: Ints | None = None  # where each stands in its file


class Profile:
    """Endpoints x time x latency, and what could not be read."""

    def __init__(self) -> None:
        self.names = [OTHERS]
        self.counts = np.zeros((ENDPOINTS, FINE.size), np.int64)
        self.cells = np.zeros((ENDPOINTS, MOST, COARSE.size), np.uint32)
        self.ended = np.zeros((ENDPOINTS, len(ENDED)), np.int64)
        self.over_time = np.zeros((ENDPOINTS, MOST, 2), np.int64)  # requests, failed
        self.most = np.zeros(ENDPOINTS)
        self.total_ms = np.zeros(ENDPOINTS)
        self.slices = Slices.narrowest()
        self.slowest: list[tuple[float, float, int, str, int]] = []
        self.files: list[Read] = []
        self.broken: Counter[str] = Counter()
        self.examples: list[tuple[str, int, str, str]] = []
        self._numbers = {OTHERS: 0}
        self._around: float | None = None

    def endpoint(self, name: str) -> int:
        """The number of an endpoint; 0 when there are too many to keep apart."""
        number = self._numbers.get(name)
        if number is None:
            if len(self.names) == ENDPOINTS:
                return 0
            number = self._numbers[name] = len(self.names)
            self.names.append(name)
        return number

    def known(self, name: str) -> int | None:
        return self._numbers.get(name)

    def reject(self, reason: str, count: int = 1) -> None:
        self.broken[reason] += count

    def show_example(self, file: str, line: int, reason: str, text: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append((file, line, reason, text))

    def add(self, batch: Batch, file: Read) -> None:
        """Count requests; times that are none are rejected, and said."""
        if not len(batch.ms):
            return
        # A NaN makes the least a NaN, too: one look at both ends tells whether all are times.
        if not (batch.ms.min() >= 0 and batch.ms.max() < np.inf):
            usable = (batch.ms >= 0) & (batch.ms < np.inf)
            self.reject("the time to answer is no time", int((~usable).sum()))
            return self.add(_only(batch, usable), file)
        file.requests += len(batch.ms)
        self._note_slowest(batch, file)
        endpoint = batch.endpoint
        if batch.ended is not None:
            which = np.zeros(len(batch.ms), np.int64) if endpoint is None else endpoint
            np.add.at(self.ended.reshape(-1), which * len(ENDED) + batch.ended, 1)
        elif endpoint is not None:
            self.ended[:, ANSWERED] += np.bincount(endpoint, minlength=ENDPOINTS)
        else:
            self.ended[0, ANSWERED] += len(batch.ms)
        index = None if batch.at is None else self._count_over_time(batch)
        timed = None
        if batch.ended is not None:
            timed = (batch.ended == ANSWERED) | (batch.ended == GIVEN_UP)
            if timed.all():
                timed = None
        self._count_times(batch, index, timed)

    def _count_times(self, batch: Batch, index: Ints | None, timed: Any) -> None:
        ms, endpoint = batch.ms, batch.endpoint
        if timed is not None:
            ms, endpoint = ms[timed], endpoint[timed] if endpoint is not None else None
            index = index[timed] if index is not None else None
        bucket = FINE.bucket(np.ascontiguousarray(ms, np.float64))
        if endpoint is None:
            np.add.at(self.counts[0], bucket, 1)
            self.most[0] = max(self.most[0], ms.max(initial=0))
            self.total_ms[0] += ms.sum()
        else:
            np.add.at(self.counts.reshape(-1), endpoint * FINE.size + bucket, 1)
            np.maximum.at(self.most, endpoint, ms)
            self.total_ms += np.bincount(endpoint, ms, minlength=ENDPOINTS)
        if index is None:
            return
        bucket >>= FINE_TO_COARSE
        bucket += (index if endpoint is None else endpoint * MOST + index) * COARSE.size
        # What has no time of its own has index -1.
        kept = bucket if index.min(initial=0) == 0 else bucket[index >= 0]
        np.add.at(self.cells.reshape(-1), kept, np.uint32(1))

    def _count_over_time(self, batch: Batch) -> Ints:
        """The stretch of time of each request, spanned where it was not yet; -1 for none."""
        assert batch.at is not None
        at = batch.at
        if self._around is None:
            finite = at[np.isfinite(at)]
            self._around = float(np.median(finite)) if len(finite) else None
        around = self._around or 0.0
        lost = None
        if not (at.min() >= around - WIDEST_SPAN_S / 4 and at.max() <= around + WIDEST_SPAN_S / 4):
            lost = ~(np.abs(at - around) <= WIDEST_SPAN_S / 4)
            self.reject("a time years away from the others: left out of what is over time",
                        int(lost.sum()))  # fmt: skip
            at = np.where(lost, around, at)
        self._span(float(at.min()), float(at.max()))
        index = self.slices.index(at)
        which = index if batch.endpoint is None else batch.endpoint * MOST + index
        if lost is not None:
            which = which[~lost]
        size = ENDPOINTS * MOST
        self.over_time[..., 0] += np.bincount(which, minlength=size).reshape(ENDPOINTS, MOST)
        if batch.ended is not None:
            ended = batch.ended if lost is None else batch.ended[~lost]
            failed = which[(ended == FAILED) | (ended == GIVEN_UP)]
            self.over_time[..., 1] += np.bincount(failed, minlength=size).reshape(ENDPOINTS, MOST)
        if lost is not None:
            index[lost] = -1
        return index

    def _span(self, earliest: float, latest: float) -> None:
        wanted = self.slices.spanning(earliest, latest)
        if wanted == self.slices:
            return
        held = self.slices
        if held.count and (wanted.first, wanted.width_s) != (held.first, held.width_s):
            to = held.moved_to(wanted)
            for number in range(len(self.names)):
                for counts in (self.cells[number], self.over_time[number]):
                    old = counts[: held.count].copy()
                    counts[:] = 0
                    np.add.at(counts, to, old)
        self.slices = wanted

    def _note_slowest(self, batch: Batch, file: Read) -> None:
        least = self.slowest[0][0] if len(self.slowest) == SLOWEST else -1.0
        if batch.ms.max() <= least:
            return
        most = np.argpartition(batch.ms, -min(SLOWEST, len(batch.ms)))[-SLOWEST:]
        for n in most.tolist():
            line = int(batch.lines[n]) if batch.lines is not None else 0
            at = float(batch.at[n]) if batch.at is not None else float("nan")
            number = int(batch.endpoint[n]) if batch.endpoint is not None else 0
            one = (float(batch.ms[n]), at, number, file.name, line)
            if len(self.slowest) == SLOWEST:
                heapq.heappushpop(self.slowest, one)
            else:
                heapq.heappush(self.slowest, one)

    def merge(self, number: int, into: int) -> None:
        """Count one endpoint's requests to another."""
        arrays: tuple[Any, ...] = (self.counts, self.cells, self.ended, self.over_time)
        for held in (*arrays, self.total_ms):
            held[into] += held[number]
            held[number] = 0
        self.most[into] = max(self.most[into], self.most[number])
        self.most[number] = 0
        self.slowest = [
            (ms, at, into if n == number else n, name, line)
            for ms, at, n, name, line in self.slowest
        ]
        heapq.heapify(self.slowest)

    @property
    def requests(self) -> int:
        return int(self.ended.sum())

    @property
    def samples(self) -> int:
        return int(self.ended[:, [ANSWERED, GIVEN_UP]].sum())

    def asked(self, number: int) -> int:
        return int(self.ended[number].sum())

    def failed(self, number: int) -> int:
        return int(self.ended[number, [FAILED, GIVEN_UP]].sum())

    def used(self) -> list[int]:
        """The endpoints that were asked, the one with most time first."""
        asked = np.flatnonzero(self.ended.sum(axis=1))
        return sorted(asked.tolist(), key=lambda n: (-self.total_ms[n], self.names[n]))

    def quantile(self, q: float, number: int | None = None) -> float | None:
        """Of an endpoint or of all, in ms."""
        if number is None:
            return quantile(self.counts.sum(axis=0), q, most=float(self.most.max()))
        return quantile(self.counts[number], q, most=float(self.most[number]))

    def histories(self, number: int | None = None) -> Ints:
        """The coarse histogram of each stretch of time, one row each."""
        count = self.slices.count
        found = self.cells[:, :count].sum(axis=0) if number is None else self.cells[number, :count]
        return found.astype(np.int64)


def _only(batch: Batch, which: Any) -> Batch:
    columns = (batch.ms, batch.endpoint, batch.ended, batch.at, batch.lines)
    return Batch(*(None if one is None else one[which] for one in columns))  # type: ignore[arg-type]
