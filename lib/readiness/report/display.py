"""Finding cards, tables and the figure template: one look for notebook, terminal and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ..finding import Finding, Status

SHAPES = {
    Status.PASS: "●",
    Status.FAIL: "■",
    Status.NOT_MEASURED: "○",
    Status.NOT_APPLICABLE: "–",
    Status.ERROR: "✕",
}
COLOUR_SHAPES = {"GREEN": "●", "YELLOW": "▲", "RED": "■"}
MOST_ROWS = 60  # of a table in a notebook; the evidence file has them all


class Card:
    """A finding as the notebook shows it: status, what was expected and observed, its receipt."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding

    def __repr__(self) -> str:
        f = self.finding
        reason = f" ({f.reason})" if f.reason else ""
        return f"{SHAPES[f.status]} {f.status}{reason}  {f.check}: {f.observed}"

    def _repr_html_(self) -> str:
        f = self.finding
        reason = f" · {f.reason}" if f.reason else ""
        rows = [("Expected", f.expected), ("Observed", f.observed), ("Looked at", str(f.samples))]
        if f.calibration:
            receipts = ", ".join(
                f"{r.specimen} {SHAPES[r.status]}{'' if r.as_expected else ' (wrong)'}"
                for r in f.calibration.results()
            )
            rows.append(("Calibration", receipts))
        if f.status is Status.FAIL:
            rows.append(("Remedy", f.remedy))
        body = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows)
        return (
            f'<div class="finding {f.status.lower()}"><p><strong>{SHAPES[f.status]} {f.status}'
            f"{reason}</strong> · {f.check} · {escape(f.title)}"
            f"{' · exploratory' if f.exploratory else ''}</p><table>{body}</table></div>"
        )


class Conclusion:
    """The findings of an area as a table, and the result that the runner reads."""

    def __init__(self, findings: Sequence[Finding], result: dict[str, Any]) -> None:
        self.findings = findings
        self.result = result

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        lines = [repr(Card(f)) for f in self.findings]
        rows = "".join(
            f"<tr><td>{SHAPES[f.status]} {f.status}</td><td>{f.check}</td>"
            f"<td>{escape(f.title)}</td><td>{escape(f.observed)}</td></tr>"
            for f in self.findings
        )
        head = "<tr><th>Status</th><th>Check</th><th>Question</th><th>Observed</th></tr>"
        table = f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"
        return {"text/plain": "\n".join(lines), "text/html": table, **self.result}


def show(data: Any, caption: str = "") -> None:
    """Show a data frame as a table (sortable and filterable when a person is at the keyboard)."""
    from IPython.display import display

    display(data)  # type: ignore[no-untyped-call]


def use_our_look() -> None:
    """Make our figure template the default one in this process."""
