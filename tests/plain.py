"""The checks as a plain script: collect once from each source, judge, no notebooks in between."""

from readiness import policy
from readiness.calibration import calibrate
from readiness.check import catalogue, criteria_for


def evidence_of(target, checks):
    """What each source of these checks collects from the target, each asked once."""
    sources = {source.name: source for check in checks for source in check.sources}
    return {name: source(target) for name, source in sources.items() if source.collect}


def judge_all(parameters, only=None, calibrated=False):
    """Every check's judgement of a target, by id."""
    known = catalogue()
    wanted = [known[i] for i in policy.load().checks if i in known and (not only or i in only)]
    wanted = [check for check in wanted if check.id != "SEC-SCORE"]  # judges the others' findings
    collected = evidence_of(parameters.target, wanted)
    found = {}
    for check in wanted:
        criteria = criteria_for(check, parameters.criteria, "criteria")
        if calibrated:
            assert calibrate(check, criteria).holds, check.id
        found[check.id] = check.assess([collected[s.name] for s in check.sources], criteria)
    return found
