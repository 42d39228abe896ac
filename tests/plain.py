"""The checks as a plain script: collect once from each source, judge, no notebooks in between."""

from readiness import policy
from readiness.calibration import calibrate
from readiness.check import catalogue, criteria_for


def checks():
    """Every check of this version but the one that judges the others' findings."""
    known = catalogue()
    return [known[i] for i in policy.load().checks if i in known and i != "SEC-SCORE"]


def sources():
    return {source.name: source for check in checks() for source in check.sources}


def judge(evidence, parameters, calibrated=False):
    """The judgement of each check whose evidence (source name -> evidence) is there, by id."""
    found = {}
    for check in checks():
        if any(source.name not in evidence for source in check.sources):
            continue
        criteria = criteria_for(check, parameters.criteria, "criteria")
        if calibrated:
            assert calibrate(check, criteria).holds, check.id
        found[check.id] = check.assess([evidence[s.name] for s in check.sources], criteria)
    return found


def judge_all(parameters, calibrated=False):
    """Collect from every source of the target, and judge."""
    evidence = {name: source(parameters.target) for name, source in sources().items()}
    return judge(evidence, parameters, calibrated)
