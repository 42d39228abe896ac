"""What became of the credentials that were tried, and how that is shown."""

from __future__ import annotations

from typing import Any

from ..evidence import Evidence
from .answers import LOGIN
from .client import Exchange
from .login import opened


def to_login(exchange: Exchange) -> bool:
    """Whether the answer is a redirect to where one logs in."""
    moved = exchange.status is not None and 300 <= exchange.status < 400
    return moved and bool(LOGIN.search(exchange.header("location") or ""))


def outcome(row: dict[str, Any]) -> str:
    """What became of an attempt: accepted, refused, or why that cannot be said."""
    status = row["status"]
    if opened(status):
        return "accepted"
    if row["moment"] != "cold" and not opened(row["valid_before"]):
        return "came after a valid credential that was not accepted"
    closed_for_a_reason = status is not None and (status == 1008 or 3000 <= status < 5000)
    if status in (400, 401, 403, 404, 422) or row["to_login"] or closed_for_a_reason:
        return "refused"
    if status is None:
        return "could not be sent" if "cannot be sent" in row["error"] else "were not answered"
    return "were answered by the rate limiter" if status == 429 else f"were answered {status}"


def attempts_table(tried: Evidence) -> Any:
    """A data frame: one row an attempt, what it was answered cold and after the valid one.

    Known secrets that were refused stand together, by how they were used.
    """
    import pandas as pd

    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in tried.records:
        said = f"{record['status'] or '–'} {outcome(record)}"
        name = record["attempt"]
        if record["family"] == "default secret" and outcome(record) == "refused":
            as_key = name.startswith("signed with")
            name = "known secrets, as signing key" if as_key else "known secrets, as they are"
        key = (record["credential"], record["family"], name)
        row = rows.setdefault(key, dict(zip(("credential", "family", "attempt"), key, strict=True)))
        row["times"] = row.get("times", 0) + 1
        row[record["moment"]] = said
    columns = ["credential", "family", "attempt", "times", "cold", "after the valid one"]
    table = pd.DataFrame(list(rows.values()), columns=columns).fillna("not tried")
    got_in = table[columns[4:]].apply(lambda c: c.str.contains("accepted")).any(axis=1)
    return pd.concat([table[got_in], table[~got_in]], ignore_index=True)


def attempts_summary(tried: Evidence) -> Any:
    """A data frame: the attempts of each family, and how many were refused, got in, or neither."""
    import pandas as pd

    rows: dict[str, dict[str, Any]] = {}
    for record in tried.records:
        row = rows.setdefault(
            record["family"],
            {"family": record["family"], "tried": 0, "refused": 0, "got in": 0, "unclear": 0},
        )
        said = {"accepted": "got in", "refused": "refused"}.get(outcome(record), "unclear")
        row["tried"] += 1
        row[said] += 1
    return pd.DataFrame(
        list(rows.values()), columns=["family", "tried", "refused", "got in", "unclear"]
    )
