"""Slow queries are written down."""

from __future__ import annotations

import re
from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, not_measured, verdict_of
from readiness.sources.slow_log import settings

UNITS = {"": 1, "ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "us": 0.001}


class SlowLog(Criteria):
    max_threshold_ms: float = Field(default=1000, gt=0)


@check(
    "PERF-SLOW-LOG",
    sources=[settings],
    severity="low",
    criteria=SlowLog,
    references=[
        "https://www.postgresql.org/docs/current/runtime-config-logging.html",
        "CIS PostgreSQL Benchmark, section 3: logging",
    ],
)
def slow_query_log(log: Evidence, criteria: SlowLog) -> Judgement:
    """Slow queries are logged

    log_min_duration_statement (or sampling by log_min_duration_sample, or auto_explain) writes down
    each query that takes longer than a second, for every role of this database: a role can be set
    apart with ALTER ROLE, which is looked for. Where the parameters name the server's log, what it
    caught is told.

    Why: the query that made last night slow is known only when it was written down.
    Bad: the default of -1, which logs none; on for the server and off for the role of the service.
    Remedy: ALTER SYSTEM SET log_min_duration_statement = '500ms'; SELECT pg_reload_conf(). ALTER
    ROLE ... RESET log_min_duration_statement for those set apart.
    """
    expected = f"queries over {criteria.max_threshold_ms:g} ms are logged, for every role"
    known = {r["name"]: r["setting"] for r in log.records if r["kind"] == "setting"}
    if "log_min_duration_statement" not in known:
        said = "the server does not tell its settings to this role; grant it pg_read_all_settings"
        return not_measured(Reason.NOT_PERMITTED, expected, said)
    ways = {
        name: float(known[name])
        for name in ("log_min_duration_statement", "auto_explain.log_min_duration")
        if name in known
    }
    if float(known.get("log_statement_sample_rate", 0)) > 0:
        ways["log_min_duration_sample"] = float(known.get("log_min_duration_sample", -1))
    good = {name: ms for name, ms in ways.items() if 0 <= ms <= criteria.max_threshold_ms}
    offenders: list[dict[str, Any]] = []
    if not good:
        said = ", ".join(f"{name} is {ms:g}" for name, ms in ways.items())
        offenders.append({"setting": "log_min_duration_statement", "problem": said})
    for row in (r for r in log.records if r["kind"] == "override"):
        name, _, value = row["setting"].partition("=")
        ms = milliseconds(value)
        if name in good and not 0 <= ms <= criteria.max_threshold_ms:
            whom = " in ".join(part for part in (row["role"], row["database"]) if part) or "all"
            offenders.append({"setting": name, "problem": f"{name} is {value} for {whom}"})
    caught = log.facts["log"]
    told = f"; {caught['durations']} caught in {caught['lines']:,} lines" if caught["files"] else ""
    if caught["slowest_ms"]:
        told += f", the slowest {caught['slowest_ms'][0]:,.0f} ms"
    return verdict_of(
        offenders,
        samples=len(log.records),
        expected=expected,
        passed=", ".join(f"{name} is {ms:g} ms" for name, ms in good.items()) + told,
        failed="; ".join(o["problem"] for o in offenders) + told,
    )


def milliseconds(value: str) -> float:
    """A duration as PostgreSQL's settings write it: ``500``, ``'500ms'``, ``2s``; -1 is off."""
    found = re.fullmatch(r"\s*'?(-?\d+(?:\.\d+)?)\s*(us|ms|s|min|h)?'?\s*", value)
    return float(found[1]) * UNITS[found[2] or ""] if found else -1.0
