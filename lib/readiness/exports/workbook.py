"""Excel: the same rows as the CSV, with a filter and a frozen header."""

from __future__ import annotations

import io

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

from ..record import Record
from . import Export, each
from .spreadsheet import COLUMNS, row_of

WIDTHS = {"title": 40, "expected": 50, "observed": 60, "remedy": 60, "check": 26}


def export(record: Record, previous: Record | None = None) -> Export:
    """One sheet of findings; every cell is text."""
    book = Workbook()
    sheet = book.active
    sheet.title = "findings"
    sheet.append(list(COLUMNS))
    rows, dropped = each(record.findings, row_of)
    for _, row in rows:
        sheet.append([text[:32_000] for text in row])
    for number, name in enumerate(COLUMNS, 1):
        letter = sheet.cell(1, number).column_letter
        sheet.column_dimensions[letter].width = WIDTHS.get(name, 16)
        sheet.cell(1, number).font = Font(bold=True)
    for cells in sheet.iter_rows(min_row=2):
        for cell in cells:
            cell.data_type = "s"
            cell.alignment = Alignment(vertical="top", wrap_text=True)
    sheet.freeze_panes = "A2"
    sheet.auto_filter.ref = sheet.dimensions
    out = io.BytesIO()
    book.save(out)
    return Export(out.getvalue(), dropped)
