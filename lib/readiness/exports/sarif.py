"""SARIF 2.1.0 (OASIS): passes and unknowns too, waivers suppress, changes have a baselineState."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..finding import Finding, Severity, Status
from ..record import Record
from . import Export, each, printable

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}
KINDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.NOT_APPLICABLE: "notApplicable",
    Status.NOT_MEASURED: "open",
    Status.ERROR: "open",
}


def export(record: Record, previous: Record | None = None) -> Export:
    """One run with one result for each finding."""
    before = {f.check: f for f in previous.findings} if previous else None
    made, dropped = each(record.findings, lambda f: _checked(_rule(f), _result(f, before)))
    present = {finding.check for finding in record.findings}
    gone = [f for f in (previous.findings if previous else ()) if f.check not in present]
    lost, unsaid = each(gone, lambda f: _checked(_rule(f), _result(f, None, "absent")))
    made, dropped = made + lost, dropped + unsaid
    run = {
        "tool": {
            "driver": {
                "name": "readiness",
                "version": record.tool.version,
                "rules": [rule for _, (rule, _) in made],
            }
        },
        "automationDetails": {"id": f"readiness/{record.environment}/{record.run}"},
        "invocations": [
            {
                "executionSuccessful": not any(n.problem for n in record.notebooks),
                "startTimeUtc": record.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "endTimeUtc": record.finished.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        ],
        "results": [result for _, (_, result) in made],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return Export((json.dumps(document, indent=1) + "\n").encode(), dropped)


def _rule(finding: Finding) -> dict[str, Any]:
    text = " ".join(t for t in (finding.why, finding.remedy) if t) or finding.title
    return {
        "id": finding.check,
        "shortDescription": {"text": printable(finding.title)},
        "fullDescription": {"text": printable(text)},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
        "properties": {"area": finding.area, "references": finding.references},
    }


def _checked(*parts: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """The parts of a finding, known to be JSON before they join the others."""
    json.dumps(parts)
    return parts


def _result(finding: Finding, before: dict[str, Finding] | None, state: str = "") -> dict[str, Any]:
    failed = finding.status is Status.FAIL
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "kind": KINDS[finding.status],
        "level": LEVELS[finding.severity] if failed else "none",
        "message": {"text": printable(finding.observed) or finding.title},
        "partialFingerprints": {"check/v1": finding.check, "offenders/v1": _offenders(finding)},
        "properties": {
            "status": finding.status,
            "reason": finding.reason,
            "samples": finding.samples,
        },
        "locations": [
            {
                # Code scanning services show no result without a line.
                "physicalLocation": {
                    "artifactLocation": {"uri": e.path},
                    "region": {"startLine": 1},
                },
                "message": {"text": f"evidence, SHA-256 {e.sha256}"},
            }
            for e in finding.evidence[:1]
        ],
    }
    if finding.waiver:
        result["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": printable(finding.waiver)}
        ]
    if state or before is not None:
        result["baselineState"] = state or _change(finding, (before or {}).get(finding.check))
    return result


def _offenders(finding: Finding) -> str:
    """A digest of who is at fault, the same in every run that finds the same places."""
    return hashlib.sha256(" ".join(finding.offender_ids).encode()).hexdigest()[:16]


def _change(finding: Finding, before: Finding | None) -> str:
    if before is None:
        return "new"
    said = [(f.status, f.reason, _offenders(f)) for f in (finding, before)]
    same = said[0] == said[1]
    return "unchanged" if same else "updated"
