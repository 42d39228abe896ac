"""Test reports: every test of a suite, with its outcome, and whose reports they are."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Reports, Target, need
from .testreports import OUTCOMES, Report, Unreadable, junit, playwright

LARGEST_FILE = 100_000_000  # bytes
MOST_FILES = 1_000


@source("passive")
def unit(target: Target) -> Collected:
    """One row for each unit test."""
    return _collect(target, "unit")


@source("passive")
def integration(target: Target) -> Collected:
    """One row for each integration test."""
    return _collect(target, "integration")


@source("passive")
def e2e(target: Target) -> Collected:
    """One row for each end-to-end test."""
    return _collect(target, "e2e")


def _collect(target: Target, suite: Literal["unit", "integration", "e2e"]) -> Collected:
    reports = need(target.reports, "target.reports")
    patterns = need(getattr(reports, suite), f"target.reports.{suite}")
    folder = Path(reports.path.value())
    commit = reports.commit or target.commit
    beside = _commit_beside(reports, folder)
    tests: dict[str, dict[str, Any]] = {}
    files = []
    for path in _files(folder, patterns, suite):
        name = path.relative_to(folder).as_posix()
        row: dict[str, Any] = {"file": name, "unreadable": None}
        try:
            report = _read(path)
        except Unreadable as broke:
            files.append(row | {"unreadable": str(broke)})
            continue
        files.append(row | _said_of(report, path, beside))
        for case in report.cases:
            known = tests.get(case.test)
            new = {"test": case.test, "outcome": case.outcome, "seconds": round(case.seconds, 3)}
            new |= {"attempts": case.attempts, "file": name}
            if known:
                new["attempts"] += known["attempts"]
                if OUTCOMES.index(known["outcome"]) < OUTCOMES.index(case.outcome):
                    new["outcome"] = known["outcome"]
            tests[case.test] = new
    facts = {
        "suite": suite,
        "files": files,
        "commit": commit.value() if commit else None,
        "max_age_hours": reports.max_age_hours,
        "min_tests": max(1, reports.min_tests.get(suite, 1)),
        "expected_failures": [e.model_dump(mode="json") for e in reports.expected_failures],
    }
    return Collected(list(tests.values()), facts, {"junitparser": version("junitparser")})


def _files(folder: Path, patterns: list[str], suite: str) -> list[Path]:
    """The files that the patterns name; raises NotMeasured when one names nothing."""
    if not folder.is_dir():
        raise NotMeasured(Reason.UNREACHABLE, "target.reports.path is not a folder")
    found: dict[Path, None] = {}
    for pattern in patterns:
        if pattern.startswith("/") or ".." in Path(pattern).parts:
            raise NotMeasured(
                Reason.NO_PARAMETER,
                f"target.reports.{suite}: {pattern} must lie below target.reports.path",
            )
        paths = [path for path in sorted(folder.glob(pattern)) if path.is_file()]
        if not paths:
            raise NotMeasured(
                Reason.UNREACHABLE,
                f"no report matches {pattern} (target.reports.{suite}): run the suite and keep "
                "its JUnit XML or Playwright JSON",
            )
        found |= dict.fromkeys(paths)
    if len(found) > MOST_FILES:
        raise NotMeasured(Reason.INCONCLUSIVE, f"more than {MOST_FILES:,} reports match")
    return list(found)


def _read(path: Path) -> Report:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise Unreadable(f"larger than {LARGEST_FILE:,} bytes")
        content = path.read_bytes()
    except OSError as broke:
        raise Unreadable(f"cannot be read: {broke.strerror}") from None
    if not content.strip():
        raise Unreadable("empty file")
    json = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    return playwright.read(content) if json else junit.read(content)


def _commit_beside(reports: Reports, folder: Path) -> str | None:
    if not reports.commit_file:
        return None
    try:
        return (folder / reports.commit_file).read_text(encoding="utf-8").split()[0][:64]
    except (OSError, ValueError, IndexError):
        raise NotMeasured(
            Reason.UNREACHABLE, "target.reports.commit_file cannot be read or is empty"
        ) from None


def _said_of(report: Report, path: Path, beside: str | None) -> dict[str, Any]:
    """What a report says about itself; where it has no date, its file's is taken."""
    dated = report.started or datetime.fromtimestamp(path.stat().st_mtime, UTC)
    age = (datetime.now(UTC) - dated).total_seconds() / 3600
    return {
        "form": report.form,
        "tests": len(report.cases),
        "commit": report.commit or beside,
        "dated": dated.isoformat(timespec="seconds"),
        "dated_by": "report" if report.started else "file",
        "age_hours": round(age, 2),
        "lost": report.lost,
    }


def files_table(reports: Evidence) -> Any:
    """A data frame: one row a report, with the commit and the age it claims."""
    import pandas as pd

    rows = [
        {
            "report": f["file"],
            "form": f.get("form", "—"),
            "tests": f.get("tests", 0),
            "commit": (f.get("commit") or "not said")[:12],
            "age (hours)": f.get("age_hours"),
            "dated by": f.get("dated_by", "—"),
            "wrong with it": f["unreadable"] or f.get("lost") or "—",
        }
        for f in reports.facts.get("files", [])
    ]
    columns = ["report", "form", "tests", "commit", "age (hours)", "dated by", "wrong with it"]
    return pd.DataFrame(rows, columns=columns)


def outcomes_table(*suites: Evidence) -> Any:
    """A data frame: one row a suite, one column an outcome."""
    import pandas as pd

    rows = []
    for suite in suites:
        outcomes = [record["outcome"] for record in suite.records]
        counts = {outcome: outcomes.count(outcome) for outcome in OUTCOMES}
        rows.append({"suite": _name(suite), "tests": len(outcomes), **counts})
    return pd.DataFrame(rows, columns=["suite", "tests", *OUTCOMES])


def outcomes_figure(*suites: Evidence) -> Any:
    """Tests of each suite by outcome, as a stacked bar, the worst first; None without any."""
    import plotly.graph_objects as go

    from ..report.look import TONES

    tones = {"error": "bad", "failed": "bad", "flaky": "caution", "passed": "good"}
    patterns = {"error": "x", "flaky": "/", "skipped": "."}
    figure = go.Figure()
    for outcome in OUTCOMES:
        counts = [sum(r["outcome"] == outcome for r in suite.records) for suite in suites]
        if any(counts):
            tone = TONES[tones.get(outcome, "unknown")]
            marker = {"color": tone, "pattern": {"shape": patterns.get(outcome, "")}}
            names = [_name(suite) for suite in suites]
            figure.add_trace(
                go.Bar(y=names, x=counts, name=outcome, orientation="h", marker=marker)
            )
    if not figure.data:
        return None
    figure.update_layout(
        barmode="stack", xaxis_title="tests", yaxis_title="suite", height=240, showlegend=True
    )
    figure.update_yaxes(autorange="reversed")
    return figure


def failures_table(*suites: Evidence) -> Any:
    """A data frame: the tests that failed, were flaky, or are expected to fail."""
    import pandas as pd

    rows = [
        {"suite": _name(suite), "test": r["test"], "outcome": r["outcome"]}
        for suite in suites
        for r in suite.records
        if r["outcome"] in ("error", "failed", "flaky", "expected failure")
    ]
    return pd.DataFrame(rows, columns=["suite", "test", "outcome"])


def declared_table(*suites: Evidence) -> Any:
    """A data frame: the failures that are declared, with reason and last day."""
    import pandas as pd

    rows = {
        (one["test"], one["reason"], one["expires"])
        for suite in suites
        for one in suite.facts.get("expected_failures", [])
    }
    return pd.DataFrame(sorted(rows), columns=["test", "reason", "valid until"])


def _name(suite: Evidence) -> str:
    return suite.source.rsplit(".", 1)[-1]
