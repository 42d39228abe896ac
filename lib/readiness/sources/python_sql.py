"""SQL put together from strings, found in the syntax tree of Python code.

What is looked for is a text that holds SQL and a part that is only known when the program runs:
an f-string, ``%``, ``+``, ``.format``, ``join``. It counts where it is handed to something that
runs SQL, directly or by way of a variable, and also where it only stands there: what runs it may
be in another file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

SQL = re.compile(
    r"(?is)\b(select\b.{1,400}?\bfrom|insert\s+into|update\s+\S+\s+set|delete\s+from|drop\s+\w+|"
    r"alter\s+\w+|create\s+(table|user|role|database)|grant\s+\w+|truncate\s|union\s+select|"
    r"where\s.{0,200}?(=|<|>|\blike|\bin\b)|order\s+by\s|\bset\s+role\b|exec(ute)?\s+\w+)"
)
# Calls that run what they are handed; their first argument is looked at even without a keyword.
RUNS = {
    "execute", "executemany", "executescript", "exec_driver_sql", "raw", "mogrify",
    "read_sql", "read_sql_query", "fetch", "fetchrow", "fetchval", "literal_column",
}  # fmt: skip
SAFE_MAKERS = {"SQL", "Identifier", "Literal", "Composed", "Placeholder"}  # psycopg.sql
BUILT = "SQL built from strings"
TELLS = {"debug", "info", "warning", "error", "critical", "exception", "log", "print", "warn"}


def built_sql(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and description of each text of SQL that is built at run time."""
    fixed = constants(tree)
    seen: set[int] = set()
    for scope in _scopes(tree):
        assigned = _assigned(scope)
        for node in _own(scope):
            for line, said in _in_node(node, assigned, fixed):
                if line not in seen:
                    seen.add(line)
                    yield line, said


def _in_node(
    node: ast.AST, assigned: dict[str, list[ast.expr]], constants: set[str]
) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Call) and (name := called(node)) in RUNS and node.args:
        for part in _reached(node.args[0], assigned):
            if how := _dynamic(part, constants):
                yield part.lineno, f"{BUILT} by {how}, run by {name}()"
    how = _dynamic(node, constants) if isinstance(node, ast.expr) else None
    if how and isinstance(node, ast.expr) and SQL.search(_constant_text(node)):
        yield node.lineno, f"{BUILT} by {how}"


def _reached(argument: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """The expressions an argument may be: itself, what a call wraps, what a variable holds."""
    if isinstance(argument, ast.Call) and called(argument) in RUNS | {"text", "TextClause"}:
        for inner in argument.args[:1]:
            yield from _reached(inner, assigned)
    elif isinstance(argument, ast.Name):
        yield from assigned.get(argument.id, [])
    elif isinstance(argument, ast.IfExp):
        yield from _reached(argument.body, assigned)
        yield from _reached(argument.orelse, assigned)
    else:
        yield argument


def _dynamic(node: ast.expr, constants: set[str]) -> str | None:
    """How a text is built from parts that are known at run time only; None when it is not."""

    def fixed(part: ast.AST) -> bool:
        return is_fixed(part, constants)

    if isinstance(node, ast.JoinedStr):
        return None if fixed(node) else "an f-string"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        text = _is_text(node.left) or (isinstance(node.op, ast.Add) and _is_text(node.right))
        mark = "+" if isinstance(node.op, ast.Add) else "%"
        return mark if text and not fixed(node) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "format" and _is_text(node.func.value):
            given = [*node.args, *(k.value for k in node.keywords)]
            return None if all(fixed(a) for a in given) else ".format()"
        if node.func.attr == "join" and _is_text(node.func.value):
            return None if all(fixed(a) for a in node.args) else "join()"
    return None


def is_fixed(part: ast.AST, constants: set[str]) -> bool:
    """Whether nothing of an expression is known at run time only."""
    if isinstance(part, ast.Constant):
        return True
    if isinstance(part, ast.Name):
        return part.id in constants
    if isinstance(part, ast.JoinedStr):
        values = (v.value if isinstance(v, ast.FormattedValue) else v for v in part.values)
        return all(is_fixed(value, constants) for value in values)
    if isinstance(part, ast.BinOp):
        return is_fixed(part.left, constants) and is_fixed(part.right, constants)
    return isinstance(part, ast.Tuple | ast.List) and all(is_fixed(e, constants) for e in part.elts)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr)


def _constant_text(node: ast.AST) -> str:
    parts = [
        n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    return " ".join(parts)


def called(node: ast.Call) -> str:
    func = node.func
    return func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")


def constants(tree: ast.AST) -> set[str]:
    """Names that are given a fixed text or number wherever they are bound: TABLE = "users"."""
    given: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            given |= {id(one) for one in targets if isinstance(node.value, ast.Constant)}
    found: dict[str, bool] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found[node.id] = found.get(node.id, True) and id(node) in given
        elif isinstance(node, ast.arg):
            found[node.arg] = False
    return {name for name, fixed in found.items() if fixed}


def _scopes(tree: ast.AST) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield node


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of functions within it; what docstrings say is skipped."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and (called(node) in SAFE_MAKERS or _composed(node)):
            continue
        if _tells(node):
            continue
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def _tells(node: ast.AST) -> bool:
    """Whether this is a message for people: a line of a log, an exception's text."""
    if isinstance(node, ast.Raise | ast.Assert):
        return True
    return isinstance(node, ast.Call) and called(node) in TELLS


def messages(tree: ast.AST) -> set[int]:
    """The lines on which messages for people stand: they may speak of selecting from something."""
    spans = [(n.lineno, n.end_lineno or n.lineno) for n in ast.walk(tree) if _tells(n)]  # type: ignore[attr-defined]
    return {line for first, last in spans for line in range(first, last + 1)}


def _composed(node: ast.Call) -> bool:
    """``sql.SQL("...").format(sql.Identifier(x))``: psycopg quotes what is filled in."""
    func: Any = node.func
    while isinstance(func, ast.Attribute):
        inner = func.value
        if isinstance(inner, ast.Call):
            if called(inner) in SAFE_MAKERS:
                return True
            func = inner.func
        else:
            return False
    return False


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What each variable of a scope is given, by = and by +=."""
    found: dict[str, list[ast.expr]] = {}
    for node in _own(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and node.value and isinstance(node.target, ast.Name):
            found.setdefault(node.target.id, []).append(node.value)
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            whole = ast.BinOp(ast.Constant("", None), node.op, node.value)
            found.setdefault(node.target.id, []).append(ast.copy_location(whole, node))
    return found
