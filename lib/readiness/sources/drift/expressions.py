"""Expressions as PostgreSQL writes them back, brought to one form to be compared by meaning.

What it adds by itself (casts to the column's type, parentheses) is taken away; columns of another
type are told of as such, and must not make every check and index on them differ, too.
"""

from __future__ import annotations

import re
from functools import lru_cache

Node = str | list["Node"]

QUOTED = re.compile(r"""('(?:[^']|'')*'|"[^"]*")""")
TYPE = r"(?:[\w.]+|\"[^\"]+\")(?: (?:varying|precision))?(?:\(\d+(?:,\d+)?\))?"
CAST = re.compile(rf"::{TYPE}(?: with(?:out)? time zone)?(?:\[\])*")
SAME = {
    "current_timestamp": "now()",
    "transaction_timestamp()": "now()",
    "localtimestamp": "now()",
    "uuid_generate_v4()": "gen_random_uuid()",
}
SCHEMA = re.compile(r"^(public|pg_catalog|extensions)\.")


def same_default(one: str | None, other: str | None) -> bool:
    """Whether two defaults give the same value: ``'0'::numeric`` and ``0`` do."""
    if one is None or other is None:
        return one is other
    return _value(one) == _value(other)


def _value(expression: str) -> str:
    text = plain(expression)
    if QUOTED.fullmatch(text) and text.startswith("'"):
        return text[1:-1]
    bare = SCHEMA.sub("", text if "'" in text else text.lower())
    return SAME.get(bare, bare)


@lru_cache(maxsize=50_000)  # a schema repeats itself: btree (id), now(), ...
def plain(expression: str) -> str:
    """``expression`` without casts and without parentheses that change nothing."""
    parts = QUOTED.split(expression)
    # Quoted parts are set aside: a cast or a parenthesis in a text is just text.
    kept = [part for n, part in enumerate(parts) if n % 2]
    bare = "".join(f" \0{n // 2}\0 " if n % 2 else part for n, part in enumerate(parts))
    tree = _tree(CAST.sub("", re.sub(r"(\0) (::)", r"\1\2", bare)))
    text = " ".join(_written(tree).split())
    return re.sub(r" ?\0(\d+)\0 ?", lambda m: kept[int(m[1])], text)


def same_view(one: str, other: str) -> bool:
    """Whether two view definitions say the same; versions qualify column names differently."""

    def bare(text: str) -> str:
        return re.sub(r"\b\w+\.(?=\w)", "", plain(text))

    return bare(one) == bare(other)


def _tree(text: str) -> list[Node]:
    """Nested lists for nested parentheses."""
    root: list[Node] = []
    stack = [root]
    for part in re.split(r"([()])", text):
        if part == "(":
            inner: list[Node] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif part == ")" and len(stack) > 1:
            stack.pop()
        elif part.strip():
            stack[-1].append(part)
    return root


def _written(nodes: list[Node]) -> str:
    written = ""
    for node in nodes:
        if isinstance(node, str):
            written += node
            continue
        inner = _written(node).strip()
        alone = len(node) == 1 and (
            isinstance(node[0], list) or re.fullmatch(r"\s*(\w+|\0\d+\0)\s*", node[0])
        )
        called = re.search(r"[\w\"]\s*$", written) and not re.search(
            r"(?i)\b(and|or|not|check|where|any|all|in|then|else|when|as)\s*$", written
        )
        written += inner if alone and not called else f"({inner})"
    return written
