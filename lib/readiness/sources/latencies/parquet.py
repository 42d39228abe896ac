"""Requests in Parquet, batch by batch: those of a load run, or any table with a time to answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..loading.plan import OWN_FAULT, PROBLEMS
from ..loading.samples import REQUESTS_KEY, SCHEMA
from .endpoints import Endpoints
from .fields import PATHS, REQUESTS, Fields, fields_of
from .profile import (
    ANSWERED,
    BY_STATUS,
    FAILED,
    GIVEN_UP,
    REFUSED,
    TURNED_AWAY,
    Batch,
    Profile,
    Read,
)

ROWS = 1 << 17  # at a time: a megabyte a column, which stays in the processor's cache
MOST_COUNTED = 2_000_000  # numbers up to here are told apart by counting, which is quicker
_KINDS = {"": ANSWERED, "timeout": GIVEN_UP, "rate limit": TURNED_AWAY}
BY_PROBLEM = np.array(
    [_KINDS.get(one, FAILED if one in OWN_FAULT else REFUSED) for one in PROBLEMS], np.uint8
)


def read(
    path: Path, profile: Profile, endpoints: Endpoints, latency: tuple[str, float] | None = None
) -> Read:
    """Count the requests of a file; one that is corrupt counts as far as it could be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Read(path.name)
    try:
        # Strings by number: a path is looked at once a batch, and not once a row.
        schema = pq.read_schema(path)
        text = [field.name for field in schema if _is_text(field.type)]
        options = {"read_dictionary": text, "page_checksum_verification": True}
        # Buffered beforehand, a file would be in memory whole.
        with pq.ParquetFile(path, pre_buffer=False, **options) as table:
            of = _reader(schema, profile, endpoints, latency)
            if isinstance(of, str):
                file.problem = of
                return file
            row = 0
            for batch in table.iter_batches(ROWS, columns=of.columns):
                profile.add(of.batch(batch, row), file)
                row += len(batch)
    except (pa.ArrowException, OSError, ValueError, TypeError) as broke:
        words = " ".join(str(broke).split())[:200]
        file.problem = f"is corrupt, or holds no requests: {words}"
    return file


def _reader(
    schema: Any, profile: Profile, endpoints: Endpoints, latency: tuple[str, float] | None
) -> _LoadRun | _Table | str:
    """Who reads such a table; a sentence when nobody can."""
    if latency is None and set(SCHEMA.names) <= set(schema.names):
        return _LoadRun(schema.metadata or {}, profile)
    # Requests by number are known to a load run alone.
    names = [f.name for f in schema if _is_text(f.type) or f.name not in (*PATHS, *REQUESTS)]
    fields = fields_of(names, latency)
    if not fields.latency:
        return (
            "has no column for the time to answer (such as duration_ms): name it with its unit, "
            "--latency NAME:UNIT"
        )
    return _Table(fields, profile, endpoints)


class _LoadRun:
    """Samples as a load run keeps them: requests and problems by number."""

    def __init__(self, metadata: dict[bytes, bytes], profile: Profile) -> None:
        told = json.loads(metadata.get(REQUESTS_KEY, b"{}"))
        if not isinstance(told, dict):
            raise ValueError("its note of the scenario is not ours")
        self._ms = "corrected_ms" if told.get("paced") else "took_ms"
        self.columns = ["at", self._ms, "request", "problem"]
        self._names = list(map(str, told.get("requests", [])))
        self._profile = profile
        self._numbers: dict[int, int] = {}

    def batch(self, rows: Any, row: int) -> Batch:
        at, ms, request, problem = (rows[name].to_numpy() for name in self.columns)
        numbers, which = _different(np.maximum(request, 0).astype(np.int64))
        endpoint = np.array([self._endpoint(n) for n in numbers.tolist()], np.int64)[which]
        ended = BY_PROBLEM[np.clip(problem, 0, len(BY_PROBLEM) - 1)]
        return Batch(ms, endpoint, ended, at, row + 1 + np.arange(len(ms)))

    def _endpoint(self, n: int) -> int:
        if n not in self._numbers:
            name = self._names[n] if 0 <= n < len(self._names) else f"request {n}"
            self._numbers[n] = self._profile.endpoint(name)
        return self._numbers[n]


class _Table:
    """Any table: columns by their names."""

    def __init__(self, fields: Fields, profile: Profile, endpoints: Endpoints) -> None:
        self._fields, self._profile, self._endpoints = fields, profile, endpoints
        self.columns = fields.wanted

    def batch(self, rows: Any, row: int) -> Batch:
        fields = self._fields
        ms = _numbers(rows[fields.latency], fields.to_ms)
        at = _times(rows[fields.time]) if fields.time else None
        status = None
        if fields.status:
            told = np.nan_to_num(_numbers(rows[fields.status], 1.0))
            status = np.clip(told, 0, 999).astype(np.int64)
        endpoint = self._endpoint(rows, status)
        ended = BY_STATUS[status] if status is not None else None
        lines = row + 1 + np.arange(len(ms))
        return Batch(ms, endpoint, ended, at, lines)

    def _endpoint(self, rows: Any, status: Any) -> Any:
        """Each row's endpoint: every combination of method, path and status is looked at once."""
        named = self._fields.path or self._fields.request
        if not named:
            return None
        paths, path = _texts(rows[named])
        methods, method = _texts(rows[self._fields.method]) if self._fields.method else ([""], 0)
        code = np.zeros(len(path), np.int64) if status is None else status
        key = (np.asarray(method) * len(paths) + path) * 1000 + code
        keys, which = _different(key)
        numbers = []
        for one in keys.tolist():
            pair, code_of = divmod(one, 1000)
            m, p = divmod(pair, len(paths))
            asked = (methods[m], paths[p])
            if not self._fields.path and asked[1].count(" ") == 2:
                verb, where, _ = asked[1].split(" ")
                asked = (verb, where)
            numbers.append(self._endpoints.number(*asked, code_of))
        return np.array(numbers, np.int64)[which]


def _different(keys: Any) -> tuple[Any, Any]:
    """The different ones of these numbers, and which of them each is."""
    if keys.max(initial=0) > MOST_COUNTED:
        different, which = np.unique(keys, return_inverse=True)
        return different, which
    different = np.flatnonzero(np.bincount(keys))
    place = np.zeros(keys.max(initial=0) + 1, np.int64)
    place[different] = np.arange(len(different))
    return different, place[keys]


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _numbers(column: Any, factor: float) -> Any:
    """A column as floats, nothing and what is no number as NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_duration(column.type):
        factor = {"s": 1e3, "ms": 1.0, "us": 1e-3, "ns": 1e-6}[column.type.unit]
        column = column.cast(pa.int64())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
        whole = pc.match_substring_regex(column, r"^\s*\d+(\.\d*)?([eE][+-]?\d+)?\s*$")
        column = pc.if_else(whole, column, None)
    if not (pa.types.is_floating(column.type) and column.null_count == 0):
        column = column.cast(pa.float64(), safe=False)
    found = column.to_numpy(zero_copy_only=False)
    return found if factor == 1.0 and found.dtype == np.float64 else found * np.float64(factor)


def _times(column: Any) -> Any:
    """A column as seconds since the epoch, what is no time as NaN."""
    import pyarrow as pa

    from .fields import seconds_since_epoch

    if pa.types.is_timestamp(column.type):
        per = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        return _numbers(column.cast(pa.timestamp(column.type.unit)).cast(pa.int64()), 1 / per)
    if pa.types.is_dictionary(column.type):
        texts, which = _texts(column)
        found = [seconds_since_epoch(one) for one in texts]
        return np.array([np.nan if one is None else one for one in found], np.float64)[which]
    found = _numbers(column, 1.0)
    while (late := (found > 1e11) & (found < np.inf)).any():
        found = np.where(late, found / 1e3, found)
    return found


def _texts(column: Any) -> tuple[list[str], Any]:
    """The different texts of a column, and the number of each row's."""
    if not hasattr(column, "dictionary"):
        column = column.cast("string").dictionary_encode()
    texts = [str(one or "") for one in column.dictionary.to_pylist()] + [""]
    return texts, column.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)
