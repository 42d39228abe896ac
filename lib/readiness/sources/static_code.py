"""What the code itself shows: SQL built from strings, and markup that goes out unescaped.

Python is read by its syntax tree, by bandit and by ruff (rules S), suppressing comments ignored;
front ends by patterns. Other languages are counted and not looked at.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Target, need
from .markup_sinks import FRONT_END, TEMPLATES, unescaped
from .program import run
from .python_sql import built_sql, messages
from .repository_files import Listing, allowed, listing

BANDIT = ("B608", "B610", "B611")  # SQL from strings; Django's extra and RawSQL
RUFF = ("S608", "S610", "S611")
MOST_IN_BANDIT = 3000  # files
RUFF_TIMEOUT_S = 120


@source("passive")
def queries(target: Target) -> Collected:
    """One row for each place where Python builds SQL from strings, with who found it.

    ``facts.languages`` counts the files of each language, ``facts.unread`` those Python files that
    do not parse.
    """
    repository = need(target.repository, "target.repository")
    listed = listing(target)
    paths = listed.code(repository)
    languages = listed.languages(paths)
    python = [path for path in paths if path.endswith(".py")]
    if not languages:
        raise NotMeasured(Reason.NO_SAMPLES, "the repository holds no code that is known here")
    found: dict[tuple[str, int], dict[str, Any]] = {}
    unread: list[str] = []
    missing: list[str] = []
    told: dict[str, set[int]] = {}
    for path in python:
        text = listed.text(path)
        try:
            tree = ast.parse(text or "")
            places, told[path] = list(built_sql(tree)), messages(tree)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            unread.append(path)
            continue
        for line, said in places:
            found[path, line] = {"file": path, "line": line, "problem": said, "by": ["syntax tree"]}
    for by, finder in (("bandit", _bandit), ("ruff", _ruff)):
        try:
            for path, line, said in finder(listed, python):
                if line in told.get(path, ()):
                    continue
                row = found.setdefault(
                    _near(found, path, line),
                    {"file": path, "line": line, "problem": said, "by": []},
                )
                row["by"].append(by)
        except NotMeasured as gap:
            missing.append(f"{by}: {gap}")
    allowances = [(a.rule, a.file) for a in repository.code_allowances]
    records = [
        row | {"allowed": allowed("sql", row["file"], allowances)}
        for row in sorted(found.values(), key=lambda r: (r["file"], r["line"]))
    ]
    facts = {
        "python_files": len(python) - len(unread),
        "languages": languages,
        "unread": unread,
        "without": missing,
        "cut": listed.cut,
    }
    return Collected(records, facts)


def _near(found: dict[tuple[str, int], dict[str, Any]], path: str, line: int) -> tuple[str, int]:
    """The place already found that this is: programs name the first or the last line of a text."""
    return next((k for k in found if k[0] == path and abs(k[1] - line) <= 3), (path, line))


def _bandit(listed: Listing, python: list[str]) -> Iterator[tuple[str, int, str]]:
    """bandit as a library: as a program it takes a second to start."""
    from bandit.core import config, manager

    if not python:
        return
    scan = manager.BanditManager(
        config.BanditConfig(), "file", ignore_nosec=True, profile={"include": list(BANDIT)}
    )
    scan.files_list = [str(listed.folder / path) for path in python[:MOST_IN_BANDIT]]
    scan.run_tests()
    for issue in scan.get_issue_list():
        path = Path(issue.fname).relative_to(listed.folder).as_posix()
        yield path, issue.lineno, f"{issue.test_id} {issue.text}"


def _ruff(listed: Listing, python: list[str]) -> Iterator[tuple[str, int, str]]:
    if not python:
        return
    own = Path(sys.executable).with_name("ruff")
    program = str(own) if own.is_file() else "ruff"
    with tempfile.TemporaryDirectory(prefix="readiness-ruff-") as folder:
        report = Path(folder, "report.json")
        names = Path(folder, "names")
        names.write_text("\n".join(str(listed.folder / path) for path in python), encoding="utf-8")
        command = [program, "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero"]
        command += ["--select", ",".join(RUFF), "--output-format", "json"]
        command += ["--output-file", str(report), f"@{names}"]
        done = run(command, environment={}, timeout_s=RUFF_TIMEOUT_S, folder=Path(folder))
        if done.returncode != 0:
            raise NotMeasured(Reason.INCONCLUSIVE, f"ruff ended with {done.returncode}")
        for one in json.loads(report.read_text(encoding="utf-8")):
            if one["code"] in RUFF:
                path = Path(one["filename"]).relative_to(listed.folder.resolve()).as_posix()
                yield path, one["location"]["row"], f"{one['code']} {one['message']}"


@source("passive")
def sinks(target: Target) -> Collected:
    """One row for each place where markup goes out unescaped, in front ends and in templates.

    ``sanitised`` says by what, where something makes it harmless first. Files that were built and
    minified are left out and counted.
    """
    repository = need(target.repository, "target.repository")
    listed = listing(target)
    paths = [p for p in listed.code(repository) if Path(p).suffix in (*FRONT_END, *TEMPLATES)]
    records: list[dict[str, Any]] = []
    read, minified, unread = 0, 0, 0
    allowances = [(a.rule, a.file) for a in repository.code_allowances]
    for path in paths:
        text = listed.text(path)
        if text is None:
            unread += 1
        elif re.search(r"[^\n]{5000}", text):
            minified += 1
        else:
            read += 1
            for line, sink, sanitised in unescaped(path, text):
                meant = allowed("xss", path, allowances)
                row = {"file": path, "line": line, "sink": sink, "sanitised": sanitised}
                records.append(row | {"allowed": meant})
    return Collected(records, {"files": read, "minified": minified, "unread": unread})


def queries_table(queries: Evidence) -> Any:
    """A data frame: one row a place where SQL is built from strings."""
    import pandas as pd

    rows = [{**r, "by": ", ".join(r["by"])} for r in queries.records]
    return pd.DataFrame(rows, columns=["file", "line", "problem", "by", "allowed"])


def sinks_table(sinks: Evidence) -> Any:
    """A data frame: one row a place where markup goes out unescaped."""
    import pandas as pd

    columns = ["file", "line", "sink", "sanitised", "allowed"]
    return pd.DataFrame(sinks.records, columns=columns)
