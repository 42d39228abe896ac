"""Every check on every specimen made for it, through the path that a real target takes."""

import pytest
from readiness import policy
from readiness.calibration import calibrate, try_specimen
from readiness.check import Criteria, catalogue, check
from readiness.finding import Judgement, Status
from readiness.sources.http import response_classes


def subject(known):
    """Checks of one subject share their specimens, which are collected once in a process."""
    folder = known.specimens[0].path.parent
    return pytest.mark.xdist_group(f"specimens of {folder.parents[1].name}/{folder.name}")


CHECKS = [pytest.param(known, marks=subject(known), id=known.id) for known in catalogue().values()]
CASES = [
    pytest.param(known, specimen, marks=subject(known), id=f"{known.id}-{specimen.name}")
    for known in catalogue().values()
    for specimen in known.specimens
]


@pytest.mark.parametrize(("known", "specimen"), CASES)
def test_specimen(known, specimen):
    result = try_specimen(known, specimen, known.criteria())
    assert result.status is specimen.expected(known.id), result.observed


@pytest.mark.parametrize("known", CHECKS)
def test_the_receipt_holds(known):
    assert calibrate(known, known.criteria()).holds


def test_policy_expects_every_check_that_the_code_has():
    assert set(catalogue()) <= set(policy.load().checks)


def test_a_check_without_specimens_cannot_be_registered():
    def judge(responses, criteria):
        """A title

        What it measures.

        Why: because.
        Bad: this.
        Remedy: that.
        """
        return Judgement(Status.PASS, "", "", 1)

    with pytest.raises(TypeError, match="no specimen"):
        check("SEC-WAF", sources=[response_classes], severity="low")(judge)


def test_a_check_without_documentation_cannot_be_registered():
    def judge(responses, criteria):
        """Only a title"""

    with pytest.raises(TypeError, match="docstring"):
        check("SEC-HEADERS-CSP", sources=[response_classes], severity="low")(judge)


def test_criteria_that_let_everything_pass_leave_a_check_uncalibrated():
    known = catalogue()["SEC-HEADERS-REFERRER"]
    blind = known.criteria(allowed=["no-referrer", "unsafe-url"])
    receipt = calibrate(known, blind)
    assert not receipt.holds
    assert [r.specimen for r in receipt.results() if not r.as_expected] == ["worthless-values"]


def test_criteria_of_the_default_model_take_no_keys():
    with pytest.raises(ValueError, match="extra"):
        Criteria(anything=1)
