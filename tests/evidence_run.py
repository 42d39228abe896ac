"""A run folder made of evidence that was collected already, without notebooks in between."""

from __future__ import annotations

import hashlib
from pathlib import Path

import sample_run
from readiness.check import catalogue, criteria_for
from readiness.finding import EvidenceFile, Finding, now
from readiness.offenders import offender_ids
from readiness.parameters import Parameters


def finding_of(folder: Path, identifier: str, evidence: list, criteria: dict) -> Finding:
    """Judge evidence and keep it in ``folder`` as the audit does."""
    check = catalogue()[identifier]
    held = criteria_for(check, criteria, "criteria")
    said = check.assess(evidence, held)
    kept = []
    for name, one in zip(check.inputs, evidence, strict=True):
        path, content = f"evidence/{identifier}/{name}.json", one.to_json().encode()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        kept.append(EvidenceFile(path=path, sha256=hashlib.sha256(content).hexdigest()))
    return Finding(
        check=identifier,
        area=check.area,
        title=check.title,
        severity=said.severity or check.severity,
        status=said.status,
        reason=said.reason,
        strength=said.strength or check.strength,
        expected=said.expected,
        observed=said.observed,
        samples=said.samples,
        offenders=list(said.offenders)[:20],
        offenders_total=len(said.offenders),
        offender_ids=offender_ids(said.offenders),
        evidence=kept,
        criteria=held.model_dump(mode="json"),
        measured_at=now(),
    )


def write(folder: Path, evidence: dict, parameters: Parameters, only: set[str] = frozenset()):
    """A run of the checks whose sources' evidence (name -> evidence) is given; returns it."""
    findings = [
        finding_of(folder, i, [evidence[s.name] for s in check.sources], parameters.criteria)
        for i, check in catalogue().items()
        if all(s.name in evidence for s in check.sources) and (not only or i in only)
    ]
    return sample_run.write(folder, findings)
