"""Access logs, line by line: nginx's combined format with $request_time, or JSON; also gzip.

A line that cannot be read is counted under the reason, and a few are kept to be shown. No line is
held longer than it takes, whatever its length, so memory does not grow with a log.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from array import array
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from .endpoints import Endpoints
from .fields import IN_MS, Fields, fields_of, seconds_since_epoch
from .profile import BY_STATUS, Batch, Profile, Read

LONGEST_LINE = 65_536
BATCH = 65_536
JUMP_S = 60
REMEMBERED = 10_000
SHOWN = 120  # characters of a line that could not be read
NO_LATENCY = "no time to answer in it"
_TEXT = r'[^"\\]*+(?:\\.[^"\\]*+)*+'  # within quotes
_COMBINED = re.compile(
    rf'^[^\[]*\[([^\]]{{1,64}})\] "({_TEXT})" (\d{{3}}) (?:\d+|-)'
    rf'(?: "{_TEXT}" "{_TEXT}")?(.*)$'
)
_REQUEST_TIME = re.compile(r'(?:^|[\s="])(\d+\.\d{3})(?=[\s",]|$)')  # always three digits
_WITHOUT_VALUES = re.compile(r"[?].*", re.S)

Stream = BufferedReader | gzip.GzipFile
Parsed = tuple[float, float | None, int, str, str]  # ms, at, status, method, path


class Unreadable(ValueError):
    """A line says no request; the message says why."""


def read(
    path: Path, profile: Profile, endpoints: Endpoints, latency: tuple[str, float] | None = None
) -> Read:
    """Count the requests of a log; a file that breaks off counts as far as it could be read."""
    file = Read(path.name)
    lines = _Lines(profile, endpoints, file, latency)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            lines.take(gzip.GzipFile(fileobj=raw) if packed else raw)
    except (EOFError, zlib.error, OSError) as broke:
        file.problem = f"breaks off: {getattr(broke, 'strerror', None) or broke}"
    lines.flush()
    return file


class _Lines:
    """Collects requests by column and hands them on in batches."""

    def __init__(
        self,
        profile: Profile,
        endpoints: Endpoints,
        file: Read,
        latency: tuple[str, float] | None,
    ) -> None:
        self._profile, self._endpoints, self._file = profile, endpoints, file
        self._latency = latency
        self._columns: list[array[Any]] = [array(code) for code in "ddhqq"]
        self._fields: dict[tuple[str, ...], Fields] = {}
        self._times: dict[Any, float | None] = {}
        self._latest = -float("inf")

    def take(self, stream: Stream) -> None:
        for number, line in _numbered(stream):
            try:
                if line is None:
                    raise Unreadable("longer than any line of a log")
                text = line.decode("utf-8", errors="replace").strip()
                if not text:
                    continue
                ms, at, status, method, path = (
                    self._json(text) if text[0] == "{" else self._combined(text)
                )
            except Unreadable as why:
                self._profile.reject(str(why))
                shown = (line or b"").decode("utf-8", errors="replace")[: 4 * SHOWN]
                shown = _WITHOUT_VALUES.sub("?…", shown.strip())[:SHOWN]
                self._profile.show_example(self._file.name, number, str(why), shown)
                continue
            if at is not None:
                self._file.jumps_back += at < self._latest - JUMP_S
                self._latest = at
            endpoint = self._endpoints.number(method, path, status)
            when = float("nan") if at is None else at
            row: tuple[float, ...] = (ms, when, status, endpoint, number)
            for column, value in zip(self._columns, row, strict=True):
                column.append(value)
            if len(self._columns[0]) >= BATCH:
                self.flush()

    def flush(self) -> None:
        """Hand on what was collected."""
        ms, at, status, endpoint, line = (np.array(column) for column in self._columns)
        ended = BY_STATUS[np.clip(status, 0, 999)] if len(status) else None
        self._profile.add(Batch(ms, endpoint, ended, at, line), self._file)
        self._columns = [array(column.typecode) for column in self._columns]

    def _combined(self, text: str) -> Parsed:
        match = _COMBINED.match(text)
        if not match:
            raise Unreadable("neither nginx's combined format nor JSON")
        when, request, status, rest = match.groups()
        took = _REQUEST_TIME.search(rest)
        if not took:
            raise Unreadable(NO_LATENCY)
        method, path = _of_request(request)
        return float(took[1]) * IN_MS["s"], self._time(when), int(status), method, path

    def _json(self, text: str) -> Parsed:
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            raise Unreadable("broken JSON") from None
        if not isinstance(record, dict):
            raise Unreadable("broken JSON")
        names = tuple(record)
        fields = self._fields.get(names)
        if fields is None:
            fields = fields_of(names, self._latency)
            if len(self._fields) < REMEMBERED:
                self._fields[names] = fields
        try:
            ms = float(record[fields.latency]) * fields.to_ms if fields.latency else None
        except (TypeError, ValueError, OverflowError):
            ms = None
        if ms is None:
            raise Unreadable(NO_LATENCY)
        status = _status(record.get(fields.status)) if fields.status else 200
        if fields.request and isinstance(record[fields.request], str):
            method, path = _of_request(record[fields.request])
        else:
            method = str(record.get(fields.method) or "") if fields.method else ""
            path = str(record.get(fields.path) or "/") if fields.path else "/"
        at = self._time(record.get(fields.time)) if fields.time else None
        return ms, at, status, method, path

    def _time(self, told: Any) -> float | None:
        if not isinstance(told, (str, int, float)):
            return None
        if told not in self._times:
            if len(self._times) >= REMEMBERED:
                self._times.clear()
            self._times[told] = seconds_since_epoch(told)
        return self._times[told]


def _numbered(stream: Stream) -> Iterator[tuple[int, bytes | None]]:
    """Lines with their numbers from 1; None for one that is too long, which is passed over."""
    number = 0
    while line := stream.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (more := stream.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                pass
            yield number, None
        else:
            yield number, line


def _of_request(request: str) -> tuple[str, str]:
    """Method and path of a request line; what is no HTTP at all is put together."""
    words = request.split(" ")
    if len(words) == 3 and words[2].startswith("HTTP/"):
        return words[0], words[1]
    return "?", "/"


def _status(told: Any) -> int:
    try:
        status = int(told)
    except (TypeError, ValueError, OverflowError):
        return 0
    return status if 0 <= status < 1000 else 0
