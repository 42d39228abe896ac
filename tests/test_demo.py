"""The demo as `make audit` makes it, here wholly on the wheel's PostgreSQL: what comes out of the
notebooks is the picture that README tells of."""

import json
import os

import pytest
from conftest import own_stack
from readiness import postgresql, runner
from readiness.record import Record

pytestmark = pytest.mark.slow
# Performance is measured by whole runs on a machine of its own; README has its colour.
PICTURE = {
    "deployment": "YELLOW",
    "security": "GREEN",
    "operations": "YELLOW",
    "data_integrity": "GREEN",
    "testing": "GREEN",
}


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("READINESS_POSTGRESQL", "wheel")
        postgresql.installation.cache_clear()
        try:
            with own_stack() as running:
                running.reports()
                outputs = tmp_path_factory.mktemp("outputs")
                yield runner.audit(runner.request("demo", areas=list(PICTURE), outputs=outputs))
        finally:
            postgresql.installation.cache_clear()


@pytest.mark.timeout(600)
def test_the_picture_is_the_seeds(audited):
    kept = Record.read(audited)
    assert {n.area: n.problem for n in kept.notebooks} == dict.fromkeys(PICTURE)
    assert {a.area: str(a.colour) for a in kept.areas if a.area in PICTURE} == PICTURE
    assert not [f for f in kept.findings if str(f.status) == "ERROR"]
    assert kept.decision.production == "NO-GO"


def test_everything_ran_on_the_wheels_server(audited):
    assert os.environ["READINESS_POSTGRESQL"] == "wheel"
    version = postgresql.installation().version
    assert f"PostgreSQL {version} (wheel)" in (audited / "assessment.html").read_text("utf-8")
    evidence = audited / "evidence" / "DAT-SCHEMA-ORM"
    tools = {
        n: json.loads((evidence / f"{n}.json").read_text("utf-8"))["tools"] for n in ("live", "orm")
    }
    assert tools["live"]["PostgreSQL"] == version
    assert tools["orm"]["PostgreSQL"] == f"PostgreSQL {version} (wheel)"
