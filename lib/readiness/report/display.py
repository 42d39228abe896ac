"""What a notebook shows: finding cards, conclusions, tables and figures in one quiet look.

The same output serves JupyterLab in light and dark, a terminal, and the documents made from an
executed notebook. Tables can be sorted and filtered when a person is at the keyboard in JupyterLab;
a run keeps plain tables, without a script in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from ..finding import Finding, Status
from .blocks import (
    Block,
    Code,
    Column,
    Facts,
    Mark,
    Paragraph,
    Quiet,
    Section,
    Strong,
    Table,
    Text,
)
from .document import Document
from .finding_blocks import card, in_short
from .text import line, value

MOST_ROWS = 60  # of a table that stands still; the evidence file has them all
CARD_TYPE = "application/vnd.readiness.finding+json"
TABLE_STYLE = (
    ".dt-container { background: none !important; font-size: .875em; }"
    ".dt-container caption { text-align: left; font-weight: 600; }"
    ".dt-container table.dataTable.display tbody tr:hover > * {"
    " box-shadow: inset 0 0 0 9999px rgba(128, 128, 128, .15); color: inherit; }"
)
UNDER_THE_RUNNER = "READINESS_EVIDENCE"
AT_THE_KEYBOARD = ("JPY_SESSION_NAME", "VSCODE_PID")  # set by who starts a kernel for a person


class Card(Document):
    """A finding as the notebook shows it: status, what was expected and observed, its receipt."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(card(finding), {CARD_TYPE: finding.model_dump(mode="json")})

    def __repr__(self) -> str:
        return in_short(self.finding)


class Conclusion(Document):
    """The findings of an area as a table, and the result that the runner reads."""

    def __init__(self, findings: Sequence[Finding], result: dict[str, Any]) -> None:
        self.findings = findings
        self.result = result
        super().__init__(_conclusion(findings), result)

    def __repr__(self) -> str:
        return "\n".join(in_short(f) for f in self.findings)


def show(data: Any, caption: str = "") -> None:
    """Show a data frame, a list of records, a mapping, a figure or a sentence, with a caption."""
    from IPython.display import display

    from .look import Figure

    if data is None or isinstance(data, str):
        shown: Any = Document([Paragraph(data or "Nothing to show.", "note")])
    elif hasattr(data, "to_plotly_json"):
        shown = Figure(data, caption)
    elif isinstance(data, dict):
        facts: list[Block] = [Facts([(line(k), value(v)) for k, v in data.items()])]
        shown = Document([Paragraph(caption, "caption"), *facts] if caption else facts)
    elif hasattr(data, "_repr_mimebundle_") and not hasattr(data, "columns"):
        shown = data
    else:
        frame = _frame(data)
        if interactive() and len(frame):
            return _sortable(frame, caption)
        shown = Document([table_of(frame, caption)])
    display(shown)  # type: ignore[no-untyped-call]


def interactive() -> bool:
    """Whether a person works on this notebook, so that tables may carry a script."""
    if UNDER_THE_RUNNER in os.environ:
        return False
    return any(name in os.environ for name in AT_THE_KEYBOARD)


def table_of(frame: Any, caption: str = "", most: int = MOST_ROWS) -> Table:
    """A data frame as a table that stands still, cut at ``most`` rows with the count said."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if not len(frame):
        return Table([], [], caption, note="No rows.")
    numeric = [is_numeric_dtype(kind) and not is_bool_dtype(kind) for kind in frame.dtypes]
    columns = [Column(line(c), n) for c, n in zip(frame.columns, numeric, strict=True)]
    rows = [[_cell(one) for one in row] for row in frame.head(most).itertuples(index=False)]
    count = len(frame)
    note = f"{most} of {count:,} rows; all are in the evidence." if count > most else ""
    return Table(columns, rows, caption, note=note)


def use_our_look() -> None:
    """Make our template the default one, and figures keep their data only (8 KB, no script)."""
    import plotly.io

    from .look import template

    plotly.io.templates["readiness"] = template()
    plotly.io.templates.default = "readiness"
    plotly.io.renderers.default = "plotly_mimetype"
    if interactive():
        _send_script()  # again each time: the cell that holds it has just been cleared


def _frame(data: Any) -> Any:
    """A data frame of whatever rows are given; an index that says something becomes columns."""
    import pandas as pd

    if hasattr(data, "to_frame"):
        data = data.to_frame()
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(list(data))
    plain = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    return frame if plain else frame.reset_index()


def _cell(given: Any) -> Text:
    if isinstance(given, str) and given in Status.__members__:
        return Mark.of(given)
    return value(given.item() if hasattr(given, "item") else given)


def _sortable(frame: Any, caption: str) -> None:
    """The frame as a table that can be sorted and filtered, without any request to a network."""
    import itables
    from pandas.api.types import is_numeric_dtype

    if not _script_is_here:
        _send_script()
    safe = frame.rename(columns=line)
    numbers = [is_numeric_dtype(kind) for kind in safe.dtypes]
    for name, kind in zip(safe.columns, safe.dtypes, strict=True):
        if str(kind).startswith(("object", "str")):
            safe[name] = [value(one) for one in safe[name]]
    itables.show(
        safe,
        caption=line(caption),
        connected=False,
        allow_html=False,
        column_filters="header",
        columnDefs=[
            {"className": "dt-right" if number else "dt-left", "targets": [n]}
            for n, number in enumerate(numbers)
        ],
        classes="display compact",
        style="width:100%;margin:0;caption-side:top;text-align:left",
        lengthMenu=[10, 25, 100, 1000],
        display_logo_when_loading=False,
        css=TABLE_STYLE,
        maxBytes="4MB",
    )


def _send_script() -> None:
    """Put the script of sortable tables into the notebook, once; the tables find it there."""
    import itables

    global _script_is_here
    itables.init_notebook_mode(all_interactive=False, connected=False)
    _script_is_here = True


_script_is_here = False


def _conclusion(findings: Iterable[Finding]) -> list[Block]:
    findings = list(findings)
    rows: list[list[Text]] = [
        [Mark.status(f.status), [Strong(line(f.title)), " ", Code(f.check)], line(f.observed)]
        for f in findings
    ]
    counts = [
        f"{sum(f.status is s for f in findings)} {s.replace('_', ' ').lower()}" for s in Status
    ]
    said = Paragraph([f"{len(findings)} checks: ", Quiet(", ".join(counts)), "."])
    return [Section("conclusion", [said, Table(["Status", "Check", "Observed"], rows)])]
