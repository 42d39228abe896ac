"""Samples of load: one row a request, written as they come and read as far as they go."""

from __future__ import annotations

import io
import json
from array import array
from pathlib import Path
from typing import Any

import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("at", pa.float64()),  # when it was sent, in seconds since the epoch
        ("took_ms", pa.float64()),  # from then until the answer had come, unrounded
        ("corrected_ms", pa.float64()),  # from when it was due
        ("request", pa.int16()),  # number in the scenario
        ("status", pa.int16()),  # 0: no answer
        ("problem", pa.int8()),  # number in plan.PROBLEMS; 0: none
    ]
)
CODES = "dddhhb"
REQUESTS_KEY = b"readiness"  # of a file's metadata: the scenario's requests, and whether paced


class Batch:
    """Rows in memory, by column."""

    def __init__(self) -> None:
        self.columns = [array(code) for code in CODES]

    def add(self, *row: float) -> None:
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)  # type: ignore[arg-type]

    def to_bytes(self) -> bytes:
        """The rows as an Arrow stream of their own; nothing when there are none."""
        if not self.columns[0]:
            return b""
        arrays = [
            pa.Array.from_buffers(field.type, len(column), [None, pa.py_buffer(bytes(column))])
            for field, column in zip(SCHEMA, self.columns, strict=True)
        ]
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, SCHEMA) as writer:
            writer.write_batch(pa.record_batch(arrays, schema=SCHEMA))
        return sink.getvalue()


class Stream:
    """A file of batches, each whole in itself and preceded by its length."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def write(self, batch: bytes) -> None:
        if batch:
            self._file.write(len(batch).to_bytes(8, "little") + batch)
            self._file.flush()

    def close(self) -> None:
        self._file.close()


def read(folder: Path) -> Any:
    """Every sample in the streams of a folder, by the time it was sent (a ``pyarrow.Table``).

    A batch that was cut off when its writer was killed is left out.
    """
    batches = []
    for path in sorted(folder.glob("samples-*.arrows")):
        content, at = path.read_bytes(), 0
        while at + 8 <= len(content):
            length = int.from_bytes(content[at : at + 8], "little")
            whole = content[at + 8 : at + 8 + length]
            if len(whole) < length:
                break
            with pa.ipc.open_stream(whole) as reader:
                batches += list(reader)
            at += 8 + length
    table = pa.Table.from_batches(batches, schema=SCHEMA)
    return table.sort_by("at")


def to_parquet(table: Any, requests: list[str], paced: bool) -> bytes:
    """The samples as a Parquet file that says which requests they are of."""
    import pyarrow.parquet as pq

    about = {REQUESTS_KEY: json.dumps({"requests": requests, "paced": paced})}
    sink = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(about), sink, compression="zstd", write_page_checksum=True
    )
    return sink.getvalue()
