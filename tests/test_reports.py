"""Test reports of real runners, broken ones, and what a suite's verdict may be built on."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from readiness.calibration import try_specimen
from readiness.check import catalogue
from readiness.finding import Reason, Severity, Status, Strength
from readiness.parameters import validated
from readiness.sources import reports
from readiness.sources.testreports import Unreadable, is_commit_name, junit, playwright
from readiness.target import Target

COMMIT = "5f0c2d1a9b8e7f6d5c4b3a29180706f5e4d3c2b1"
SUITE = """
import pytest

@pytest.fixture(scope="session", autouse=True)
def commit(record_testsuite_property):
    record_testsuite_property("commit", "{commit}")

@pytest.fixture
def breaks_later():
    yield
    raise RuntimeError("teardown")

@pytest.mark.parametrize("n", range(3))
def test_sound(n): pass
def test_fails(): assert False
def test_error(missing): pass
def test_fails_and_breaks(breaks_later): assert False
@pytest.mark.skip(reason="no database")
def test_skipped(): pass
@pytest.mark.xfail
def test_expected(): assert False
@pytest.mark.xfail(strict=True)
def test_unexpected(): pass
"""


def target(folder, **more):
    described = {"path": str(folder), "unit": ["*.xml"], "commit": COMMIT, **more}
    return validated(Target, {"name": "x", "reports": described}, "test", {})


def judged(folder, **more):
    check = catalogue()["TEST-UNIT"]
    return check.assess([reports.unit(target(folder, **more))], check.criteria())


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A report that pytest itself has written."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "test_suite.py").write_text(SUITE.replace("{commit}", COMMIT))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    command += ["--rootdir", str(folder), f"--junitxml={folder / 'unit.xml'}", str(folder)]
    done = subprocess.run(command, capture_output=True, timeout=120, cwd=folder)
    assert done.returncode == 1
    return folder


def test_what_pytest_writes_is_understood(real):
    evidence = reports.unit(target(real))
    outcomes = {r["test"].split("::")[1]: r["outcome"] for r in evidence.records}
    assert outcomes == {
        "test_sound[0]": "passed",
        "test_sound[1]": "passed",
        "test_sound[2]": "passed",
        "test_fails": "failed",
        "test_error": "error",
        "test_fails_and_breaks": "error",
        "test_skipped": "skipped",
        "test_expected": "expected failure",
        "test_unexpected": "failed",
    }
    (report,) = evidence.facts["files"]
    assert report["commit"] == COMMIT
    assert report["dated_by"] == "report"
    assert report["age_hours"] < 1
    assert report["lost"] is None


def test_declared_failures_are_left_out_of_the_rate_and_told(real):
    names = ["*::test_fails*", "*::test_error", "*::test_unexpected"]
    declared = [{"test": n, "reason": "known", "expires": "2999-12-31"} for n in names]
    check = catalogue()["TEST-UNIT"]
    evidence = reports.unit(target(real, expected_failures=declared))
    lenient = check.criteria(max_excused=1.0, max_skipped=1.0)
    found = check.assess([evidence], lenient)
    assert found.status is Status.PASS
    assert "3 of 7 tests passed (42.8 %); without 4 declared failures 3 of 3" in found.observed
    assert check.assess([evidence], check.criteria()).status is Status.FAIL


def test_a_pattern_means_its_brackets(real):
    declared = [{"test": "*::test_sound[0]", "reason": "x", "expires": "2999-12-31"}]
    found = judged(real, expected_failures=declared)
    assert "1 pass although declared to fail" in found.observed


def test_a_surprise_alone_is_a_minor_failure(tmp_path):
    (tmp_path / "a.xml").write_text(
        f'<testsuite><properties><property name="commit" value="{COMMIT}"/></properties>'
        '<testcase name="a"/><testcase name="b"/></testsuite>'
    )
    declared = [{"test": "a", "reason": "x", "expires": "2999-12-31"}]
    found = judged(tmp_path, expected_failures=declared)
    assert (found.status, found.severity) == (Status.FAIL, Severity.LOW)
    assert judged(tmp_path).strength is None  # as strong as the check can be


@pytest.mark.parametrize(
    ("days", "status"), [(0, Status.PASS), (-1, Status.FAIL)], ids=["last day", "day after"]
)
def test_a_declaration_holds_through_its_last_day(tmp_path, days, status):
    (tmp_path / "a.xml").write_text(
        '<testsuite><testcase name="a"><failure/></testcase>'
        + "".join(f'<testcase name="t{n}"/>' for n in range(9))
        + "</testsuite>"
    )
    last = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    declared = [{"test": "a", "reason": "x", "expires": last}]
    assert judged(tmp_path, expected_failures=declared).status is status


def test_a_report_without_commit_is_believed_less(tmp_path):
    (tmp_path / "a.xml").write_text('<testsuite><testcase name="a"/></testsuite>')
    assert judged(tmp_path).strength is Strength.CONFIGURED
    assert judged(tmp_path, commit=None).strength is Strength.CONFIGURED


def test_the_rate_is_never_rounded_up(tmp_path):
    cases = "".join(f'<testcase name="t{n}"/>' for n in range(1870))
    (tmp_path / "a.xml").write_text(
        f'<testsuite>{cases}<testcase name="x"><error/></testcase></testsuite>'
    )
    found = judged(tmp_path)
    assert found.status is Status.FAIL
    assert found.observed.startswith("1,870 of 1,871 tests passed (99.9 %)")


def test_an_old_file_that_bears_no_date_is_stale(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text('<testsuite><testcase name="a"/></testsuite>')
    old = datetime.now(UTC).timestamp() - 30 * 86_400
    os.utime(path, (old, old))
    assert judged(tmp_path).reason is Reason.STALE


@pytest.mark.parametrize("pattern", ["/etc/*.xml", "../*.xml", "a/../../b.xml"])
def test_reports_lie_below_their_folder(tmp_path, pattern):
    evidence = reports.unit(target(tmp_path, unit=[pattern]))
    assert evidence.problem.reason is Reason.NO_PARAMETER


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_refused_in_any_encoding(tmp_path, encoding):
    (tmp_path / "secret.txt").write_text("hunter2-of-the-auditor")
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE t [<!ENTITY f SYSTEM '
        f'"file://{tmp_path}/secret.txt">]><testsuite><testcase name="&f;"/></testsuite>'
    )
    (tmp_path / "a.xml").write_bytes(text.encode(encoding))
    evidence = reports.unit(target(tmp_path))
    assert "document type" in evidence.facts["files"][0]["unreadable"]
    assert "hunter2" not in evidence.to_json()


def test_failure_messages_stay_out_of_the_evidence(tmp_path):
    (tmp_path / "a.xml").write_text(
        '<testsuite><properties><property name="DB_PASSWORD" value="hunter2"/></properties>'
        '<testcase name="a"><failure message="hunter2">hunter2</failure>'
        "<system-out>hunter2</system-out></testcase></testsuite>"
    )
    assert "hunter2" not in reports.unit(target(tmp_path)).to_json()


def test_cases_that_stand_outside_of_a_suite_count():
    found = junit.read(b'<testsuites><testcase name="a" classname="test"/></testsuites>')
    assert [case.test for case in found.cases] == ["test::a"]


@pytest.mark.parametrize(
    "metadata",
    [{"commit": COMMIT}, {"gitCommit": {"hash": COMMIT}}, {"revision.id": COMMIT},
     {"ci": {"commitHash": COMMIT}}],
)  # fmt: skip
def test_playwright_says_its_commit_in_several_ways(metadata):
    content = json.dumps({"suites": [], "config": {"metadata": metadata}}).encode()
    assert playwright.read(content).commit == COMMIT


def test_names_of_a_commit():
    assert all(map(is_commit_name, ["commit", "git.commit.id", "GIT_COMMIT", "CI_COMMIT_SHA"]))
    assert not any(map(is_commit_name, ["committer", "version", "commit.message", ""]))


def test_a_suite_that_another_bar_would_pass_keeps_its_receipt():
    check = catalogue()["TEST-E2E"]
    lower = check.criteria(min_rate=0.5, max_skipped=1.0, max_excused=1.0)
    for specimen in (s for s in check.specimens if s.in_every_run):
        assert try_specimen(check, specimen, lower).as_expected, specimen.name


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=4)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["suites", "specs", "tests", "results", "status", "duration", "title", "config",
                 "metadata", "gitCommit", "errors", "stats", "startTime", "projectName"]
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(["suites", "config", "errors", "stats"]), JSON))
def test_no_shape_of_playwright_json_breaks_the_reader(content):
    try:
        playwright.read(json.dumps(content).encode())
    except Unreadable:
        assert not isinstance(content.get("suites"), list)


TAGS = st.sampled_from(["testsuites", "testsuite", "testcase", "failure", "properties", "property"])
XML = st.recursive(
    st.just(""),
    lambda inner: st.builds(
        lambda tag, value, parts: (
            f'<{tag} name="{value}" tests="{value}" time="{value}" timestamp="{value}"'
            f' value="{value}">{"".join(parts)}</{tag}>'
        ),
        TAGS,
        st.sampled_from(["", "1", "x", "commit", "1,5", "-3", "2026-01-01T00:00:00"]),
        st.lists(inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(XML)
@example("<testsuites/>")
@example("<testsuite><testcase/></testsuite>")
def test_no_shape_of_xml_breaks_the_source(tmp_path, content):
    (tmp_path / "a.xml").write_text(content)
    evidence = reports.unit(target(tmp_path))
    assert evidence.problem is None


def test_bottomless_xml_is_refused():
    with pytest.raises(Unreadable, match="deep"):
        junit.read(b"<testsuite>" * 3000 + b"</testsuite>" * 3000)
