"""Bad input as a user gives it: a sentence that says what to mend, exit status 2, never a green."""

import os
import subprocess
import sys

import pytest
from readiness import cli, loopback, parameters
from readiness.record import Record

WRONG = {  # what stands in the file (here called x.yaml), and what must be said of it
    "environment: x\ntarget: {name: x\n": "line 3, column 1: did not find expected ',' or '}'",
    "environment: x\ntarget:\n\tname: x\n": "line 3, column 1: found character that cannot start",
    "": "top level: must be a mapping, of keys to values",
    "- a\n- b\n": "top level: must be a mapping, of keys to values",
    "environment: x\n": "target: is missing",
    "environment: x\ntarget: [name]\n": "target: must be a mapping, of keys to values",
    "environment: x\ntarget: {name: x, htpp: {}}\n": "target.htpp: unknown key",
    "environment: x\ntarget: {name: x, name: y}\n": "column 19: the key 'name' stands twice",
    "environment: y\ntarget: {name: x}\n": "environment: says y, the file name x",
    "environment: X y\ntarget: {name: x}\n": "environment: must be of small letters, digits and",
    "environment: x\ntarget: {name: x}\npermit: [all]\n": "permit.0: Input should be 'passive', ",
    "environment: x\ntarget: {name: x}\ncriteria: {SEC-NONE: {}}\n": "criteria.SEC-NONE: no such",
    "environment: x\ntarget: {name: x}\ncriteria: {SEC-CORS: {a: 1}}\n": "SEC-CORS: a: unknown key",
    "environment: x\ntarget: {name: x, not_applicable: {NONE: y}}\n": "applicable.NONE: no such",
    "environment: x\ntarget: {name: x, http: {base_url: '${NOT_SET}'}}\n": "NOT_SET is not set",
    "environment: x\ntarget: {name: x, database: {url: 'pg://u:secret@h/d'}}\n": "name a variable",
}


def said(capsys, *arguments):
    """What the command says, for one that cannot run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["readiness", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    output = capsys.readouterr()
    assert stopped.value.code == 2, output
    assert "Traceback" not in output.err
    return output.err


def printed(capsys, *arguments):
    """What the command prints, for one that does what it is told."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["readiness", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
    assert not stopped.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("content", WRONG, ids=range(len(WRONG)))
def test_wrong_parameters_are_told_with_file_and_key(content, tmp_path, capsys):
    file = tmp_path / "x.yaml"
    file.write_text(content)
    told = said(capsys, "audit", "--environment", str(file))
    assert f"{file}: " in told
    assert WRONG[content] in told
    assert "secret@h" not in told


def test_every_problem_is_told_at_once(tmp_path, capsys):
    file = tmp_path / "x.yaml"
    file.write_text(
        "environment: X\ntarget: {name: [], http: {base_url: 7}}\npermit: [all]\nmore: 1"
    )
    told = said(capsys, "audit", "--environment", str(file))
    assert told.count(f"{file}: ") == 5


@pytest.mark.parametrize("name", ["nonsense", "", "policy", "waivers", "a b"])
def test_an_environment_that_does_not_exist_is_told_with_those_that_do(name, capsys):
    told = said(capsys, "audit", "--environment", name)
    assert "no such environment (there are: demo, jupyterhub, local, production, staging;" in told


def test_files_that_are_no_text_or_not_there(tmp_path, capsys):
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    (tmp_path / "folder.yaml").mkdir()
    for name, problem in {
        "binary": "is no text in UTF-8",
        "folder": "cannot be read: Is a directory",
        "nothing": "no such file",
    }.items():
        assert problem in said(capsys, "audit", "--environment", str(tmp_path / f"{name}.yaml"))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--area", "kitchen"], "no such area: kitchen (there are: deployment, security"),
        (["--stage", "somewhere"], "Invalid value for '--stage'"),
        (["--executor", "spark://x"], "no such executor: spark://x (local, or dask://host:port)"),
        (["--executor", "dask://127.0.0.1:1"], "no Dask scheduler answers at 127.0.0.1:1"),
    ],
)
def test_wrong_options_are_told(arguments, problem, tmp_path, capsys):
    file = tmp_path / "x.yaml"
    file.write_text("environment: x\ntarget: {name: x}\n")
    assert problem in said(capsys, "audit", "--environment", str(file), *arguments)


def test_the_demo_without_its_stack_says_how_to_start_it(capsys, monkeypatch):
    from readiness import reference

    monkeypatch.delenv("NPS_BASE_URL", raising=False)
    if reference.stack().status()["up"]:
        pytest.skip("a demo runs on this machine")
    assert "`readiness reference up` starts it" in said(capsys, "audit")


@pytest.mark.parametrize("command", ["judge", "sign", "verify", "compare", "export"])
def test_a_run_that_is_none_is_told(command, tmp_path, capsys):
    more = {"compare": [str(tmp_path)], "export": ["--to", "csv"]}.get(command, [])
    if command == "sign":
        more = ["--key", "k", "--name", "n", "--role", "r", "--decision", "GO"]
    assert said(capsys, command, str(tmp_path / "no-such-run"), *more)


def test_every_key_that_the_shipped_files_use_is_told_with_what_it_means(capsys):
    told = {
        line.partition(": ")[0]: line.partition(": ")[2]
        for line in printed(capsys, "parameters").splitlines()
        if not line.startswith(" ")
    }
    takes = {key.replace("[]", ""): what for key, what in told.items()}
    for environment in parameters.environments():
        for key in keys_of(parameters.read(environment).raw["target"], "target"):
            known = max((k for k in takes if f"{key}.".startswith(f"{k}.")), key=len)
            assert known == key or takes[known].startswith(("mapping", "anything")), key
    assert told["target.http.base_url"] == "text, required"
    assert told["target.database.connect_timeout_s"] == "whole number = 5"
    assert told["permit"] == "list of passive | active | load | write = ['passive']"
    assert "# share of 5xx" in told["target.http.stop_at_errors"]
    below = printed(capsys, "parameters", "target.http.outages").splitlines()
    assert {line.split(":")[0] for line in below if line.startswith("target")} == {
        key for key in told if key.startswith("target.http.outages")
    }
    assert "no such key: target.htpp" in said(capsys, "parameters", "target.htpp")


def keys_of(value, path):
    """The keys of a params file that hold values, in lists as well."""
    if isinstance(value, list):
        return {key for one in value for key in keys_of(one, path)} or {path}
    if isinstance(value, dict):
        return {key for name, one in value.items() for key in keys_of(one, f"{path}.{name}")}
    return {path}


def test_the_catalogue_tells_each_checks_criteria(capsys):
    told = printed(capsys, "checks").partition("\nSEC-ENC-REST ")[2].partition("\n\n")[0]
    assert "\n  Criteria: min_iterations = 600000, " in told


BROKEN = """
environment: broken
target:
  name: everything that can be wrong with a target
  http: {base_url: "http://127.0.0.1:1", health: [{path: /, kind: liveness, text: x}]}
  database: {url: "${BROKEN_DATABASE}", connect_timeout_s: 1}
  orm: {interpreter: "${BROKEN_PYTHON}", imports: [no_such_module], metadata: "no_such_module:Base"}
  repository: {path: "${BROKEN_FOLDER}", init_sql: init.sql}
permit: [passive, active, write]
"""


BROKEN_SAID = {
    "DEP-INIT-SQL": "1 of 2 statements failed in an empty database: syntax error at or near",
    "DEP-COMPOSE-VALID": "there is no Compose file at the top of the repository: name the files",
    "DEP-CI": "no pipeline: nothing at ",
    "OPS-HEALTH": "no health endpoint was reached: ConnectError",
    "OPS-BACKUP": "target.backup is not set in the parameters",
    "DAT-SCHEMA-ORM": "no database answers at 127.0.0.1:",
    "DAT-CONSTRAINTS": "no database answers at 127.0.0.1:",
    "DAT-PLAINTEXT": "no database answers at 127.0.0.1:",
    "DAT-ENC-ROUNDTRIP": "target.encryption is not set in the parameters",
}


@pytest.mark.slow
def test_a_target_that_is_broken_everywhere_is_never_a_green(tmp_path):
    """No service answers, the database speaks HTTP, the models do not import, init.sql is none."""
    (tmp_path / "broken.yaml").write_text(BROKEN)
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository/init.sql").write_text(
        "CREATE TABLE x (id int);\nCRATE TABLE y (id int);\n"
    )
    with loopback.serve(lambda _: loopback.Response(200)) as url:
        variables = {
            "BROKEN_DATABASE": url.replace("http://", "postgresql://someone:pass-word-1@") + "/x",
            "BROKEN_PYTHON": sys.executable,
            "BROKEN_FOLDER": str(tmp_path / "repository"),
        }
        command = [sys.executable, "-m", "readiness", "audit"]
        command += ["--environment", str(tmp_path / "broken.yaml")]
        command += ["--area", "deployment", "--area", "operations", "--area", "data_integrity"]
        done = subprocess.run(
            [*command, "--outputs", str(tmp_path / "outputs")],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=280,
        )
    assert done.returncode == 1, done.stderr
    assert "staging: NO-GO" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    (run,) = (tmp_path / "outputs" / "broken").glob("2*")
    kept = Record.read(run)
    assert (run / "params" / "broken.yaml").read_text() == BROKEN
    assert not any(b"pass-word-1" in p.read_bytes() for p in run.rglob("*") if p.is_file())
    assert kept.decision.staging == kept.decision.production == "NO-GO"
    assert [one.problem for one in kept.notebooks] == [None] * 3
    colours = {one.area: str(one.colour) for one in kept.areas}
    assert colours["deployment"] == "RED"
    assert "GREEN" not in colours.values()
    assert not {str(f.status) for f in kept.findings} & {"PASS", "ERROR"}
    for check, wording in BROKEN_SAID.items():
        assert wording in next(f.observed for f in kept.findings if f.check == check), check
