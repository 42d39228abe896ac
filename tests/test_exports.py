"""findings.json in other tools' formats: each read back by a reader of that format."""

import csv
import io
import json

import openpyxl
import pytest
import sample_run
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


def test_a_cell_that_would_be_a_formula_is_text(record):
    evil = record.findings[0].model_copy(update={"observed": '=HYPERLINK("http://x")'})
    spoilt = record.model_copy(update={"findings": [evil]})
    assert "'=HYPERLINK" in export(spoilt, "csv").content.decode("utf-8-sig")


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


@pytest.mark.parametrize("name", ["junit", "sarif", "csv", "xlsx"])
def test_one_bad_finding_never_drops_the_rest(record, name):
    class Broken:
        check, area, status = "SEC-WAF", "security", Status.FAIL

        def __getattr__(self, name):
            raise RuntimeError("broken")

    spoilt = record.model_copy(update={"findings": [Broken(), *record.findings]})
    made = export(spoilt, name)
    assert len(made.dropped) == 1
    assert record.findings[-1].check.encode() in made.content or name == "xlsx"


def test_an_unknown_format_lists_the_known_ones(record):
    with pytest.raises(ValueError, match="there are: junit"):
        export(record, "pdf")
    assert set(exports.FORMATS) == {"junit", "sarif", "csv", "xlsx", "prometheus", "in-toto"}
