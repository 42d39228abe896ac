"""What the answers to a caller without credentials mean, and how they are shown."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ..evidence import Evidence
from ..report.look import TONES

LOGIN = re.compile(r"log-?in|sign-?in|\bsso\b|oauth|authoriz|saml|\bauth\b|[?&]next=", re.I)


def reading(row: dict[str, Any]) -> str:
    """What the last answer of an operation was, in a word; see READINGS."""
    if not row["answers"]:
        return "not asked"
    last = row["answers"][-1]
    status, page = last["status"], last["like_absent"]
    if status is None:
        return "silent"
    if status in (401, 403):
        return "other gate" if last["speaks_of_csrf"] else "refused"
    if 300 <= status < 400:
        return "refused" if LOGIN.search(last["location"] or "") else "elsewhere"
    if 200 <= status < 300:
        return "catch-all" if page else "login form" if last["asks_for_login"] else "open"
    if status == row["stub"]:
        return "stub"
    if status == 429:
        return "limited"
    if status in (400, 411, 415, 422):
        return "validated"
    if status == 405 or (status == 404 and page):
        return "absent"
    if status in (404, 409, 410, 412):
        return "reached"
    return "broken" if status >= 500 else "elsewhere"


COLOURS = {"refused": "good", "stub": "good", "open": "bad", "reached": "bad"}
READINGS = {
    "refused": "401, 403 or a redirect to the login",
    "open": "answered with success",
    "reached": "looked for the object, or did the work, before asking who is calling",
    "stub": "a declared stub, which has nothing to give yet",
    "validated": "read the request and found fault with it, without asking who is calling",
    "catch-all": "answered by the page that answers every path",
    "login form": "answered with success and a page that asks for a password",
    "other gate": "refused for want of a CSRF token, before credentials were looked at",
    "absent": "answered like a path that does not exist",
    "elsewhere": "redirected, or an answer that says nothing about access",
    "broken": "answered 5xx",
    "limited": "answered by the rate limiter",
    "silent": "did not answer",
    "not asked": "not asked for",
}


def anonymous_table(operations: Evidence) -> Any:
    """A data frame of the operations and what each answered: first those that were not refused."""
    import pandas as pd

    rows = []
    for row in sorted(operations.records, key=_rank):
        last = row["answers"][-1] if row["answers"] else {}
        rows.append(
            {
                "operation": row["operation"],
                "declared": "public" if row["public"] else "stub" if row["stub"] else "protected",
                "status": " → ".join(str(a["status"] or "–") for a in row["answers"]) or "–",
                "answer": reading(row),
                "type": last.get("content_type", ""),
                "note": row["not_asked"] or last.get("error") or _place(last.get("location")),
            }
        )
    columns = ["operation", "declared", "status", "answer", "type", "note"]
    return pd.DataFrame(rows, columns=columns)


def _rank(row: dict[str, Any]) -> int:
    """Open first, then what could not be judged, then what is public, then what was refused."""
    said = reading(row)
    return 2 if row["public"] else 3 if said == "refused" else 0 if COLOURS.get(said) else 1


def _place(location: str | None) -> str:
    return f"to {location.split('?')[0]}" if location else ""


def anonymous_figure(operations: Evidence) -> Any:
    """Bars: how many operations of each part of the API gave which answer; else a sentence."""
    if not operations.records:
        return operations.problem.message if operations.problem else "No operation was asked for."
    import plotly.graph_objects as go

    counts: dict[str, Counter[str]] = {}
    for row in operations.records:
        group = "/".join(row["operation"].split(" ", 1)[1].split("/")[:3])
        said = "declared public" if row["public"] else reading(row)
        counts.setdefault(said, Counter())[group] += 1
    groups = sorted({group for by_group in counts.values() for group in by_group}, reverse=True)
    figure = go.Figure()
    for said, by_group in sorted(counts.items()):
        numbers = [by_group[group] or None for group in groups]
        colour = COLOURS.get(said, "unknown" if "public" in said else "caution")
        figure.add_bar(
            name=said,
            orientation="h",
            y=groups,
            x=numbers,
            text=numbers,
            textangle=0,
            marker_color=TONES[colour],
        )
    figure.update_layout(barmode="stack", height=150 + 28 * len(groups))
    figure.update_xaxes(title="operations asked for without credentials (number)")
    figure.update_yaxes(title="part of the API")
    return figure
