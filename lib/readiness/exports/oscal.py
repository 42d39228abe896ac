"""OSCAL 1.x assessment-results (NIST): an observation and a finding for each check.

The controls are those of policy's matrix, since a readiness policy names no catalogue of controls;
what is not measured is not satisfied, with its reason beside it.
"""

from __future__ import annotations

import uuid
from typing import Any

from trestle.oscal import OSCAL_VERSION
from trestle.oscal.assessment_results import Model
from trestle.oscal.common import Finding as OscalFinding
from trestle.oscal.common import Observation

from ..finding import Finding, Status, Strength
from ..record import Record
from . import Export, each, printable

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:readiness:oscal")
NS = "https://readiness.invalid/oscal"  # a name of ours (RFC 2606), not an address
METHODS = {
    Strength.MEASURED: "TEST",
    Strength.CONFIGURED: "EXAMINE",
    Strength.DECLARED: "INTERVIEW",
}


def export(record: Record, previous: Record | None = None) -> Export:
    """One result; ids are made from the run's name, so the same run gives the same document."""
    run = f"{record.environment}/{record.run}"
    made, dropped = each(record.findings, lambda f: _pair(run, f))
    controls = [{"control-id": finding.check.lower()} for finding, _ in made]
    chosen: dict[str, Any] = {"include-controls": controls} if made else {"include-all": {}}
    title = f"Production readiness of {_text(record.target.name)}"
    result: dict[str, Any] = {
        "uuid": _uuid(run, "result"),
        "title": title,
        "description": f"Run {run}: staging {record.decision.staging}, "
        f"production {record.decision.production}",
        "start": record.started.isoformat(),
        "end": record.finished.isoformat(),
        "props": [_property("environment", record.environment), _property("stage", record.stage)],
        "reviewed-controls": {"control-selections": [chosen]},
    }
    if made:
        result["observations"] = [observation for _, (observation, _) in made]
        result["findings"] = [finding for _, (_, finding) in made]
    document = {
        "uuid": _uuid(run, "document"),
        "metadata": {
            "title": title,
            "last-modified": record.finished.isoformat(),
            "version": record.run,
            "oscal-version": OSCAL_VERSION,
        },
        "import-ap": {"href": "params/policy.yaml"},
        "results": [result],
    }
    model = Model.parse_obj({"assessment-results": document})
    text: str = model.json(exclude_none=True, by_alias=True, indent=1, ensure_ascii=False)
    return Export(f"{text}\n".encode(), dropped)


def _pair(run: str, finding: Finding) -> tuple[dict[str, Any], dict[str, Any]]:
    """A check's observation and finding; raises ValueError when OSCAL cannot hold them."""
    title, observed = _text(finding.title), _text(finding.observed)
    observation: dict[str, Any] = {
        "uuid": _uuid(run, finding.check, "observation"),
        "title": title,
        "description": observed,
        "methods": [METHODS[finding.strength]],
        "props": _properties(finding),
        "collected": finding.measured_at.isoformat(),
    }
    if finding.evidence:
        observation["relevant-evidence"] = [
            {"href": e.path, "description": f"SHA-256 {e.sha256}"} for e in finding.evidence
        ]
    satisfied = finding.status in (Status.PASS, Status.NOT_APPLICABLE)
    made = {
        "uuid": _uuid(run, finding.check, "finding"),
        "title": title,
        "description": _text(finding.why or finding.title),
        "target": {
            "type": "objective-id",
            "target-id": finding.check.lower(),
            "status": {
                "state": "satisfied" if satisfied else "not-satisfied",
                "reason": _REASONS.get(finding.status, "other"),
                "remarks": observed,
            },
        },
        "related-observations": [{"observation-uuid": observation["uuid"]}],
    }
    Observation.parse_obj(observation)
    OscalFinding.parse_obj(made)
    return observation, made


_REASONS = {Status.PASS: "pass", Status.FAIL: "fail"}


def _properties(finding: Finding) -> list[dict[str, str]]:
    said = {
        "status": finding.status,
        "reason": finding.reason,
        "severity": finding.severity,
        "strength": finding.strength,
        "waiver": finding.waiver,
        "carried-over": finding.carried_over,
    }
    return [_property(name, value) for name, value in said.items() if value]


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": name, "ns": NS, "value": _text(value)}


def _text(text: str) -> str:
    """Text as OSCAL's string datatype wants it: on one line, not empty, not begun by a space."""
    return " ".join(printable(text).split()) or "nothing said"


def _uuid(*parts: str) -> str:
    """A version 4 UUID, which OSCAL asks for, made from what it names."""
    return str(uuid.UUID(bytes=uuid.uuid5(NAMESPACE, "/".join(parts)).bytes, version=4))
