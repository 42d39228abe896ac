"""JUnit XML, the form most test runners can write, read with junitparser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

from . import Case, Report, Unreadable, is_commit_name, moment

FORM = "JUnit XML"
DEEPEST = 60  # elements; suites may nest
EXPECTED_FAILURE = "pytest.xfail"  # the type that pytest gives to a skipped element


def read(content: bytes) -> Report:
    """A JUnit XML report; raises Unreadable when it is none, is broken, or is a trap."""
    _refuse_traps(content)
    from junitparser import JUnitXmlError, Properties, xunit2

    try:
        xml = xunit2.JUnitXml.fromstring(content)
    except JUnitXmlError:
        raise Unreadable("XML, but neither testsuites nor testsuite") from None
    suites = list(_suites(xml))
    loose = xml.iterchildren(xunit2.TestCase)  # type: ignore[no-untyped-call]
    cases = [*loose, *(case for suite in xml for case in suite)]
    properties = [p for level in (xml, *suites) for p in level.child(Properties) or []]
    commits = {str(p.value).strip() for p in properties if is_commit_name(str(p.name))}
    times = [moment(str(suite.timestamp)) for suite in suites]
    return Report(
        FORM,
        [_case(case) for case in cases],
        commit=" and ".join(sorted(commits)) or None,
        started=min(filter(None, times), default=None),
        lost=_lost(suites),
    )


def _refuse_traps(content: bytes) -> None:
    """Raise Unreadable for a document type, which reports have no use for and attacks do.

    Without one there are no entities, so nothing can expand or be fetched.
    """
    depth = 0

    def declared(*_: Any) -> None:
        raise Unreadable("it declares a document type, which is not read")

    def opened(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise Unreadable(f"elements stand more than {DEEPEST} deep")

    def closed(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = declared
    parser.StartElementHandler, parser.EndElementHandler = opened, closed
    try:
        parser.Parse(content, True)
    except expat.ExpatError as broke:
        raise Unreadable(f"no XML: {expat.ErrorString(broke.code)}, line {broke.lineno}") from None


def _suites(parent: Any) -> Iterator[Any]:
    """Every suite, at any depth."""
    for suite in parent.testsuites() if hasattr(parent, "testsuites") else parent:
        yield suite
        yield from _suites(suite)


def _case(case: Any) -> Case:
    kinds = {type(result).__name__ for result in case.result}
    if "Error" in kinds:
        outcome = "error"
    elif "Failure" in kinds:
        outcome = "failed"
    elif "Skipped" in kinds:
        expected = any(result.type == EXPECTED_FAILURE for result in case.result)
        outcome = "expected failure" if expected else "skipped"
    else:
        outcome = "flaky" if case.is_flaky else "passed"
    name = "::".join(part for part in (case.classname, case.name) if part)
    return Case(name or "(without a name)", outcome, _seconds(case), 1 + len(case.interim_result))


def _seconds(case: Any) -> float:
    try:
        return float(case.time or 0)
    except ValueError:
        return 0.0


def _lost(suites: list[Any]) -> str | None:
    """How a report holds less than its own totals say: it was cut off, or a suite broke down."""
    for suite in suites:
        cases = [_case(case) for case in suite]
        bad = sum(case.outcome in ("error", "failed") for case in cases)
        tests, failed = _total(suite, "tests"), _total(suite, "failures") + _total(suite, "errors")
        if tests > len(cases):
            return f"announces {tests} tests and holds {len(cases)}"
        if failed > bad:
            return f"announces {failed} failures and holds {bad}"
    return None


def _total(suite: Any, name: str) -> int:
    try:
        return int(getattr(suite, name) or 0)
    except ValueError:
        return 0
