"""Whether slow queries are written down, for whom not, and what was caught."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import psycopg

from ..evidence import Collected, Evidence, source
from ..target import Target, need
from .database import session

SETTINGS = (
    "log_min_duration_statement",
    "log_min_duration_sample",
    "log_statement_sample_rate",
    "log_transaction_sample_rate",
    "log_lock_waits",
    "log_temp_files",
    "log_autovacuum_min_duration",
    "log_destination",
    "logging_collector",
    "auto_explain.log_min_duration",
    "shared_preload_libraries",
    "track_io_timing",
)
# setting_of gives the value in the unit of the server's own (ms); -1 is off.
QUERY = "SELECT name, setting, source, unit FROM pg_settings WHERE name = ANY (%s::text[])"
OVERRIDES = """
SELECT coalesce(r.rolname::text, '') AS role, coalesce(d.datname::text, '') AS database, c.setting
FROM pg_db_role_setting s
CROSS JOIN LATERAL unnest(s.setconfig) c(setting)
LEFT JOIN pg_roles r ON r.oid = s.setrole
LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE (s.setdatabase = 0 OR d.datname = current_database())
  AND split_part(c.setting, '=', 1) IN ('log_min_duration_statement', 'log_min_duration_sample')
"""
DURATION = re.compile(r"duration: (?P<ms>\d+(?:\.\d+)?) ms")
MOST_LINES = 2_000_000
SLOWEST = 20


@source("passive")
def settings(target: Target) -> Collected:
    """The settings of slow-query logging, each override of them by role or database, and what the
    logs named in target.queries.logs hold."""
    need(target.database, "target.database")
    with session(target) as database:
        rows = database.rows(QUERY, (list(SETTINGS),))
        try:
            overrides = database.rows(OVERRIDES)
        except psycopg.Error:
            overrides = []
        version = database.facts["server_version"]
        own = database.facts["role"]
    records = [{"kind": "setting", **row} for row in rows]
    records += [{"kind": "override", **row} for row in overrides if row["role"] != own]
    facts: dict[str, Any] = {"log": _caught(target)}
    return Collected(records, facts, {"PostgreSQL": version})


def _caught(target: Target) -> dict[str, Any]:
    """How many durations the logs hold, and the longest of them; never a statement's text."""
    given = [Path(one.value()) for one in target.queries.logs]
    paths = [path for one in given for path in sorted(one.parent.glob(one.name))]
    lines, durations, problems = 0, [], []
    for path in paths:
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    lines += 1
                    if lines > MOST_LINES:
                        break
                    if found := DURATION.search(line[:10_000]):
                        durations.append(float(found["ms"]))
        except OSError as broke:
            problems.append(f"{path.name}: {broke.strerror}")
    return {
        "files": len(paths),
        "lines": lines,
        "cut": lines > MOST_LINES,
        "durations": len(durations),
        "slowest_ms": sorted(durations, reverse=True)[:SLOWEST],
        "problems": problems,
    }


def table(evidence: Evidence) -> Any:
    """A data frame: the settings, with what overrides them for whom."""
    import pandas as pd

    rows = []
    for row in evidence.records:
        if row["kind"] == "setting":
            rows.append(
                [row["name"], f"{row['setting']} {row['unit'] or ''}".strip(), row["source"]]
            )
        else:
            name, _, value = row["setting"].partition("=")
            whom = " in ".join(part for part in (row["role"], row["database"]) if part)
            rows.append([name, value, f"for {whom or 'all'}"])
    return pd.DataFrame(rows, columns=["setting", "value", "set by"])
