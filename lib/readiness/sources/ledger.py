"""The requests of an audit, to look at: who asked for what, how often, and what was answered."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..target import Target


def ledger_summary(target: Target) -> Any:
    """A data frame: one row a source, with its requests, methods, answers and seconds."""
    import pandas as pd

    rows = []
    for source in dict.fromkeys(e["source"] for e in target.traffic.entries):
        sent = [e for e in target.traffic.entries if e["source"] == source]
        rows.append(
            {
                "source": source,
                "requests": len(sent),
                "operations": len({e["operation"] for e in sent}),
                "methods": _counted(e["method"] for e in sent),
                "answers": _counted(_class_of(e["status"]) for e in sent),
                "seconds": round(sum(e["ms"] for e in sent) / 1000, 2),
            }
        )
    columns = ["source", "requests", "operations", "methods", "answers", "seconds"]
    return pd.DataFrame(rows, columns=columns)


def ledger_by_operation(target: Target) -> Any:
    """A data frame: one row an operation, the most asked for first."""
    import pandas as pd

    asked: dict[str, list[dict[str, Any]]] = {}
    for entry in target.traffic.entries:
        asked.setdefault(entry["operation"], []).append(entry)
    rows = [
        {
            "operation": operation,
            "requests": len(sent),
            "answers": _counted(str(e["status"] or "none") for e in sent),
            "slowest (ms)": max(e["ms"] for e in sent),
            "asked by": ", ".join(dict.fromkeys(e["source"] for e in sent)),
        }
        for operation, sent in sorted(asked.items(), key=lambda item: -len(item[1]))
    ]
    columns = ["operation", "requests", "answers", "slowest (ms)", "asked by"]
    return pd.DataFrame(rows, columns=columns)


def ledger_in_short(target: Target) -> str:
    """A sentence: how much was sent, and what the service's own limits made of it."""
    traffic = target.traffic
    said = f"{len(traffic.entries):,} requests in this notebook"
    if traffic.limits:
        said += f"; the service said that it allows {', '.join(sorted(traffic.limits))}"
    said += f"; its limits made the audit wait {traffic.waited_s:.1f} s"
    return said + (f". Stopped early: {traffic.stopped}." if traffic.stopped else ".")


def _class_of(status: int | None) -> str:
    return "none" if status is None else f"{status // 100}xx"


def _counted(values: Any) -> str:
    return ", ".join(f"{n} {value}" for value, n in sorted(Counter(values).items()))
