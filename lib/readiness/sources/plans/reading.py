"""What an execution plan says: where it reads too much, guesses wrong, spills, or loops.

A plan is EXPLAIN's JSON (PostgreSQL docs, "Using EXPLAIN"). Figures of a node are per loop there;
here they are for all loops together.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

MISESTIMATE = 10.0  # times too many or too few
ENOUGH_ROWS = 100  # below it a wrong guess costs nothing
SELECTIVE = 0.1  # of a table's rows: an index would have found them
MANY_LOOPS = 10_000


@dataclass(frozen=True)
class Node:
    plan: dict[str, Any]
    depth: int

    @property
    def kind(self) -> str:
        return str(self.plan.get("Node Type", "?"))

    @property
    def table(self) -> str:
        schema, name = self.plan.get("Schema"), self.plan.get("Relation Name")
        return f"{schema}.{name}" if schema and name else str(name or "")

    @property
    def loops(self) -> float:
        return float(self.plan.get("Actual Loops", 1))

    @property
    def rows(self) -> float | None:
        """Rows that came out, in all loops; None when the plan was not executed."""
        actual = self.plan.get("Actual Rows")
        return None if actual is None else float(actual) * self.loops

    @property
    def guessed(self) -> float:
        return float(self.plan.get("Plan Rows", 0)) * self.loops

    @property
    def removed(self) -> float:
        """Rows that were read and thrown away by a filter."""
        return float(self.plan.get("Rows Removed by Filter", 0)) * self.loops

    @property
    def ms(self) -> float | None:
        """Time in this node and all below it."""
        took = self.plan.get("Actual Total Time")
        return None if took is None else float(took) * self.loops


def nodes(plan: dict[str, Any], depth: int = 0) -> Iterator[Node]:
    """Every node of a plan, each before those below it."""
    yield Node(plan, depth)
    for below in plan.get("Plans", []):
        yield from nodes(below, depth + 1)


def remarks(plan: dict[str, Any], sizes: dict[str, float], large: int) -> list[dict[str, Any]]:
    """What is wrong with a plan: kind, table, what was seen, and what would help.

    ``sizes`` are rows of tables by ``schema.table``; a table is large from ``large`` rows on.
    """
    found = []
    for node in nodes(plan):
        for kind, seen, remedy in _of_node(node, sizes, large):
            found.append(
                {
                    "kind": kind,
                    "table": node.table,
                    "node": node.kind,
                    "seen": seen,
                    "remedy": remedy,
                    "columns": filtered_columns(node.plan.get("Filter", "")),
                    "ms": node.ms,
                }
            )
    return found


def _of_node(node: Node, sizes: dict[str, float], large: int) -> Iterator[tuple[str, str, str]]:
    plan, size = node.plan, sizes.get(node.table, 0)
    if node.kind in ("Seq Scan", "Parallel Seq Scan") and plan.get("Filter") and size >= large:
        out = node.rows if node.rows is not None else node.guessed
        read = size * max(1.0, node.loops / (1 + int(plan.get("Workers Launched", 0) or 0)))
        if out <= SELECTIVE * read:
            yield (
                "sequential scan",
                f"reads all {size:,.0f} rows of {node.table} for {out:,.0f} of them",
                "an index on the filtered columns, below",
            )
    rows = node.rows
    if rows is not None and max(rows, node.guessed) >= ENOUGH_ROWS:
        ratio = max(rows, 1.0) / max(node.guessed, 1.0)
        if ratio >= MISESTIMATE or ratio <= 1 / MISESTIMATE:
            yield (
                "misestimate",
                f"{node.kind} {node.table} gave {rows:,.0f} rows instead of {node.guessed:,.0f}",
                "ANALYZE the table; extended statistics where columns depend on one another",
            )
    if plan.get("Sort Space Type") == "Disk":
        yield (
            "spill",
            f"sorts {plan.get('Sort Space Used', 0):,} kB on disk",
            "an index in the order wanted, a smaller result, or more work_mem",
        )
    if int(plan.get("Hash Batches", 1) or 1) > 1:
        yield (
            "spill",
            f"hashes in {plan['Hash Batches']} batches on disk",
            "a smaller inner side, or more work_mem",
        )
    if node.kind == "Nested Loop" and len(plan.get("Plans", [])) == 2:
        inner = Node(plan["Plans"][1], node.depth + 1)
        if inner.rows is not None and inner.loops >= MANY_LOOPS:
            yield (
                "nested loop",
                f"looks {inner.loops:,.0f} times into {inner.table or inner.kind}",
                "statistics that let the planner choose a hash join; fewer rows before the join",
            )


NAME = r'"?[a-zA-Z_\u0080-\uffff][\w\u0080-\uffff$]*"?'
CONDITION = re.compile(  # a column, in brackets where it is cast; not the argument of a function
    rf"(?<![\w$\"])(?:\((?P<cast>{NAME})\)|(?P<bare>{NAME}))"
    r"(?:::[\w ]+(?:\(\d+\))?)?\s*(?P<how>=|<>|>=|<=|>|<|~~\*?|IS)\s"
)


def filtered_columns(condition: str) -> list[str]:
    """The columns that a filter compares, in the order in which an index would want them:
    those for equality first."""
    found = {
        (match["cast"] or match["bare"]).strip('"'): match["how"]
        for match in CONDITION.finditer(condition)
    }
    return sorted(found, key=lambda column: found[column] != "=")


def tree(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """A plan as rows: an indented node, its table, rows expected and found, time."""
    return [
        {
            "node": "  " * node.depth + ("→ " if node.depth else "") + node.kind,
            "table": node.plan.get("Relation Name") or node.plan.get("Index Name") or "",
            "expected": node.guessed,
            "found": node.rows,
            "ms": None if node.ms is None else round(node.ms, 3),
            "condition": node.plan.get("Index Cond") or node.plan.get("Filter") or "",
        }
        for node in nodes(plan)
    ]
