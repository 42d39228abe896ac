"""The policy on file: what is wrong with one is said with file and key, before anything runs."""

import pytest
import yaml
from readiness import policy as policies
from readiness import runner
from readiness.check import catalogue
from readiness.documents import ROOT, ParameterError
from readiness.finding import Strength

TEXT = (ROOT / "params" / "policy.yaml").read_text(encoding="utf-8")


def changed(path, change):
    """The policy on file with a change made to its content."""
    raw = yaml.safe_load(TEXT)
    change(raw)
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return path


def put(*keys, value):
    def change(raw):
        for key in keys[:-1]:
            raw = raw[key]
        raw[keys[-1]] = value

    return change


def dropped(*keys):
    def change(raw):
        for key in keys[:-1]:
            raw = raw[key]
        del raw[keys[-1]]

    return change


WRONG = {
    "a criterion rests on no such check": (
        put("criteria", 7, "checks", value=["DEP-CI", "TEST-CL"]),
        "criteria.7.checks: TEST-CL is not among checks; did you mean TEST-CI?",
    ),
    "a check is on no criterion": (
        put("criteria", 7, "checks", value=["DEP-CI"]),
        "checks.TEST-CI: is on no criterion",
    ),
    "an id of no area": (put("checks", "FOO-BAR", value={}), "checks.FOO-BAR: no area has such"),
    "an id of an area and nothing else": (put("checks", "SEC", value={}), "checks.SEC: no area"),
    "a check stands twice in a criterion": (
        put("criteria", 7, "checks", value=["DEP-CI", "TEST-CI", "DEP-CI"]),
        "criteria.7.checks: DEP-CI stands twice",
    ),
    "two criteria of one title": (
        put("criteria", 7, "title", value="Load testing completed"),
        "criteria.7.title: 'Load testing completed' stands twice",
    ),
    "no criterion bars a stage": (
        lambda raw: [c.update(blocking=["staging"]) for c in raw["criteria"]],
        "criteria: none blocks production, so it could never be NO-GO",
    ),
    "nobody owns an area": (dropped("owners", "testing"), "owners.testing: is missing, and TEST-"),
    "an owner of no area": (put("owners", "test", value="x"), "owners.test: no such area"),
    "a strength without factor": (
        dropped("strength_factor", "DECLARED"),
        "strength_factor.DECLARED: is missing",
    ),
    "a factor above 1": (
        put("strength_factor", "MEASURED", value=1.5),
        "strength_factor.MEASURED: is not between 0 and 1",
    ),
    "what is said counts for more than what is seen": (
        put("strength_factor", "DECLARED", value=1.0),
        "strength_factor: what is seen less directly must not count for more",
    ),
    "more signatures than roles": (
        put("sign_off", "threshold", value=4),
        "sign_off.threshold: 4 of 3 roles can never be reached",
    ),
    "fewer signatures than required roles": (
        put("sign_off", "threshold", value=1),
        "sign_off.threshold: is lower than the number of required_roles",
    ),
    "a required role that is none": (
        put("sign_off", "required_roles", value=["lead editor"]),
        "sign_off.required_roles: 'lead editor' is not among roles; did you mean lead auditor?",
    ),
    "a role twice": (
        put("sign_off", "roles", value=["lead auditor", "engineering", "engineering"]),
        "sign_off.roles: a role stands twice",
    ),
    "an unknown stage": (
        put("checks", "DEP-CI", "required", value={"qa": "MEASURED"}),
        "checks.DEP-CI.required.qa",
    ),
    "an unknown strength": (
        put("checks", "DEP-CI", "required", value={"staging": "SEEN"}),
        "checks.DEP-CI.required.staging",
    ),
    "an unknown key": (put("checks", "DEP-CI", "wait", value=2), "checks.DEP-CI.wait: unknown key"),
    "no age": (put("checks", "DEP-CI", "max_age_days", value=0), "checks.DEP-CI.max_age_days"),
    "waivers for ever": (put("waivers", "max_days", value=0), "waivers.max_days"),
    "no run is kept": (put("retention", "keep_runs", value=0), "retention.keep_runs"),
    "no sign-off": (dropped("sign_off"), "sign_off: is missing"),
}


@pytest.mark.parametrize(("change", "said"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_said_with_file_and_key(tmp_path, change, said):
    with pytest.raises(ParameterError) as broke:
        policies.load(changed(tmp_path / "policy.yaml", change))
    assert any(p.startswith(f"{tmp_path}/policy.yaml: {said}") for p in broke.value.problems)


def test_every_problem_is_said_at_once(tmp_path):
    def change(raw):
        for one in ("an owner of no area", "a role twice", "a check is on no criterion"):
            WRONG[one][0](raw)

    with pytest.raises(ParameterError) as broke:
        policies.load(changed(tmp_path / "policy.yaml", change))
    assert len(broke.value.problems) == 3


def test_the_policy_on_file_fits_the_checks_of_the_code():
    known = {identifier: made.strength for identifier, made in catalogue().items()}
    assert list(policies.problems_with_code(policies.load(), known)) == []


def test_what_the_code_cannot_meet_is_said_before_anything_runs(tmp_path, monkeypatch):
    def change(raw):
        put("checks", "DEP-CI", "required", value={"staging": "MEASURED"})(raw)
        put("checks", "SEC-CROS", value={})(raw)
        raw["criteria"][1]["checks"] = [
            "SEC-CROS" if c == "SEC-CORS" else c for c in raw["criteria"][1]["checks"]
        ]
        dropped("checks", "SEC-CORS")(raw)

    wrong = policies.load(changed(tmp_path / "policy.yaml", change))
    monkeypatch.setattr(runner.policies, "load", lambda: wrong)
    with pytest.raises(ParameterError) as broke:
        runner.request("local")
    said = "\n".join(broke.value.problems)
    assert (
        "params/policy.yaml: checks.DEP-CI.required.staging: is MEASURED, and the check shows "
        "CONFIGURED at most, so staging could never be reached" in said
    )
    assert "checks.SEC-CROS: the code has no such check; did you mean SEC-CORS?" in said
    assert "checks.SEC-CORS: is missing, and the code has it" in said


def test_a_check_that_is_yet_to_be_written_is_named_by_its_title():
    policy = policies.load()
    rule = policy.check("SEC-WAF")
    for title, problems in (("A firewall stands before it", 0), ("", 1)):
        checks = {**policy.checks, "SEC-NEXT": rule.model_copy(update={"title": title})}
        known = dict.fromkeys(policy.checks, Strength.MEASURED)
        more = policy.model_copy(update={"checks": checks})
        assert len(list(policies.problems_with_code(more, known))) == problems


def test_owners_are_the_checks_own_then_the_criterions_then_the_areas():
    policy = policies.load()
    row = policy.criteria[0].model_copy(update={"owner": "the row's"})
    rule = policy.check("OPS-HEALTH")
    own = {**policy.checks, "OPS-HEALTH": rule.model_copy(update={"owner": "its own"})}
    owned = policy.model_copy(update={"checks": own})
    assert owned.owner("OPS-HEALTH", row) == "its own"
    assert policy.owner("OPS-HEALTH", row) == "the row's"
    assert policy.owner("OPS-HEALTH") == policy.owners["operations"]


def test_the_digest_is_of_what_is_said_and_not_of_how(tmp_path):
    on_file = policies.load()
    same = policies.load(changed(tmp_path / "a.yaml", lambda raw: None))
    other = policies.load(changed(tmp_path / "b.yaml", put("retention", "keep_runs", value=2)))
    assert on_file.digest() == same.digest() != other.digest()
