"""The audit against a JupyterHub that nobody here wrote, held against facts established by hand.

The facts are in examples/jupyterhub/FACTS.md; nothing here was taken from what the audit said.
"""

import os
import shutil
import subprocess
import sys

import pytest
from readiness import runner
from readiness.documents import ROOT
from readiness.finding import Reason, Status
from readiness.record import Record

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it installs what it audits
STACK = ROOT / "examples" / "jupyterhub" / "stack.py"


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    for program in ("npm", "node"):
        if not shutil.which(program):
            if os.environ.get("CI"):
                pytest.fail(f"needs the program {program}")
            pytest.skip(f"needs the program {program}")
    subprocess.run([sys.executable, str(STACK), "up"], check=True, timeout=400)
    try:
        sys.path.insert(0, str(STACK.parent))
        import importlib.util

        spec = importlib.util.spec_from_file_location("jupyterhub_stack", STACK)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        os.environ.update(module.environment())
        outputs = tmp_path_factory.mktemp("outputs")
        run = runner.audit(runner.request("jupyterhub", outputs=outputs))
        kept = Record.read(run)
        assert [n.problem for n in kept.notebooks] == [None] * 6
        yield {f.check: f for f in kept.findings}
    finally:
        subprocess.run([sys.executable, str(STACK), "down"], check=True, timeout=120)


FACTS = {
    # of the six headers only a framing policy is ever sent, and not on static assets
    "SEC-HEADERS-CSP": Status.FAIL,
    "SEC-HEADERS-XCTO": Status.FAIL,
    "SEC-HEADERS-XFO": Status.FAIL,
    "SEC-HEADERS-REFERRER": Status.FAIL,
    "SEC-HEADERS-PERMISSIONS": Status.FAIL,
    # CORS is `*` on the API's root only, never with credentials, nothing is reflected
    "SEC-CORS": Status.PASS,
    # 22 of 24 GET and 28 of 30 others are refused, the rest is public on purpose
    "SEC-AUTHZ-ANON": Status.PASS,
    # the live database is the ORM's but for Alembic's own table
    "DAT-SCHEMA-ORM": Status.PASS,
    # 19 revisions, one head, which the database is stamped with; they do not start from nothing
    "DAT-SCHEMA-MIGRATIONS": Status.PASS,
    # 24 foreign keys, all validated, no orphans
    "DAT-CONSTRAINTS": Status.PASS,
    # the exposition parses, with its token
    "OPS-METRICS": Status.PASS,
    "DEP-COMPOSE-VALID": Status.NOT_APPLICABLE,
    "DAT-SCHEMA-INIT": Status.NOT_APPLICABLE,
    "SEC-ENC-REST": Status.NOT_APPLICABLE,
    "DAT-PLAINTEXT": Status.NOT_MEASURED,
    "TEST-UNIT": Status.NOT_MEASURED,
    # over plain HTTP a missing HSTS says nothing
    "SEC-HEADERS-HSTS": Status.NOT_MEASURED,
}


@pytest.mark.parametrize("check", FACTS)
def test_fact(check, findings):
    assert findings[check].status is FACTS[check], findings[check].observed


def test_nothing_passes_for_want_of_a_question(findings):
    for finding in findings.values():
        if finding.status is Status.PASS:
            assert finding.samples > 0, finding.check
        if finding.status is Status.NOT_MEASURED:
            assert finding.reason in Reason
            assert finding.observed, finding.check


def test_static_assets_are_named_as_the_ones_without_a_policy(findings):
    classes = {o["class"] for o in findings["SEC-HEADERS-CSP"].offenders}
    assert {"static asset", "page"} <= classes


def test_counts_agree_with_what_was_counted_by_hand(findings):
    assert findings["SEC-AUTHZ-ANON"].samples == 50  # 54 operations, four are public
    assert findings["DAT-CONSTRAINTS"].samples >= 24
