"""JUnit XML: an area is a suite, a check a case; what was not measured is skipped, never passed."""

from __future__ import annotations

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from ..finding import AREAS, Finding, Status
from ..record import Record
from . import Export, each, printable


def export(record: Record, previous: Record | None = None) -> Export:
    """One test case for each finding; a waived failure stays a failure and says so."""
    document, dropped = JUnitXml("readiness"), []
    for area in AREAS:
        suite = TestSuite(f"{record.environment}.{area}")
        suite.timestamp = record.finished.isoformat()
        cases, lost = each((f for f in record.findings if f.area == area), _case)
        dropped += lost
        for _, case in cases:
            suite.add_testcase(case)
        if cases:
            document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    document._elem.attrib.pop("skipped", None)  # which Jenkins' schema knows of a suite only
    return Export(document.tostring(), dropped)  # type: ignore[no-untyped-call]


def _case(finding: Finding) -> TestCase:
    case = TestCase(finding.check, classname=f"readiness.{finding.area}", time=finding.duration_s)
    said = printable(finding.observed)
    if finding.status is Status.FAIL:
        waived = f"waived: {finding.waiver}. " if finding.waiver else ""
        case.result = [Failure(printable(waived) + said, finding.severity.value)]
    elif finding.status is Status.ERROR:
        case.result = [Error(said, "error")]
    elif finding.status is not Status.PASS:
        case.result = [Skipped(f"{finding.reason or finding.status}: {said}")]
    return case
