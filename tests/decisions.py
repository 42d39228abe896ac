"""Random policies and runs for the properties of the decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from readiness import policy as policies
from readiness.finding import Finding, Reason, Severity, Status, Strength, area_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDS = ["DEP-CI", "SEC-AUTHN", "SEC-CORS", "SEC-WAF", "OPS-HEALTH", "OPS-BACKUP", "TEST-UNIT"]
UNEXPECTED = "SEC-UNEXPECTED"
FACTORS = [(1.0, 0.7, 0.3), (1.0, 1.0, 1.0), (1.0, 0.5, 0.0)]
SEVERITIES = list(Severity)
stages = st.sampled_from(policies.STAGES)


@dataclass(frozen=True)
class Drawn:
    """A policy, a run under it, and the check that a property is about."""

    policy: policies.Policy
    findings: list[Finding]
    about: str

    def of(self, check: str) -> Finding | None:
        return next((f for f in self.findings if f.check == check), None)

    def declared(self, check: str) -> Severity:
        return self.policy.check(check).severity

    def having(self, **update: object) -> list[Finding]:
        """The run with another answer to the check, from what it declares."""
        return self.replaced(self.about, **update)

    def replaced(self, check: str, **update: object) -> list[Finding]:
        values = {"severity": self.declared(check), "strength": Strength.MEASURED, **update}
        changed = finding(check, values.pop("status"), **values)
        there = [changed if f.check == check else f for f in self.findings]
        return there if changed in there else [*there, changed]

    def lost(self) -> list[Finding]:
        old = self.of(self.about)
        age = {"measured_at": old.measured_at} if old else {}
        return self.having(status=Status.NOT_MEASURED, **age)


def finding(check: str, status: Status, **more: object) -> Finding:
    values = {
        "check": check,
        "area": area_of(check),
        "title": check,
        "severity": Severity.MEDIUM,
        "status": status,
        "reason": Reason.NO_SAMPLES if status is Status.NOT_MEASURED else None,
        "measured_at": NOW,
        **more,
    }
    return Finding.model_validate(values)


@st.composite
def _rules(draw: st.DrawFn) -> policies.ExpectedCheck:
    return policies.ExpectedCheck(
        severity=draw(st.sampled_from(SEVERITIES)),
        weight=draw(st.integers(1, 4)),
        max_age_days=draw(st.sampled_from([1, 7])),
        required=draw(st.dictionaries(stages, st.sampled_from(list(Strength)))),
        may_be_declared_away=draw(st.booleans()),
    )


@st.composite
def _policies(draw: st.DrawFn) -> policies.Policy:
    names = draw(st.lists(st.sampled_from(IDS), min_size=2, max_size=6, unique=True))
    cut = draw(st.integers(1, len(names) - 1))
    shared = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    parts = [names[:cut], names[cut:], *([shared] if shared else [])]
    criteria = [
        policies.Criterion(
            title=str(number),
            checks=part,
            blocking=draw(st.lists(stages, unique=True)),
            accept=dict.fromkeys(draw(st.lists(stages, unique=True)), "with monitoring"),
        )
        for number, part in enumerate(parts)
    ]
    factors = draw(st.sampled_from(FACTORS))
    return policies.Policy(
        checks={name: draw(_rules()) for name in names},
        criteria=criteria,
        strength_factor=dict(zip(Strength, factors, strict=True)),
        owners=dict.fromkeys(
            ("deployment", "security", "operations", "testing"), "whoever is on duty"
        ),
        sign_off=policies.SignOffRules(roles=["lead auditor"], threshold=1),
    )


@st.composite
def _findings(draw: st.DrawFn, check: str, declared: Severity) -> Finding:
    """An answer: any status, strength and age, and no graver than its check declares."""
    status = draw(st.sampled_from(list(Status)))
    failed = status is Status.FAIL
    return finding(
        check,
        status,
        severity=draw(st.sampled_from(SEVERITIES[SEVERITIES.index(declared) :])),
        strength=draw(st.sampled_from(list(Strength))),
        measured_at=NOW - timedelta(hours=draw(st.sampled_from([0, 1, 30, 200]))),
        reason=draw(st.sampled_from(list(Reason))) if status is Status.NOT_MEASURED else None,
        waiver=draw(st.sampled_from([None, "accepted"])) if failed else None,
        carried_over=draw(st.sampled_from([None, "20251231T000000Z"])) if failed else None,
    )


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    """A policy with a run; now and then a finding is missing, or one too many."""
    policy = draw(_policies())
    answered = [name for name in policy.checks if draw(st.integers(0, 9)) > 0]
    findings = [draw(_findings(name, policy.check(name).severity)) for name in answered]
    if draw(st.integers(0, 9)) == 0:
        findings.append(draw(_findings(UNEXPECTED, Severity.MEDIUM)))
    return Drawn(policy, findings, draw(st.sampled_from(list(policy.checks))))
