"""What a notebook talks to: begin an audit, judge evidence, conclude.

audit = begin("security", environment, target, permit, criteria)
foreign = cors.answers(audit.target)          # collect
show(cors.cors_table(foreign))                # look
audit.judge(no_foreign_origin, foreign)       # judge
audit.conclude()                              # what the runner reads
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import policy as policies
from . import reference
from .calibration import calibrate
from .check import Check, catalogue, criteria_for, criteria_problems
from .documents import ParameterError
from .evidence import Evidence
from .finding import (
    AREAS,
    EvidenceFile,
    Finding,
    Judgement,
    Reason,
    Status,
    area_of,
    now,
)
from .offenders import offender_ids
from .parameters import Parameters, load, validated
from .report import display
from .target import Target
from .variables import redact

RESULT_TYPE = "application/vnd.readiness.findings+json"
FOLDER_VARIABLE = "READINESS_EVIDENCE"  # where a run keeps this notebook's evidence
PREVIOUS_VARIABLE = "READINESS_PREVIOUS"  # the environment's newest run before this one
SHOWN_OFFENDERS = 20  # in a finding; the evidence file has them all


class Audit:
    """One area of one environment under audit."""

    def __init__(self, area: str, parameters: Parameters, where: str) -> None:
        self.area = area
        self.environment = parameters.environment
        self.target: Target = parameters.target.answered_by(self._answers)
        self.findings: dict[str, Finding] = {}
        self._parameters = parameters
        self._where = where
        self._policy = policies.load()
        self._started = time.perf_counter()
        folder = os.environ.get(FOLDER_VARIABLE) or tempfile.mkdtemp(prefix="readiness-evidence-")
        self.folder = Path(folder)

    def judge(self, check: Check, *evidence: Evidence) -> display.Card:
        """Judge evidence for the record, after the check has proved itself on its specimens.

        Evidence must come from the check's own sources and be as it was collected; anything else
        is looked at with ``explore``. The finding is shown by the notebook as a card.
        """
        self._belongs(check, evidence)
        if not all(one.intact for one in evidence):
            raise ValueError(f"the evidence for {check.id} was changed after it was collected")
        finding = self._finding(check, evidence, {})
        self.findings[check.id] = finding
        return display.Card(finding)

    def explore(self, check: Check, *evidence: Evidence, **criteria: Any) -> display.Card:
        """Judge collected evidence with other criteria, to see what would come of it.

        The finding is marked exploratory and stays out of the record.
        """
        self._belongs(check, evidence)
        finding = self._finding(check, evidence, criteria)
        return display.Card(finding.model_copy(update={"exploratory": True}))

    def conclude(self) -> display.Conclusion:
        """Close the area: every check that policy expects has an answer, if only "no check yet"."""
        for identifier in self._policy.expected(self.area):
            if identifier not in self.findings:
                self.findings[identifier] = unanswered(identifier)
        ordered = [self.findings[i] for i in sorted(self.findings, key=_in_order(self._policy))]
        result = {
            "area": self.area,
            "environment": self.environment,
            "findings": [finding.model_dump(mode="json") for finding in ordered],
            "duration_s": round(time.perf_counter() - self._started, 3),
        }
        return display.Conclusion(ordered, {RESULT_TYPE: result})

    def _answers(self) -> list[dict[str, Any]]:
        """What stands of this area so far, for a check that sums up: one row an expected check."""
        rows = []
        for identifier in self._policy.expected(self.area):
            finding = self.findings.get(identifier) or unanswered(identifier)
            rows.append(
                {
                    "check": identifier,
                    "judged": identifier in self.findings,
                    "status": finding.status,
                    "reason": finding.reason,
                    "severity": finding.severity,
                    "may_be_declared_away": self._policy.check(identifier).may_be_declared_away,
                }
            )
        return rows

    def _belongs(self, check: Check, evidence: tuple[Evidence, ...]) -> None:
        wanted, given = [s.name for s in check.sources], [e.source for e in evidence]
        if wanted != given:
            raise ValueError(
                f"{check.id} is judged from {', '.join(wanted)}, not from {', '.join(given)}"
            )

    def _finding(
        self, check: Check, evidence: tuple[Evidence, ...], changed: Mapping[str, Any]
    ) -> Finding:
        started = time.perf_counter()
        given = dict(self._parameters.criteria)
        if changed:
            given[check.id] = {**given.get(check.id, {}), **changed}
        criteria = criteria_for(check, given, self._where)
        judgement = check.assess(evidence, criteria)
        if reason := self.target.not_applicable.get(check.id):
            judgement = Judgement(Status.NOT_APPLICABLE, check.title, f"declared: {reason}")
        # Where there is no answer, there is none to believe.
        calibration = calibrate(check, criteria) if judgement.status.known else None
        if calibration and not calibration.holds:
            judgement = _uncalibrated(judgement, calibration.results())
        took = time.perf_counter() - started + sum(e.duration_s for e in evidence)
        return Finding(
            check=check.id,
            area=check.area,
            title=check.title,
            severity=judgement.severity or check.severity,
            status=judgement.status,
            reason=judgement.reason,
            strength=judgement.strength or check.strength,
            expected=redact(judgement.expected),
            observed=redact(judgement.observed),
            samples=judgement.samples,
            offenders=json.loads(
                redact(json.dumps(list(judgement.offenders)[:SHOWN_OFFENDERS], default=str))
            ),
            offenders_total=len(judgement.offenders),
            offender_ids=_offender_ids(judgement),
            why=check.sections["Why"],
            remedy=check.sections["Remedy"],
            references=list(check.references),
            evidence=[] if changed else self._keep(check, evidence, judgement.offenders),
            calibration=calibration,
            criteria=criteria.model_dump(mode="json"),
            measured_at=min((e.collected_at for e in evidence), default=now()),
            duration_s=round(took, 3),
        )

    def _keep(
        self, check: Check, evidence: tuple[Evidence, ...], offenders: Sequence[Any]
    ) -> list[EvidenceFile]:
        """Write the evidence of a check; the file is named as the judge names it."""
        contents: dict[str, bytes] = {}
        for name, one in zip(check.inputs, evidence, strict=True):
            contents[f"{name}.json"] = one.to_json().encode()
            contents |= {f"{name}.{suffix}": content for suffix, content in one.files.items()}
        if offenders:
            text = redact(json.dumps(list(offenders), indent=1, ensure_ascii=False, default=str))
            contents["offenders.json"] = text.encode()
        folder = self.folder / check.id
        folder.mkdir(parents=True, exist_ok=True)
        kept = []
        for name, content in contents.items():
            (folder / name).write_bytes(content)
            path, digest = f"evidence/{check.id}/{name}", hashlib.sha256(content).hexdigest()
            kept.append(EvidenceFile(path=path, sha256=digest))
        return kept


def begin(
    area: str,
    environment: str | None = None,
    target: dict[str, Any] | None = None,
    permit: list[str] | None = None,
    criteria: dict[str, Any] | None = None,
) -> Audit:
    """Begin the audit of one area with the parameters that papermill injected.

    With nothing set, as when a notebook is opened by hand, environment ``demo`` is audited.
    Raises ParameterError with every problem at once.
    """
    if target is None:
        if environment in (None, "demo"):
            reference.use_variables()
        parameters, where = load(environment or "demo"), f"params/{environment or 'demo'}.yaml"
    else:
        where = "parameters"
        raw: dict[str, Any] = {"environment": environment, "target": target}
        raw |= {"permit": permit} if permit is not None else {}
        raw |= {"criteria": criteria} if criteria is not None else {}
        parameters = validated(Parameters, raw, where)
    if problems := criteria_problems(parameters.criteria, where):
        raise ParameterError(problems)
    display.use_our_look()
    return Audit(area, parameters, where)


def unanswered(identifier: str, said: str = "") -> Finding:
    """The finding of an expected check that gave no answer in this run.

    One that this version does not have is NOT_MEASURED ``no_check``; one that it has and that was
    never judged broke, or was lost with its notebook: ERROR.
    """
    known = catalogue(area_of(identifier)).get(identifier)
    expected = policies.load().check(identifier)
    return Finding(
        check=identifier,
        area=area_of(identifier),
        title=known.title if known else expected.title,
        severity=known.severity if known else expected.severity,
        status=Status.ERROR if known else Status.NOT_MEASURED,
        reason=None if known else Reason.NO_CHECK,
        observed=said
        if known and said
        else "never judged"
        if known
        else "this version cannot measure it yet",
        why=known.sections["Why"] if known else "",
        remedy=known.sections["Remedy"] if known else "",
        measured_at=now(),
    )


def _offender_ids(judgement: Judgement) -> list[str]:
    """The ids of a failure's offenders; of one that names none, what was observed stands for it."""
    if judgement.status is not Status.FAIL:
        return []
    said = redact(json.dumps(list(judgement.offenders), default=str))
    return offender_ids(json.loads(said) or [{"observed": redact(judgement.observed)}])


def _uncalibrated(judgement: Judgement, results: list[Any]) -> Judgement:
    wrong = [
        f"{r.specimen} gave {r.status} instead of {r.expected}"
        for r in results
        if not r.as_expected
    ]
    return Judgement(
        Status.NOT_MEASURED,
        judgement.expected,
        f"under the criteria in force the check cannot tell good from bad: {'; '.join(wrong)}",
        judgement.samples,
        Reason.UNCALIBRATED,
    )


def _in_order(policy: policies.Policy) -> Any:
    order = {identifier: n for area in AREAS for n, identifier in enumerate(policy.expected(area))}
    return lambda identifier: (order.get(identifier, len(order)), identifier)
