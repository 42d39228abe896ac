"""What the parameters declare of the target: statements of people, with who made them and when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import now
from ..target import Declaration, Target, need

BELIEVED = timedelta(days=365)  # where a declaration does not say until when


@source("passive")
def declared(target: Target) -> Collected:
    """One row for each check that ``target.declarations`` says something about."""
    given = need(target.declarations, "target.declarations")
    return Collected([_row(check, said) for check, said in given.items()])


def _row(check: str, said: Declaration) -> dict[str, Any]:
    until = said.valid_until or said.stated + BELIEVED
    today = now().date()
    return {
        "check": check,
        "holds": said.holds,
        "statement": said.statement,
        "by": said.by,
        "stated": said.stated.isoformat(),
        "valid_until": until.isoformat(),
        "current": said.stated <= today <= until,
        "reference": said.reference,
    }


def declarations_table(declared: Evidence) -> Any:
    """A data frame: one row a declaration."""
    import pandas as pd

    columns = ["check", "holds", "statement", "by", "stated", "valid_until", "reference"]
    return pd.DataFrame(declared.records, columns=columns)
