"""Whole runs at their seams: what a broken, hung, killed or tampered notebook costs, and what a
full disk, a second run or a planted secret meets. Small notebooks stand in for the real ones; the
papermill, the kernels, the evidence and the rendering are real."""

import ast
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pytest
from readiness import execution, loopback, record, runner, standing
from readiness.finding import Status
from readiness.parameters import Parameters, validated

BEGIN = """from readiness.audit import begin
from readiness.checks.security import headers
from readiness.sources import http, met
audit = begin("security", environment, target, permit, criteria)"""
JUDGE = """responses, others = http.response_classes(audit.target), met.classes(audit.target)
audit.judge(headers.content_type_options, responses, others)"""
CONCLUDE = "audit.conclude()"
PARAMETERS = "environment = None\ntarget = None\npermit = None\ncriteria = None"
CHECK = "SEC-HEADERS-XCTO"
SOUND = {"X-Content-Type-Options": "nosniff"}


def notebook(folder, *cells):
    made = nbformat.v4.new_notebook()
    made.cells = [nbformat.v4.new_code_cell(c) for c in (PARAMETERS, BEGIN, *cells)]
    made.metadata["kernelspec"] = {
        "name": "python3",
        "display_name": "Python 3",
        "language": "python",
    }
    made.cells[0].metadata["tags"] = ["parameters"]
    folder.mkdir(exist_ok=True)
    nbformat.write(made, folder / "security.ipynb")


@pytest.fixture
def service():
    with loopback.serve(
        loopback.routes([{"match": "GET /", "headers": SOUND}, {"status": 404, "headers": SOUND}])
    ) as url:
        yield url


@pytest.fixture
def wanted(tmp_path, monkeypatch, service):
    """A request to audit the security area of a small service, into an empty outputs folder."""
    monkeypatch.setattr(runner, "NOTEBOOKS", tmp_path / "notebooks")
    raw = {"environment": "tiny", "target": {"name": "tiny", "http": {"base_url": service}}}
    return runner.Request(
        validated(Parameters, raw, "tiny"),
        raw,
        areas=["security"],
        outputs=tmp_path / "outputs",
        deadline_s=60,
    )


@cache
def worker():
    """One worker for most runs here: starting it takes longer than a small run."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def run(wanted, *cells, as_usual=False):
    notebook(runner.NOTEBOOKS, *cells)
    folder = runner.audit(wanted, None if as_usual else worker())
    return folder, {f.check: f for f in record.Record.read(folder).findings}


def test_a_run_holds_what_design_says(wanted):
    folder, findings = run(wanted, JUDGE, CONCLUDE, as_usual=True)
    assert findings[CHECK].status is Status.PASS
    assert findings[CHECK].calibration.holds
    assert findings["SEC-WAF"].status is Status.ERROR  # it has the check, and never judged
    names = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert names >= {
        "assessment.html",
        "assessment.md",
        "findings.json",
        "manifest.json",
        "notebooks/security.ipynb",
        f"evidence/{CHECK}/responses.json",
        "params/policy.yaml",
    }
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == names - {"manifest.json"}
    assert (wanted.outputs / "index.html").exists()
    assert not [p for p in folder.parent.iterdir() if p.name.startswith(".2")]


def test_a_check_without_an_answer_is_not_calibrated(wanted):
    """There is none to believe; over plain HTTP a missing HSTS is not measured."""
    asked = "audit.judge(headers.strict_transport_security, responses, others)"
    _, findings = run(wanted, f"{JUDGE}\n{asked}", CONCLUDE)
    assert findings[CHECK].calibration.holds
    assert findings["SEC-HEADERS-HSTS"].status is Status.NOT_MEASURED
    assert findings["SEC-HEADERS-HSTS"].calibration is None


BROKEN = {
    "raises": 'raise RuntimeError("boom")',
    "kills its kernel": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "exits cleanly": "import sys; sys.exit(0)",
    "ends its kernel with status 0": "import os; os._exit(0)",
}


@pytest.mark.parametrize("breaking", BROKEN.values(), ids=list(BROKEN))
def test_a_notebook_that_breaks_costs_its_own_checks(wanted, breaking):
    folder, findings = run(wanted, JUDGE, breaking, CONCLUDE)
    kept = record.Record.read(folder)
    assert kept.notebooks[0].problem
    assert findings[CHECK].status is Status.PASS  # was complete before it broke
    assert findings["SEC-HEADERS-CSP"].status is Status.ERROR
    assert kept.areas[0].colour is not standing.Colour.GREEN
    assert (folder / "assessment.html").exists()


def test_kernels_at_the_same_time_do_not_hear_each_other(tmp_path):
    """Each has sockets of its own, in a folder for its owner alone that goes with it."""
    where = """import ipykernel, os, time
folder = os.path.dirname(ipykernel.get_connection_info(unpack=True)["ip"])
[folder, oct(os.stat(folder).st_mode & 0o777), sorted(os.listdir(folder))]"""
    notebook(tmp_path, where, "time.sleep(2)")
    made = nbformat.read(tmp_path / "security.ipynb", as_version=4)
    del made.cells[1]
    before = set(Path().iterdir())
    with ThreadPoolExecutor(2) as together:
        outputs = [tmp_path / f"{n}.ipynb" for n in range(2)]
        list(together.map(lambda output: execution.execute(made, output, {}, 30), outputs))
    told = [
        ast.literal_eval(
            nbformat.read(output, as_version=4).cells[-2].outputs[0]["data"]["text/plain"]
        )
        for output in outputs
    ]
    assert told[0][0] != told[1][0]
    for folder, mode, names in told:
        assert mode == "0o700"
        assert len(names) == 5
        assert not Path(folder).exists()
    assert set(Path().iterdir()) == before


def test_a_notebook_that_hangs_is_stopped(wanted):
    wanted.deadline_s = 12
    started = time.monotonic()
    folder, findings = run(wanted, JUDGE, "import time; time.sleep(300)", CONCLUDE)
    assert time.monotonic() - started < 60
    assert record.Record.read(folder).notebooks[0].problem
    assert findings[CHECK].status is Status.PASS
    assert findings["SEC-AUTHN"].status is not Status.PASS


def test_a_notebook_without_a_conclusion_is_not_believed(wanted):
    folder, findings = run(wanted, JUDGE, "42")
    assert record.Record.read(folder).notebooks[0].problem == "the last cell gave no result"
    assert findings["SEC-HEADERS-CSP"].status is Status.ERROR


def test_evidence_that_was_changed_after_it_was_collected_is_not_judged(wanted):
    changed = 'responses.records[0]["status"] = 204'
    _, findings = run(wanted, JUDGE.replace("\n", f"\n{changed}\n"), CONCLUDE)
    assert findings[CHECK].status is Status.ERROR


def test_exploring_stays_out_of_the_record(wanted):
    explore = "audit.explore(headers.referrer_policy, responses, allowed=['unsafe-url'])"
    folder, findings = run(wanted, JUDGE, explore, CONCLUDE)
    assert findings["SEC-HEADERS-REFERRER"].status is Status.ERROR  # never judged
    assert "exploratory" in (folder / "notebooks" / "security.ipynb").read_text()


def test_a_failure_that_is_lost_is_carried_over(wanted, monkeypatch):
    monkeypatch.setattr(runner, "AREAS", ("security",))
    first, findings = run(
        wanted, JUDGE.replace("content_type_options", "referrer_policy"), CONCLUDE
    )
    assert findings["SEC-HEADERS-REFERRER"].status is Status.FAIL
    second, findings = run(wanted, "raise RuntimeError", CONCLUDE)
    assert (wanted.outputs / "tiny" / "latest").resolve() == second.resolve()
    assert findings["SEC-HEADERS-REFERRER"].status is Status.FAIL
    assert findings["SEC-HEADERS-REFERRER"].carried_over == first.name


def test_a_second_run_at_the_same_moment_is_refused(wanted):
    notebook(runner.NOTEBOOKS, JUDGE, "import time; time.sleep(4)", CONCLUDE)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(runner.audit, wanted)
        while not list((wanted.outputs / "tiny").glob(".2*")):
            time.sleep(0.05)
        with pytest.raises(runner.RunError, match="another audit of tiny is under way"):
            runner.audit(wanted)
        assert first.result().exists()


def test_a_newest_run_that_cannot_be_read_is_told_before_anything_runs(wanted):
    old = wanted.outputs / "tiny" / "20260101T000000Z"
    old.mkdir(parents=True)
    (old / "findings.json").write_text('{"schema": "readiness/findings/v1"}')
    (old.parent / "latest").symlink_to(old.name)
    with pytest.raises(runner.RunError, match=r"findings.json: \w+: Field required.*begin anew"):
        runner.audit(wanted)
    assert record.runs("tiny", wanted.outputs) == [old]


def test_a_killed_run_leaves_latest_as_it_was(wanted, monkeypatch):
    monkeypatch.setattr(runner, "AREAS", ("security",))
    before, _ = run(wanted, JUDGE, CONCLUDE)
    notebook(runner.NOTEBOOKS, "import time; time.sleep(300)")
    script = (
        "import json, sys; from pathlib import Path; from readiness import runner\n"
        "from readiness.parameters import Parameters, validated\n"
        "raw, books, outputs = json.load(sys.stdin)\n"
        "runner.NOTEBOOKS = Path(books)\n"
        "if __name__ == '__main__': runner.audit(runner.Request(\n"
        "  validated(Parameters, raw, 'x'), raw, areas=['security'], outputs=Path(outputs)))"
    )
    home = wanted.outputs / "tiny"
    program = runner.NOTEBOOKS / "killed.py"
    program.write_text(script)
    with subprocess.Popen(
        [sys.executable, str(program)], stdin=subprocess.PIPE, text=True
    ) as doomed:
        json.dump([wanted.raw, str(runner.NOTEBOOKS), str(wanted.outputs)], doomed.stdin)
        doomed.stdin.close()
        deadline = time.monotonic() + 60
        while not list(home.glob(".2*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(2)
        doomed.kill()
    assert (home / "latest").resolve() == before.resolve()
    assert len(record.runs("tiny", wanted.outputs)) == 1
    run(wanted, JUDGE, CONCLUDE)
    assert not list(home.glob(".2*"))
    assert len(record.runs("tiny", wanted.outputs)) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small file system")
def test_a_full_disk_is_said_and_publishes_nothing(wanted, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, timeout=20).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        wanted.outputs = small / "outputs"
        notebook(runner.NOTEBOOKS, JUDGE, CONCLUDE)
        with pytest.raises(runner.RunError, match="No space left"):
            runner.audit(wanted)
        assert record.runs("tiny", wanted.outputs) == []
        assert not (wanted.outputs / "tiny" / "latest").exists()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True, timeout=20)


PLANTED = {
    "TINY_DATABASE_URL": "postgresql://auditor:planted-database-pw@127.0.0.1:9/tiny",
    "TINY_TOKEN": "planted-token-0123456789",
    "UNRELATED_API_KEY": "planted-key-never-named",
    "AWS_SECRET_ACCESS_KEY": 'planted"quote\\and-slash',
}


def test_planted_secrets_reach_no_file(wanted, monkeypatch):
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    wanted.raw["target"]["database"] = {"url": "${TINY_DATABASE_URL}"}
    wanted.raw["target"]["http"]["roles"] = {"r": {"credential": "${TINY_TOKEN}"}}
    wanted.parameters = validated(Parameters, wanted.raw, "tiny")
    leaks = "import os; print(dict(os.environ)); audit.target.http.roles['r'].credential.value()"
    url = "audit.target.database.url.value()"
    cells = (JUDGE, leaks, f"raise ValueError({url})", CONCLUDE)
    folder, findings = run(wanted, *cells, as_usual=True)  # a worker has the variables of its start
    assert findings[CHECK].status is Status.PASS
    needles = ["planted-database-pw", "planted-token-0123456789", "planted-key-never-named"]
    needles += ['planted"quote', 'planted\\"quote', 'planted\\\\"quote', "and-slash"]
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert len(files) > 8
    found = {(p.name, n) for p in files for n in needles if n in p.read_text(errors="replace")}
    assert not found


def test_an_area_that_does_not_exist_or_a_stage_is_refused_by_the_command_line():
    command = [sys.executable, "-m", "readiness", "audit", "--area", "kitchen"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "no such area: kitchen" in done.stderr
