"""Playwright's JSON report."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from . import Case, Report, Unreadable, moment

FORM = "Playwright JSON"
SEPARATOR = " › "  # as Playwright itself prints a test's place


def read(content: bytes) -> Report:
    """A Playwright JSON report; raises Unreadable when it is none."""
    try:
        raw = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("suites"), list):
        raise Unreadable("JSON, but without the suites of a Playwright report")
    started = _mapping(raw.get("stats")).get("startTime")
    broken = [
        Case(f"(outside of any test) {n}", "error")
        for n, _ in enumerate(_list(raw.get("errors")), 1)
    ]
    return Report(
        FORM,
        [*broken, *(case for suite in raw["suites"] for case in _cases(_mapping(suite), []))],
        commit=_commit(_mapping(_mapping(raw.get("config")).get("metadata"))),
        started=moment(str(started)),
    )


def _cases(suite: Mapping[str, Any], above: list[str]) -> Iterator[Case]:
    place = [*above, str(suite.get("title") or "")]
    for spec in map(_mapping, _list(suite.get("specs"))):
        name = SEPARATOR.join(part for part in [*place, str(spec.get("title") or "")] if part)
        for test in map(_mapping, _list(spec.get("tests"))):
            project = test.get("projectName")
            yield _case(f"{name} [{project}]" if project else name, test)
    for inner in map(_mapping, _list(suite.get("suites"))):
        yield from _cases(inner, place)


def _case(name: str, test: Mapping[str, Any]) -> Case:
    """One test in one browser; ``test.fail()`` in the code makes a failure expected, not a pass."""
    results = [str(_mapping(r).get("status")) for r in _list(test.get("results"))]
    seconds = sum(_number(_mapping(r).get("duration")) for r in _list(test.get("results"))) / 1000
    status, last = test.get("status"), results[-1] if results else "skipped"
    if status == "skipped" or last == "skipped":
        outcome = "skipped"
    elif status == "expected" and test.get("expectedStatus", "passed") != "passed":
        outcome = "expected failure"
    elif status in ("expected", "flaky") and last == "passed":
        outcome = "flaky" if set(results) - {"passed"} else "passed"
    else:
        outcome = "failed"
    return Case(name, outcome, round(seconds, 3), len(results))


def _commit(metadata: Mapping[str, Any]) -> str | None:
    """``commit`` of the project's own, gitCommit.hash (Playwright 1.50 on) or revision.id."""
    found = [
        metadata.get("commit"),
        _mapping(metadata.get("gitCommit")).get("hash"),
        metadata.get("revision.id"),
        _mapping(metadata.get("ci")).get("commitHash"),
    ]
    return next((str(one) for one in found if one), None)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
