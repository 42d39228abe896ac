"""Calls that start programs or run data as code, in Python, and the gates they stand behind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Gate, Target, need
from .repository_files import Listing, allowed, listing

DANGEROUS = re.compile(
    r"^(subprocess\.(run|Popen|call|check_call|check_output|getoutput|getstatusoutput)|"
    r"os\.(system|popen|exec\w+|spawn\w+|posix_spawnp?)|pty\.spawn|commands\.\w+|"
    r"asyncio\.create_subprocess_(exec|shell)|\w*\.?subprocess_(exec|shell)|"
    r"eval|exec|compile|__import__|builtins\.(eval|exec|compile)|"
    r"(c?[Pp]ickle|dill|cloudpickle|marshal|shelve|joblib|jsonpickle)\.(loads?|open|decode|Unpickler)|"
    r"torch\.load|pandas\.read_pickle|pd\.read_pickle|numpy\.load|np\.load|"
    r"yaml\.(load|load_all|full_load|unsafe_load|unsafe_load_all)|sh\.\w+|pexpect\.(run|spawn))$"
)
SAFE_LOADERS = ("SafeLoader", "CSafeLoader", "BaseLoader")
OFF = ("", "0", "false", "no", "off", "none", "disabled")
_SETTING = (
    r"(?im)^\s*(?:-\s*|ENV\s+|ARG\s+|export\s+)?[\"']?{name}[\"']?\s*[:= ]\s*[\"']?([^\s\"',#}}]*)"
)
SETTINGS = re.compile(
    r"(^|/)\.env[^/]*$|(^|/)(docker-)?compose[^/]*\.ya?ml$|(^|/)(Dockerfile|Containerfile)[^/]*$|"
    r"\.(toml|ini|cfg|conf|service)$|(^|/)(k8s|deploy|helm|charts)/.*\.ya?ml$"
)


@source("passive")
def dangerous_calls(target: Target) -> Collected:
    """One row for each call, with the gate it stands behind, if any.

    ``facts.gates`` says for each gate where its value is set and to what.
    """
    repository = need(target.repository, "target.repository")
    listed = listing(target)
    paths = listed.code(repository)
    python = [path for path in paths if path.endswith(".py")]
    if not python:
        others = ", ".join(listed.languages(paths)) or "nothing known"
        raise NotMeasured(
            Reason.NO_SAMPLES, f"no Python to look at; the code is {others}, which is not read"
        )
    allowances = [(a.rule, a.file) for a in repository.code_allowances]
    records: list[dict[str, Any]] = []
    unread: list[str] = []
    for path in python:
        try:
            tree = ast.parse(listed.text(path) or "")
            gates = [g for g in repository.gates if any(fnmatch(path, f) for f in g.files)]
            for line, call, gate in _calls(tree, gates):
                row = {"file": path, "line": line, "call": call, "gate": gate}
                records.append(row | {"allowed": allowed("subprocess", path, allowances)})
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            unread.append(path)
    facts = {
        "python_files": len(python) - len(unread),
        "languages": listed.languages(paths),
        "unread": unread,
        "gates": [_value(listed, gate) for gate in repository.gates],
    }
    return Collected(records, facts)


def _calls(tree: ast.Module, gates: list[Gate]) -> Iterator[tuple[int, str, str | None]]:
    aliases = _aliases(tree)

    def visit(node: ast.AST, behind: str | None) -> Iterator[tuple[int, str, str | None]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            behind = behind or next((_named(d, gates) for d in node.decorator_list), None)
        if isinstance(node, ast.Call):
            name = _name(node.func, aliases)
            if DANGEROUS.match(name) and not _is_safe(name, node):
                yield node.lineno, name, behind
        for field, value in ast.iter_fields(node):
            children = value if isinstance(value, list) else [value]
            inner = behind
            if isinstance(node, ast.If | ast.IfExp) and field == "body" and not _negated(node.test):
                inner = behind or _named(node.test, gates)
            if isinstance(node, ast.If | ast.IfExp) and field == "orelse" and _negated(node.test):
                inner = behind or _named(node.test, gates)
            for child in children:
                if isinstance(child, ast.AST):
                    yield from visit(child, inner)
                    # `if not GATE: raise` lets nothing past that comes after it.
                    if isinstance(child, ast.If) and _negated(child.test) and _leaves(child.body):
                        inner = inner or _named(child.test, gates)

    yield from visit(tree, None)


def _negated(test: ast.AST) -> bool:
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _leaves(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _named(test: ast.AST, gates: list[Gate]) -> str | None:
    """The gate that an expression asks: as a name, an attribute, or a text such as getenv's."""
    said = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Name):
            said.add(node.id)
        elif isinstance(node, ast.Attribute):
            said.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said.add(node.value)
    lower = {one.lower() for one in said}
    return next((g.name for g in gates if g.name.lower() in lower), None)


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Names that imports gave: ``from subprocess import run as go`` makes go subprocess.run."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.split(".")[0]] = (
                    one.name if one.asname else (one.name.split(".")[0])
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                found[one.asname or one.name] = f"{node.module}.{one.name}"
    return found


def _name(func: ast.AST, aliases: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(func, ast.Attribute):
        parts.append(func.attr)
        func = func.value
    if not isinstance(func, ast.Name):
        return "." + ".".join(reversed(parts))
    return ".".join([aliases.get(func.id, func.id), *reversed(parts)])


def _is_safe(name: str, node: ast.Call) -> bool:
    if name.startswith("yaml."):
        loaders = [*node.args[1:], *(k.value for k in node.keywords if k.arg == "Loader")]
        return any(_name(one, {}).split(".")[-1] in SAFE_LOADERS for one in loaders)
    if name in ("numpy.load", "np.load"):
        return not any(k.arg == "allow_pickle" for k in node.keywords)
    return name == "compile" and not node.args


def _value(listed: Listing, gate: Gate) -> dict[str, Any]:
    """Where a gate's value is set, and whether that is off."""
    where: list[dict[str, Any]] = []
    if gate.value is not None:
        value = gate.value.value()
        where.append({"where": "parameters", "off": value.strip().lower() in OFF})
    pattern = re.compile(_SETTING.format(name=re.escape(gate.name)))
    for path in listed.paths:
        if SETTINGS.search(path) and (text := listed.text(path)):
            for match in pattern.finditer(text):
                value = re.sub(r"^\$\{[^:}]*(:-)?|\}$", "", match[1])
                where.append({"where": path, "off": value.strip().lower() in OFF})
    return {"gate": gate.name, "set": where}


def calls_table(calls: Evidence) -> Any:
    """A data frame: one row a call, and the gate it stands behind."""
    import pandas as pd

    columns = ["file", "line", "call", "gate", "allowed"]
    return pd.DataFrame(calls.records, columns=columns).fillna("none")
