"""The score follows from the findings of this run, through the audit that made them."""

import pytest
from readiness import policy
from readiness.audit import Audit, unanswered
from readiness.checks.security.score import security_score
from readiness.finding import Reason, Status
from readiness.parameters import Parameters, validated
from readiness.sources import findings

EXPECTED = [i for i in policy.load().expected("security") if i != "SEC-SCORE"]


@pytest.fixture
def audit(tmp_path, monkeypatch):
    monkeypatch.setenv("READINESS_EVIDENCE", str(tmp_path))
    raw = {"environment": "test", "target": {"name": "x"}}
    return Audit("security", validated(Parameters, raw, "test"), "test")


def answer(audit, status, *identifiers, reason=None):
    for identifier in identifiers:
        changes = {"status": status, "reason": reason}
        audit.findings[identifier] = unanswered(identifier).model_copy(update=changes)


def judged(audit):
    return audit.judge(security_score, findings.of_area(audit.target)).finding


def test_a_score_counts_against_what_policy_expects(audit):
    finding = judged(audit)
    assert finding.status is Status.NOT_MEASURED
    assert finding.reason is Reason.INCONCLUSIVE
    assert finding.observed.startswith(f"0/{len(EXPECTED)} passed")
    answer(audit, Status.PASS, *EXPECTED)
    finding = judged(audit)
    assert (finding.status, finding.samples) == (Status.PASS, len(EXPECTED))
    assert finding.observed == f"{len(EXPECTED)}/{len(EXPECTED)} passed"


def test_losing_an_answer_never_helps(audit):
    answer(audit, Status.PASS, *EXPECTED)
    answer(audit, Status.FAIL, "SEC-CORS")
    assert judged(audit).status is Status.FAIL
    answer(audit, Status.NOT_MEASURED, "SEC-CORS", reason=Reason.UNREACHABLE)
    assert judged(audit).status is Status.NOT_MEASURED
    del audit.findings["SEC-CORS"]
    assert judged(audit).observed.startswith(f"{len(EXPECTED) - 1}/{len(EXPECTED)} passed")


def test_only_what_policy_allows_is_declared_away(audit):
    answer(audit, Status.PASS, *EXPECTED)
    answer(audit, Status.NOT_APPLICABLE, "SEC-COOKIES")
    assert judged(audit).status is Status.PASS
    answer(audit, Status.NOT_APPLICABLE, "SEC-CORS")
    assert judged(audit).status is Status.NOT_MEASURED


def test_another_targets_parameters_cannot_say_what_was_found():
    raw = {"environment": "test", "target": {"name": "x", "answers": []}}
    with pytest.raises(ValueError, match="unknown key"):
        validated(Parameters, raw, "test")
