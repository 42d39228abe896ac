"""findings.json in other tools' formats: each read back by a reader of that format."""

import csv
import io
import json
import subprocess
import sys

import jsonschema
import openpyxl
import pytest
import sample_run
import schemas
from conftest import program
from junitparser import Failure, JUnitXml, Skipped
from prometheus_client.parser import text_string_to_metric_families
from readiness import exports
from readiness.exports import export
from readiness.finding import Status
from readiness.record import Record
from sarif_pydantic import Sarif


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return Record.read(sample_run.sample(tmp_path_factory.mktemp("run") / "20260216T095804Z"))


def by_status(record, *statuses):
    return sorted(f.check for f in record.findings if f.status in statuses)


def test_junit_fails_what_failed_and_passes_only_what_passed(record):
    cases = [c for suite in JUnitXml.fromstring(export(record, "junit").content) for c in suite]
    failed = [c.name for c in cases if any(isinstance(r, Failure) for r in c.result)]
    assert sorted(failed) == by_status(record, Status.FAIL)
    assert sorted(c.name for c in cases if not c.result) == by_status(record, Status.PASS)
    skipped = [c.name for c in cases if any(isinstance(r, Skipped) for r in c.result)]
    assert sorted(skipped) == by_status(record, Status.NOT_MEASURED, Status.NOT_APPLICABLE)


def test_sarif_keeps_to_the_official_schema(either):
    document = json.loads(export(either, "sarif", either).content)
    validator = jsonschema.Draft202012Validator(schemas.SARIF)
    assert not [error.message for error in validator.iter_errors(document)]
    del document["runs"][0]["results"][0]["message"]
    assert list(validator.iter_errors(document))  # it does look


def test_sarif_holds_and_says_what_changed(record):
    content = export(record, "sarif", record).content
    (run,) = Sarif.model_validate_json(content).runs
    assert len(run.results) == len(record.findings)
    results = json.loads(content)["runs"][0]["results"]
    failed = sorted(r["ruleId"] for r in results if r["kind"] == "fail")
    assert failed == by_status(record, Status.FAIL)
    assert all((r["level"] == "none") == (r["kind"] != "fail") for r in results)
    assert {r["baselineState"] for r in results} == {"unchanged"}
    waived = sorted(r["ruleId"] for r in results if r.get("suppressions"))
    assert waived == sorted(f.check for f in record.findings if f.waiver)


def test_tables_hold_every_finding_and_no_formula(record):
    text = export(record, "csv").content.decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [r["check"] for r in rows] == [f.check for f in record.findings]
    assert not any(cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
    book = openpyxl.load_workbook(io.BytesIO(export(record, "xlsx").content))
    assert book.active.max_row == len(record.findings) + 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n=", "\x00=", "＝"])
def test_a_cell_that_would_be_a_formula_is_text(record, start):
    evil = record.findings[0].model_copy(update={"observed": f"{start}cmd|' /C calc'!A0"})
    spoilt = record.model_copy(update={"findings": [evil]})
    (row,) = csv.DictReader(io.StringIO(export(spoilt, "csv").content.decode("utf-8-sig")))
    assert row["observed"].startswith("'")
    sheet = openpyxl.load_workbook(io.BytesIO(export(spoilt, "xlsx").content)).active
    assert all(cell.data_type != "f" for row in sheet.iter_rows() for cell in row)
    assert not [c for row in sheet.iter_rows() for c in row if str(c.value)[:1] in tuple("=+-@")]


def test_prometheus_parses_and_counts(record):
    text = export(record, "prometheus").content.decode()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert sum(s.value for s in families["readiness_findings"].samples) == len(record.findings)
    colours = {s.labels["area"]: s.value for s in families["readiness_area_colour"].samples}
    assert set(colours) == {a.area for a in record.areas}


def test_in_toto_never_counts_an_unknown_as_passed(record):
    statement = json.loads(export(record, "in-toto").content)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    predicate = statement["predicate"]
    assert sorted(predicate["passedTests"]) == by_status(record, Status.PASS)
    assert sorted(predicate["failedTests"]) == by_status(record, Status.FAIL)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return Record.read(sample_run.hostile(tmp_path_factory.mktemp("run") / "20260216T095804Z"))


@pytest.fixture(params=["sample", "hostile"])
def either(request, record):
    return record if request.param == "sample" else request.getfixturevalue("hostile")


def test_junit_is_what_jenkins_reads(either):
    xmlschema = pytest.importorskip("xmlschema")
    xmlschema.XMLSchema(schemas.JUNIT).validate(export(either, "junit").content.decode())


def test_promtool_accepts_the_metrics(either):
    command = [program("promtool"), "check", "metrics"]
    content = export(either, "prometheus").content
    done = subprocess.run(command, input=content, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr.decode()


def test_oscal_is_read_by_trestle_and_satisfies_only_what_passed(either):
    results = pytest.importorskip("trestle.oscal.assessment_results")
    made = export(either, "oscal")
    assert made.dropped == []
    results.Model.parse_raw(made.content)
    (result,) = json.loads(made.content)["assessment-results"]["results"]
    targets = [finding["target"] for finding in result["findings"]]
    satisfied = [t["target-id"] for t in targets if t["status"]["state"] == "satisfied"]
    expected = by_status(either, Status.PASS, Status.NOT_APPLICABLE)
    assert sorted(satisfied) == [check.lower() for check in expected]
    assert len(result["observations"]) == len(either.findings)
    assert made.content == export(either, "oscal").content


@pytest.mark.parametrize("name", exports.FORMATS)
def test_what_the_target_says_breaks_no_format(hostile, name):
    assert export(hostile, name).dropped == []


def test_a_format_whose_package_is_missing_says_which(record, monkeypatch):
    monkeypatch.setitem(sys.modules, "trestle", None)
    monkeypatch.delitem(sys.modules, "readiness.exports.oscal", raising=False)
    monkeypatch.setitem(sys.modules, "trestle.oscal", None)
    with pytest.raises(ValueError, match="needs: pip install compliance-trestle"):
        export(record, "oscal")


def test_sarif_says_which_failure_is_another_one_and_which_check_is_gone(record):
    failed = next(f for f in record.findings if f.status is Status.FAIL)
    others = failed.model_copy(update={"offender_ids": ["another"]})
    changed = [others if f is failed else f for f in record.findings[:-1]]
    now = record.model_copy(update={"findings": changed})
    results = json.loads(export(now, "sarif", record).content)["runs"][0]["results"]
    states = {r["ruleId"]: r["baselineState"] for r in results}
    assert states.pop(failed.check) == "updated"
    assert states.pop(record.findings[-1].check) == "absent"
    assert set(states.values()) == {"unchanged"}


class Broken:
    """A finding that no exporter can carry."""

    check, area, status = "SEC-\ud800", "security", "NO SUCH STATUS"

    def __getattr__(self, name):
        raise RuntimeError("broken")


@pytest.mark.parametrize("name", exports.FORMATS)
@pytest.mark.parametrize("place", [0, -1])
def test_one_bad_finding_never_drops_the_rest(record, name, place):
    findings = list(record.findings)
    findings.insert(place, Broken())
    made = export(record.model_copy(update={"findings": findings}), name)
    assert len(made.dropped) == 1
    if name == "prometheus":
        families = text_string_to_metric_families(made.content.decode())
        counted = next(f for f in families if f.name == "readiness_findings")
        assert sum(s.value for s in counted.samples) == len(record.findings)
    elif name != "xlsx":
        sound = {f.check for f in record.findings}
        assert all(check.lower() in made.content.decode().lower() for check in sound)


def test_an_unknown_format_lists_the_known_ones(record):
    with pytest.raises(ValueError, match="there are: junit"):
        export(record, "pdf")
