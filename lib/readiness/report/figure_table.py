"""The numbers of a figure as a table: what stands beside it for who does not see it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from .blocks import Column, Head, Table, Text
from .text import LONGEST_CELL, value

MOST_ROWS = 60
MOST_SERIES = 8  # columns, beyond which every point gets a row of its own
DISTRIBUTIONS = ("box", "violin", "histogram")
Point = tuple[str, Any, Any]


def data_table(figure: Mapping[str, Any]) -> Table:
    """One row a category with a column a series, where the figure has categories; a grid for a
    heat map, five numbers for a distribution, else one row a point. Cut with the count said."""
    traces = figure.get("data", [])
    axes = figure.get("layout", {})
    x, y = (_title(axes.get(name, {})) or name[0] for name in ("xaxis", "yaxis"))
    kinds = {str(trace.get("type", "scatter")) for trace in traces}
    if kinds == {"heatmap"} and len(traces) == 1:
        return _grid(traces[0], y)
    if kinds and kinds <= {*DISTRIBUTIONS}:
        return _distributions(traces)
    points = list(_points(traces))
    for axis, names in ((2, y), (1, x)):
        if table := _by_category(points, axis, names):
            return table
    rows: list[list[Text]] = [[name, value(a), value(b)] for name, a, b in points]
    return _cut(["Series", x, y], rows, "points", None)


def _by_category(points: Sequence[Point], axis: int, title: str) -> Table | None:
    """Points as a table of categories by series, when each series has each category once."""
    found: dict[str, dict[str, Any]] = {}
    series = list(dict.fromkeys(point[0] for point in points))
    for point in points:
        category, number = point[axis], point[3 - axis]
        if not isinstance(category, str) or isinstance(number, str):
            return None
        row = found.setdefault(category, {})
        if point[0] in row:
            return None
        row[point[0]] = number
    if not found or len(series) > MOST_SERIES:
        return None
    columns: list[Head] = [title, *(Column(name, True) for name in series)]
    rows: list[list[Text]] = [
        [category, *(value(row.get(name)) for name in series)] for category, row in found.items()
    ]
    return _cut(columns, rows, "rows")


def _grid(trace: Mapping[str, Any], title: str) -> Table:
    """A heat map: one row a line of it, with what is written in its cells, else their numbers."""
    xs, ys = _list(trace.get("x")), _list(trace.get("y"))
    cells = trace.get("text") or trace.get("z") or []
    lines = [_list(line) for line in (_nested(cells) if isinstance(cells, Mapping) else cells)]
    heads = [value(x) for x in xs] or [str(n) for n in range(max(map(len, lines), default=0))]
    names = [value(y) for y in ys] or [str(n) for n in range(len(lines))]
    rows: list[list[Text]] = [
        [name, *(value(cell) for cell in line)] for name, line in zip(names, lines, strict=False)
    ]
    whole = [row for row in rows if len(row) == len(heads) + 1]
    return _cut([title, *heads], whole, "rows")


def _distributions(traces: Sequence[Mapping[str, Any]]) -> Table:
    rows: list[list[Text]] = []
    for n, trace in enumerate(traces, 1):
        seen = _list(trace.get("x")) or _list(trace.get("y"))
        numbers = [v for v in seen if isinstance(v, (int, float)) and v == v]
        if trace.get("type") != "histogram":
            numbers = [v for v in _list(trace.get("y")) if isinstance(v, (int, float))] or numbers
        told = (min(numbers), median(numbers), max(numbers)) if numbers else (None,) * 3
        rows.append([_name(trace, n), value(len(numbers)), *(value(one) for one in told)])
    heads = ("Values", "Least", "Median", "Most")
    return _cut(["Series", *(Column(name, True) for name in heads)], rows, "series")


def _cut(
    columns: Sequence[Head],
    rows: Sequence[Sequence[Text]],
    what: str,
    row_header: int | None = None,
) -> Table:
    note = f"{MOST_ROWS} of {len(rows):,} {what}" if len(rows) > MOST_ROWS else ""
    return Table(columns, rows[:MOST_ROWS], row_header=row_header, note=note)


def _points(traces: Sequence[Mapping[str, Any]]) -> Iterator[Point]:
    for number, trace in enumerate(traces, 1):
        xs, ys = _list(trace.get("x")), _list(trace.get("y"))
        for n in range(max(len(xs), len(ys))):
            x, y = (one[n] if n < len(one) else None for one in (xs, ys))
            yield _name(trace, number), x, y


def _name(trace: Mapping[str, Any], number: int) -> str:
    return str(trace.get("name") or f"series {number}")[:LONGEST_CELL]


def _list(values: Any) -> list[Any]:
    if isinstance(values, Mapping):  # numbers as Plotly packs them
        return list(_unpacked(values).tolist())
    return [] if values is None else list(values)


def _nested(values: Mapping[str, Any]) -> list[list[Any]]:
    shape = [int(n) for n in str(values["shape"]).split(",")]
    nested: list[list[Any]] = _unpacked(values).reshape(shape).tolist()
    return nested


def _unpacked(values: Mapping[str, Any]) -> Any:
    import numpy as np

    return np.frombuffer(base64.b64decode(str(values["bdata"])), dtype=str(values["dtype"]))


def _title(axis: Mapping[str, Any]) -> str:
    title = axis.get("title") or ""
    return str(title.get("text") or "") if isinstance(title, Mapping) else str(title)
