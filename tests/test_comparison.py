"""Comparing two runs names what turned an answer: each cause, alone and together."""

import json
import subprocess
import sys

import evidence_run
import pytest
import sample_run
import yaml
from readiness import decision
from readiness import policy as policies
from readiness.check import catalogue
from readiness.evidence import Evidence
from readiness.finding import Status
from readiness.history.comparison import Cause, compare
from readiness.history.difference import differences, mixed, smallest
from readiness.record import Record
from readiness.report.runs import History

CHECK = "SEC-HEADERS-HSTS"
WAIVER = "known (owner A, approved by B, until 2026-03-01 00:00 UTC)"


@pytest.fixture(scope="module")
def evidence():
    """What the check's own sources saw of a service that is sound, spoilt in one place, or down."""
    check, found = catalogue("security")[CHECK], {}
    for specimen in check.specimens:
        status = specimen.expected(CHECK)
        if specimen.in_every_run and status in (Status.PASS, Status.NOT_MEASURED):
            with specimen.target() as target:
                found.setdefault(status, [source(target) for source in check.sources])
    spoilt = Evidence.from_json(found[Status.PASS][0].to_json())
    for pair in spoilt.records[-1]["headers"]:
        if pair[0].lower() == "strict-transport-security":
            pair[1] = "max-age=10"
    spoilt.records.reverse()
    for record in spoilt.records:
        record["ms"] = 1234.5
    found[Status.FAIL] = [spoilt, *found[Status.PASS][1:]]
    return found


@pytest.fixture
def run(tmp_path, evidence):
    """Writes a run of the check; the second is a day later."""
    names = iter(("20260101T000000Z", "20260102T000000Z", "20260103T000000Z"))

    def write(seen=Status.PASS, criteria=None, record=None, **changed):
        folder = tmp_path / "demo" / next(names)
        given = {CHECK: criteria} if criteria else {}
        finding = evidence_run.finding_of(folder, CHECK, evidence[seen], given)
        sample_run.write(folder, [finding.model_copy(update=changed)])
        if record:
            kept = Record.read(folder).model_copy(update=record)
            (folder / "findings.json").write_text(kept.to_json())
        return folder

    return write


def flip(*runs):
    (found,) = compare(*runs).flips
    return found


def test_two_runs_that_say_the_same_have_no_flip(run):
    found = compare(run(), run())
    assert found.flips == found.outcome == []


@pytest.mark.parametrize("way", [(Status.PASS, Status.FAIL), (Status.FAIL, Status.PASS)])
def test_a_target_that_changed_is_named_with_the_least_that_turns_the_answer(run, way):
    found = flip(run(way[0]), run(way[1]))
    assert found.causes == [Cause.TARGET]
    assert (found.before.split()[0], found.after.split()[0]) == way
    assert found.evidence_total == 1
    (least,) = found.evidence
    assert "max-age=10" in (least.after if way[1] is Status.FAIL else least.before)


def test_a_threshold_that_changed_is_named(run):
    found = flip(run(), run(criteria={"min_max_age_s": 10**10}))
    assert found.causes == [Cause.THRESHOLD]
    assert found.why[0].startswith("min_max_age_s: ")
    assert found.evidence == []


def test_a_check_that_changed_is_named(run):
    before = run(record={"checks": {CHECK: "a"}})
    record = Record.read(before)
    said = record.findings[0].model_copy(update={"status": Status.FAIL})
    other = record.model_copy(update={"findings": [said]})
    (before / "findings.json").write_text(other.to_json())
    assert flip(before, run(record={"checks": {CHECK: "b"}})).causes == [Cause.CHECK]


def test_a_threshold_and_lost_evidence_together_are_both_named(run):
    found = flip(run(criteria={"min_max_age_s": 10**10}), run(Status.NOT_MEASURED))
    assert found.causes[0] is Cause.THRESHOLD
    assert found.causes[-1] is Cause.LOST


def test_lost_evidence_and_what_is_carried_over_are_named(run):
    first, lost = run(Status.FAIL), run(Status.NOT_MEASURED)
    assert flip(first, lost).causes == [Cause.LOST]
    carried = Record.read(first).findings[0].model_copy(update={"carried_over": first.name})
    third = run(Status.NOT_MEASURED)
    kept = Record.read(third).model_copy(update={"findings": [carried]})
    (third / "findings.json").write_text(kept.to_json())
    assert flip(first, third).causes == [Cause.LOST, Cause.CARRIED_OVER]
    assert flip(lost, first).causes == [Cause.GAINED]


@pytest.mark.parametrize(
    ("before", "after", "cause"),
    [(None, WAIVER, Cause.WAIVER_BEGAN), (WAIVER, None, Cause.WAIVER_ENDED)],
)
def test_a_waiver_that_began_or_ended_is_named(run, before, after, cause):
    found = flip(run(Status.FAIL, waiver=before), run(Status.FAIL, waiver=after))
    assert found.causes == [cause]
    assert "waived" in (found.after if after else found.before)


def test_a_declaration_is_named(run):
    declared = {"status": Status.NOT_APPLICABLE, "observed": "declared: no browser"}
    found = flip(run(), run(**declared))
    assert found.causes == [Cause.DECLARATION]
    assert found.why == ["declared: no browser"]


def test_without_evidence_the_digests_tell(run):
    before, after = run(), run(Status.FAIL)
    for folder in (before, after):
        for file in (folder / "evidence").rglob("*.json"):
            file.write_text("{")
    assert flip(before, after).causes == [Cause.TARGET]


def test_a_policy_that_changed_is_named_where_it_turns_a_verdict(tmp_path):
    before, after = (sample_run.sample(tmp_path / f"2026010{n}T000000Z") for n in (1, 2))
    file = after / "params" / "policy.yaml"
    content = yaml.safe_load(file.read_text())
    for criterion in content["criteria"]:
        criterion.pop("accept", None)
    file.write_text(yaml.safe_dump(content))
    record, strict = Record.read(after), policies.load(file)
    made = decision.decide(record.findings, strict, record.finished)
    other = record.model_copy(update={"policy": strict.digest(), "decision": made})
    (after / "findings.json").write_text(other.to_json())
    found = compare(before, after)
    assert found.flips == []
    assert [(one.what, one.after, one.causes) for one in found.outcome] == [
        ("staging", "NO-GO", ["the policy changed"])
    ]
    assert "params/policy.yaml says something else" in found.notes


def test_the_command_prints_a_table_and_json(run):
    runs = [str(run()), str(run(Status.FAIL))]
    command = [sys.executable, "-m", "readiness", "compare", *runs]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "max-age=10" in " ".join(done.stdout.split())
    assert done.stdout.rstrip().endswith("1 flips")
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=120)
    assert json.loads(done.stdout)["flips"][0]["causes"] == ["the target changed"]


def test_history_names_the_causes_and_leaves_a_broken_run_out(run, tmp_path):
    run(), run(Status.FAIL)
    (tmp_path / "demo" / "20260104T000000Z").mkdir()
    history = History("demo", tmp_path)
    assert "20260104T000000Z" in repr(history.read())
    assert "the target changed" in history.flips()._repr_markdown_()


def test_percentiles_are_drawn_with_their_bounds_from_run_to_run(tmp_path):
    for n, slower in enumerate((1.0, 3.0), 1):
        folder = tmp_path / "demo" / f"2026010{n}T000000Z"
        record = {
            "endpoint": "GET /api/<b>health",
            "targets": {"p95": 50.0},
            "samples_ms": [slower * (5 + k % 7) for k in range(600)],
            "looks": [20, 600],
            "confidence": 0.95,
        }
        kept = sample_run.evidence(folder, "PERF-BASELINE", [record])
        found = sample_run.finding("PERF-BASELINE", Status.PASS, evidence=[kept])
        sample_run.write(folder, [found])
    figure = History("demo", tmp_path).percentiles()
    (line,) = figure.figure.data
    assert list(line.y) == [11.0, 33.0]
    assert "<b>" not in figure._repr_mimebundle_()[0]["text/html"]


def test_differences_are_found_whatever_moved():
    before = {"rows": [{"path": f"/{n}", "ok": True, "ms": n} for n in range(50)]}
    rows = [{**row, "ms": row["ms"] + 0.5} for row in reversed(before["rows"])]
    rows[7] = {**rows[7], "ok": False}
    after = {"rows": rows}
    found = differences(before, after)
    (least,) = smallest(found, lambda part: any(one.place[-1] == "ok" for one in part))
    assert (least.before, least.after) == (True, False)
    assert "/42" in least.place[1]
    assert mixed(before, after, lambda *_: True) == after
    back = mixed(before, after, lambda *_: False)
    assert sorted(map(str, back["rows"])) == sorted(map(str, before["rows"]))
