"""Params files: every problem at once, with file and key, and never a secret in a message."""

import json
import subprocess
import sys

import pytest
from readiness import policy
from readiness.check import criteria_problems
from readiness.documents import ROOT, ParameterError, read_yaml
from readiness.parameters import Parameters, load, validated
from readiness.variables import VARIABLE, redact

SECRET = "hunter2-hunter2"


def write(folder, text, name="x"):
    (folder / f"{name}.yaml").write_text(text)
    return folder


def problems(folder, text):
    with pytest.raises(ParameterError) as caught:
        load("x", write(folder, text))
    return str(caught.value)


def test_all_problems_at_once(tmp_path):
    said = problems(
        tmp_path,
        """
environment: x
target:
  name: n
  nmae: typo
  http: {base_url: "${NOT_SET_ANYWHERE}", timeout_s: soon}
  database: {url: "${NOT_SET_EITHER}"}
permit: [everything]
surprise: 1
""",
    )
    for expected in (
        "target.nmae: unknown key",
        "NOT_SET_ANYWHERE is not set",
        "NOT_SET_EITHER is not set",
        "target.http.timeout_s",
        "permit",
        "surprise: unknown key",
    ):
        assert expected in said
    assert said.count("x.yaml") == len(said.splitlines())


@pytest.mark.parametrize(
    "text",
    [
        f"target: {{name: n, database: {{url: 'postgresql://u:{SECRET}@h/d'}}}}",
        f"target: {{name: n, http: {{base_url: 'http://u:{SECRET}@h'}}}}",
        f"target: {{name: n, encryption: {{columns: [a.b], key: {SECRET}, salt: {SECRET}}}}}",
        f"target: {{name: n, {SECRET}: 1}}".replace(SECRET, "unknown_key"),
    ],
)
def test_a_literal_secret_is_refused_without_being_repeated(tmp_path, text):
    assert SECRET not in problems(tmp_path, f"environment: x\n{text}\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", "stands twice"),
        ("a: [", "line"),
        ("a: b: c", "line 1"),
    ],
)
def test_broken_yaml_says_where(tmp_path, text, expected):
    assert expected in problems(tmp_path, text)


def test_yaml_without_its_traps(tmp_path):
    path = tmp_path / "t.yaml"
    path.write_text("a: yes\nb: 012\nc: 12:30\nd: true\ne: 2026-01-01\nf: 1.5\ng: null\nh: 7\n")
    assert read_yaml(path) == {
        "a": "yes",
        "b": "012",
        "c": "12:30",
        "d": True,
        "e": "2026-01-01",
        "f": 1.5,
        "g": None,
        "h": 7,
    }


def test_an_unknown_environment_lists_the_known_ones(tmp_path):
    write(tmp_path, "", "staging")
    with pytest.raises(ParameterError, match="there are: staging"):
        load("x", tmp_path)


def test_secrets_are_cut_out_in_every_form():
    password = 'p"ä/ss wörd+1'
    url = "postgresql://u:p%22%C3%A4%2Fss%20w%C3%B6rd%2B1@h/d"
    raw = {"environment": "x", "target": {"name": "n", "database": {"url": "${DB}"}}}
    variables = {"DB": url, "PW": password}
    made = validated(Parameters, raw, "x", variables)
    made.target.database.url.value()
    raw["target"]["database"]["url"] = "postgresql://u:${PW}@h/d"
    validated(Parameters, raw, "x", variables).target.database.url.value()
    for text in (
        url,
        password,
        json.dumps({"x": password}),
        json.dumps(password, ensure_ascii=False),
    ):
        assert "rd" not in redact(text).replace("password", "")


def test_permission_defaults_to_passive():
    made = validated(Parameters, {"environment": "x", "target": {"name": "n"}}, "x")
    assert made.target.permit == {"passive"}


def test_the_command_line_lists_every_problem_and_no_traceback():
    command = [sys.executable, "-m", "readiness", "audit", "--environment", "no-such-place"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no such environment" in done.stderr
    assert "Traceback" not in done.stderr


NPS = ("local", "staging", "production")
SHIPPED = ("demo", *NPS, "jupyterhub")


def shipped(name, monkeypatch):
    """A shipped params file with every variable that it names set to something."""
    path = ROOT / "params" / f"{name}.yaml"
    for variable in VARIABLE.findall(path.read_text()):
        monkeypatch.setenv(variable, f"http://127.0.0.1:9/{variable.lower()}")
    return load(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_parameters_hold_and_say_what_they_ask(name, monkeypatch):
    made = shipped(name, monkeypatch)
    target = made.target
    assert not criteria_problems(made.criteria, name)
    assert set(target.not_applicable) <= set(policy.load().checks)
    wanted = [s for s in type(target).model_fields if getattr(target, s) not in (None, {}, "")]
    print(f"\n{name} permits {', '.join(sorted(made.permit))} and describes {', '.join(wanted)}")
    for request in (*target.http.response_classes, *target.http.latency, *target.http.canaries):
        print(f"  {request.operation}")


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_nps_is_described_for_every_check_of_this_version(name, monkeypatch):
    target = shipped(name, monkeypatch).target
    for section in "http database orm repository encryption backup reports".split():  # noqa: SIM905
        assert getattr(target, section) is not None, section
    assert target.repository.init_sql
    assert target.repository.compose
    assert all(format.code for format in target.encryption)
    for part in ("openapi", "public", "health", "latency", "roles", "authentication", "canaries"):
        assert getattr(target.http, part), part
    assert (target.reports.unit, target.reports.integration, target.reports.e2e) > ([], [], [])


def test_the_three_nps_files_describe_one_system():
    raw = {name: read_yaml(ROOT / "params" / f"{name}.yaml") for name in NPS}
    for content in raw.values():
        del content["environment"], content["permit"]
        del content["target"]["http"]["requests_per_minute"]
        del content["target"]["repository"]["compose"]["files"]
        content["target"]["http"].pop("documentation", None)  # on where one develops
        content["target"]["http"].pop("outages", None)  # only a laptop's may be taken away
    assert raw["local"] == raw["staging"] == raw["production"]


def test_production_permits_only_looking():
    assert read_yaml(ROOT / "params" / "production.yaml")["permit"] == ["passive"]
