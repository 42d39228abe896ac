"""CSV: a finding a row, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io

from ..finding import Finding
from ..record import Record
from . import Export, each, printable

COLUMNS = [
    "check",
    "area",
    "title",
    "severity",
    "status",
    "reason",
    "strength",
    "samples",
    "expected",
    "observed",
    "remedy",
    "measured_at",
    "waiver",
    "carried_over",
]
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # the wide ones count in some spreadsheets


def export(record: Record, previous: Record | None = None) -> Export:
    """UTF-8 with a byte order mark, which spreadsheets want."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["environment", "run", *COLUMNS])
    rows, dropped = each(record.findings, row_of)
    writer.writerows([record.environment, record.run, *row] for _, row in rows)
    return Export(out.getvalue().encode("utf-8-sig"), dropped)


def row_of(finding: Finding) -> list[str]:
    """The cells of a finding; none is taken for a formula (CWE-1236)."""
    cells = (getattr(finding, name) for name in COLUMNS)
    texts = ["" if cell is None else printable(str(cell)) for cell in cells]
    return [f"'{t}" if t.lstrip().startswith(FORMULA) or t[:1] == "\t" else t for t in texts]
