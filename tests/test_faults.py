"""Each fault of the reference stack turns exactly the checks that it should turn, and no other.

What a fault cannot have touched is not collected again: a changed compose file leaves the service
and its database as they were. One fault of each kind is tried against every source, to show it.

Faults that start the API anew are one group, all others another; each group has a worker's stack.
"""

import fcntl
import os
import shutil

import evidence_run
import pytest
import yaml
from conftest import own_stack
from plain import judge, sources
from readiness import reference
from readiness.check import catalogue
from readiness.documents import ROOT
from readiness.history.comparison import Cause, compare
from readiness.parameters import load

pytestmark = pytest.mark.slow

REFERENCE = reference.stack()
FAULTS = {p.stem: yaml.safe_load(p.read_text()) for p in (ROOT / "reference/faults").glob("*.yaml")}
READS = {  # what each kind of source looks at; one that stands nowhere is always asked again
    "ai": {"service"},
    "audit_trail": {"service", "database"},
    "authentication": {"service"},
    "authorization": {"service"},
    "bursts": {"service"},
    "cors": {"service"},
    "guessing": {"service"},
    "cookies": {"service"},
    "leaks": {"service"},
    "probes": {"service"},
    "static_code": {"api", "other files"},
    "tls": {"infrastructure"},
    "secrets": {"api", "other files", "scripts", "init", "infrastructure"},
    "dangerous_calls": {"api", "other files"},
    "dependencies": {"api", "other files"},
    "declarations": {"parameters"},
    "health": {"service"},
    "outage": {"service"},
    "http": {"service"},
    "met": {"service"},
    "latency": {"service"},
    "load": {"service"},
    "frontend": {"front end"},
    "bundle": {"front end"},
    "queries": {"database"},
    "indexes": {"database"},
    "slow_log": {"database"},
    "metrics": {"service", "infrastructure"},
    "permissions": {"service"},
    "revocation": {"service"},
    "stubs": {"service"},
    "plaintext": {"service", "database"},
    "ciphertexts": {"service", "database"},
    "checksums": {"service", "database"},
    "soft_delete": {"service", "database", "api"},
    "storage": {"database"},
    "constraints": {"database", "api"},
    "catalogue": {"database", "api", "init"},
    "init_sql": {"init"},
    "replay": {"database", "init"},
    "backup": {"database", "scripts"},
    "cipher_code": {"api"},
    "compose": {"other files"},
    "pipeline": {"other files"},
    "reports": {"reports"},
}
AGAINST_EVERYTHING = {"cors-reflected", "compose-unknown-key"}
# What takes seconds is asked again only for the checks that it answers; `make soak` asks every
# source, whatever the fault.
SLOW = {
    "authentication",
    "authorization",
    "backup",
    "bursts",
    "checksums",
    "cipher_code",
    "outage",
    "permissions",
    "probes",
    "secrets",
}
TIMED = {"ai", "latency", "load", "frontend"}


def touched(fault):
    """What a fault changes, by its own description."""
    parts = {"api": "api", "scripts": "scripts", "database": "init", "infrastructure": None}
    found = {"service"} if "environment" in fault else set()
    found |= {"service", "database"} if "sql" in fault else set()
    found |= {"reports"} if "reports" in fault or "rerun" in fault else set()
    for file in fault.get("files", ()):
        top = file["path"].split("/")[0]
        found.add(parts.get(top, "other files") or "infrastructure")
        found |= {"front end"} if top == "frontend" else set()
    return found


RESTARTING = [name for name in sorted(FAULTS) if REFERENCE.faults.load(name).restarts]
SERVICE = pytest.mark.xdist_group("faults of the service")
REST = pytest.mark.xdist_group("faults of the rest")


def answering(fault):
    """The sources of the checks that a fault turns."""
    known = catalogue()
    return {s.name for check in fault["flips"] if check in known for s in known[check].sources}


def timed(fault):
    """Whether it is seen by how long things take."""
    return any(kind(source) in TIMED for source in answering(fault))


def case(name):
    marks = [SERVICE if name in RESTARTING else REST]
    if timed(FAULTS[name]):
        marks.append(pytest.mark.alone)
    return pytest.param(name, marks=marks)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A reference stack of this worker's own, with its reports, which one worker makes for all."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    made = shared / "reports"
    with own_stack() as running:
        with (shared / "reports.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if made.exists():
                shutil.copytree(made, running.state / "reports")
            running.reports()
            shutil.copytree(running.state / "reports", made, dirs_exist_ok=True)
        yield running


def collect(stack, names):
    """Evidence of each source, each with a target of its own: what one of them brings to a stop is
    not held against the others."""
    os.environ.update(stack.environment())
    return {n: source(load("demo").target) for n, source in sources().items() if n in names}


def said(evidence):
    judged = judge(evidence, load("demo"))
    return {check: (one.status, one.reason, one.severity) for check, one in judged.items()}


@pytest.fixture(scope="module")
def sound(stack):
    """What the stack shows while nothing is the matter with it, but for what takes time."""
    stack.clear_fault()
    return collect(stack, {source for source in sources() if kind(source) not in TIMED})


@pytest.fixture(scope="module")
def sound_in_time(stack):
    """How quick it is while nothing is the matter with it."""
    stack.clear_fault()
    return collect(stack, {source for source in sources() if kind(source) in TIMED})


def kind(source):
    return source.split(".")[0]


@SERVICE
def test_it_comes_up_with_its_reports(stack, sound):  # collected here, where others may run beside
    assert sound
    assert stack.answers()
    assert stack.reports().is_dir()


@pytest.mark.alone
@SERVICE
def test_the_sound_stack_gives_the_picture_of_the_seed(sound, sound_in_time):
    by_status = {}
    for check, (status, *_) in said(sound | sound_in_time).items():
        by_status.setdefault(str(status), set()).add(check)
    gaps = {"DEP-COMPOSE-EXPOSURE", "DEP-CI", "TEST-E2E", "SEC-WAF", "DAT-SCHEMA-MIGRATIONS"}
    assert by_status.pop("FAIL") == gaps
    # Its Python packages have no lock, so that nothing says which versions run.
    # The demo's load is short, and by fewer users than are expected: a trial.
    assert by_status.pop("NOT_MEASURED") == {"SEC-DEPENDENCIES", "PERF-LOAD"}
    assert set(by_status) == {"PASS"}, by_status


@pytest.mark.parametrize("asked", ["", pytest.param("everything", marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", [case(name) for name in sorted(FAULTS)])
def test_fault(name, asked, stack, sound, tmp_path, request):
    fault = FAULTS[name]
    expected = set(fault["flips"]) & set(catalogue())
    changed = touched(fault)
    assert changed, "a fault changes something"
    watched = {s for s in sources() if READS.get(kind(s), changed) & changed}
    watched -= {s for s in watched if kind(s) in SLOW | TIMED} - answering(fault)
    if asked == "everything" or name in AGAINST_EVERYTHING:
        watched = {s for s in sources() if asked == "everything" or kind(s) not in TIMED}
    if any(kind(source) in TIMED for source in watched):
        sound = sound | request.getfixturevalue("sound_in_time")
    stack.set_fault(name)
    spoilt = {**sound, **collect(stack, watched)}
    before, now = said(sound), said(spoilt)
    # What could not be measured beside a fault, because the service failed, has not turned.
    turned = {check for check in now if now[check][:2] != before[check][:2]}
    turned |= {check for check in expected if now[check] != before[check]}  # as grave as before?
    turned -= {c for c in turned - expected if "NOT_MEASURED" in (now[c][0], before[c][0])}
    assert turned == expected, {check: (before[check], now[check]) for check in turned ^ expected}
    told = compare(
        evidence_run.write(tmp_path / "20260101T000000Z", sound, load("demo"), turned),
        evidence_run.write(tmp_path / "20260102T000000Z", spoilt, load("demo"), turned),
    )
    assert {flip.check for flip in told.flips} == turned
    for flip in told.flips:
        assert set(flip.causes) <= {Cause.TARGET, Cause.LOST, Cause.GAINED}, flip
        assert flip.evidence, flip  # by which the fault is recognised


@pytest.mark.parametrize(
    "faults", [pytest.param("service", marks=SERVICE), pytest.param("rest", marks=REST)]
)
def test_undoing_the_faults_restores_every_answer(faults, stack, sound):
    stack.clear_fault()
    again = collect(stack, {source for source in sources() if kind(source) not in SLOW | TIMED})
    assert said({**sound, **again}) == said(sound)
