"""The page of `readiness analyse`: what access logs and sample files say, in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..sources.latencies import figures, tables
from ..sources.latencies.profile import Profile
from ..sources.latencies.shift import MOST_ENDPOINTS, Comparison
from .blocks import Table, Text
from .display import table_of, use_our_look
from .document import Document
from .look import Figure
from .text import line

TITLE = "Requests and how long they took"
HOW_TO_READ = """
Percentiles are of answers: a request that failed (5xx), was turned away (429) or refused (another
4xx) is counted, and its time is not taken for an answer's. What somebody gave up waiting for (499,
504) counts as failed and as an answer that slow. Percentiles of an endpoint are within 0.05 % of
the exact ones, those over time within 0.8 %.
"""
HOW_SHIFTS_ARE_TOLD = """
A percentile is *slower* or *faster* when its whole interval lies beyond no change. Requests hang
together (a stall holds up all that wait), so a test that took them for independent would call
every difference real; the bounds come from drawing whole stretches of time anew (block bootstrap),
and with all rows together they are wrong in about one comparison of twenty. Cliff's delta says how
large the difference is: the share of pairs of requests in which the later one took longer, less the
share in which it was the quicker. The test says that two sets differ and not why: compare the same
hours and the same mix of traffic.
"""


def page(profile: Profile, before: Profile | None, comparison: Comparison | None) -> str:
    """The whole page; nothing in it runs or loads but our own script."""
    from .page import single_page

    use_our_look()
    notebook = _notebook(_parts(profile, before, comparison))
    return single_page(notebook, "Made by readiness analyse from the files named in it.")


def _parts(
    profile: Profile, before: Profile | None, comparison: Comparison | None
) -> Iterator[Any]:
    yield f"# {TITLE}\n{HOW_TO_READ}"
    if comparison and before:
        yield f"## Before and after\n{HOW_SHIFTS_ARE_TOLD}"
        yield _figure(figures.shift_figure(comparison), "After over before, with bounds")
        yield _table(tables.shifts(comparison), "Each percentile before and after")
        yield _table(tables.failures(comparison), "How often each endpoint failed")
        for names, what in (
            (comparison.only_before, "Endpoints that were asked before the change only"),
            (comparison.only_after, "Endpoints that were asked after the change only"),
            (comparison.left_out, "Endpoints that take little time: not compared"),
        ):
            if names:
                rows: list[list[Text]] = [[line(name)] for name in names]
                yield Document([Table(["endpoint"], rows, what)])
    yield "## Endpoints"
    more = len(profile.used()) - MOST_ENDPOINTS
    said = f" ({more} with less time are left out)" if more > 0 else ""
    yield _table(tables.endpoints(profile), f"Each endpoint, the one with most time first{said}")
    yield "## Over time"
    numbers = table_of(tables.over_time(profile), most=200)
    yield _figure(figures.percentiles_figure(profile), "Percentiles over time", numbers)
    yield _figure(figures.heat_figure(profile), "How many answers took how long", numbers)
    yield _figure(
        figures.failures_figure(profile),
        "Requests and failures; the ends may be cut",
        numbers,
    )
    yield "## The slowest"
    yield _table(tables.slowest(profile), "The slowest requests, whatever became of them")
    yield "## What was read"
    for one, when in ((profile, "after"), (before, "before")):
        if one is None:
            continue
        said = f", {when}" if before else ""
        yield _table(tables.files(one), f"Files{said}")
        if one.broken:
            yield _table(tables.rejected(one), f"What could not be used{said}")
        if one.examples:
            yield _table(tables.examples(one), f"The first lines that could not be read{said}")


def _table(frame: Any, caption: str) -> Document:
    return Document([table_of(frame, caption)])


def _figure(figure: Any, caption: str, table: Any = None) -> Any:
    return Figure(figure, caption, table=table) if figure is not None else None


def _notebook(parts: Iterator[Any]) -> Any:
    """What a page is made of: prose as Markdown, and outputs as a notebook would hold them."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    cells = []
    for part in parts:
        if isinstance(part, str):
            cells.append(new_markdown_cell(part))  # type: ignore[no-untyped-call]
            continue
        if part is None:
            continue
        made = part._repr_mimebundle_()
        data, metadata = made if isinstance(made, tuple) else (made, {})
        output = new_output("display_data", data, metadata=metadata)  # type: ignore[no-untyped-call]
        cells.append(new_code_cell("", outputs=[output]))  # type: ignore[no-untyped-call]
    return new_notebook(cells=cells)  # type: ignore[no-untyped-call]
