"""What this audit itself has found so far, as evidence for a check that sums it up."""

from __future__ import annotations

from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason, Status
from ..target import Target


@source("passive")
def of_area(target: Target) -> Collected:
    """One row for each check that policy expects of the area, with its status at this moment.

    Collect it last: a check that was not judged yet stands here as one that gave no answer.
    """
    answers = target.answers
    if answers is None:
        raise NotMeasured(Reason.NO_SAMPLES, "there is no audit here whose findings to sum up")
    return Collected(answers)


def by_status(findings: Evidence) -> Any:
    """A data frame: one row a status and reason, with the checks that stand there."""
    import pandas as pd

    rows: dict[tuple[str, str], list[str]] = {}
    for row in findings.records:
        waits = row["status"] == Status.ERROR and not row["judged"]
        key = ("not judged yet", "") if waits else (row["status"], row["reason"] or "")
        rows.setdefault(key, []).append(row["check"])
    return pd.DataFrame(
        [
            {"status": status, "reason": reason, "number": len(checks), "checks": ", ".join(checks)}
            for (status, reason), checks in sorted(rows.items())
        ],
        columns=["status", "reason", "number", "checks"],
    )
