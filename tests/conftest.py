"""What several test modules share, and how the suite is spread over processes.

Under pytest-xdist (`make test`) a module stays on one worker, with what it sets up, unless its
tests name smaller groups by `pytest.mark.xdist_group`. Modules with slow tests begin first. A test
marked `alone` measures time: it waits until no other test runs, and the others wait for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIETLY = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


def group(item):
    mark = item.get_closest_marker("xdist_group")
    return mark.args[0] if mark else item.path.stem


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    slow = {group(item) for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: group(item) not in slow)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))


def pytest_collection_finish(session):
    """A version of pytest that pytest-xdist does not fit loses the groups without a word."""
    if session.config.getoption("loadgroup", False):
        assert all("@" in item.nodeid for item in session.items), "the groups are lost"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    """Hold this file's lock: shared by tests side by side, wholly by one that runs alone."""
    kind = fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH
    lock = os.open(__file__, os.O_RDONLY)
    try:
        fcntl.flock(lock, kind)
        return (yield)
    finally:
        os.close(lock)


def program(*names):
    """The path of a program that the tests need; without it they skip, and in CI they fail."""
    found = next((path for name in names if (path := shutil.which(name))), None)
    return found or missing(f"the program {names[0]}")


def missing(what):
    """Skip a test that needs something which is not there; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(f"needs {what}, which CI must have")
    pytest.skip(f"needs {what}")


@contextmanager
def own_stack():
    """A reference stack that nobody else asks; its variables are set within the block."""
    from readiness import reference

    state, before = Path(tempfile.mkdtemp(prefix="rr-", dir="/tmp")), dict(os.environ)
    try:
        running = reference.stack().up(state)
        os.environ.update(running.environment())
        yield running
    finally:
        reference.stack().down(state)
        Path(f"{state}.lock").unlink(missing_ok=True)
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def browser():
    """A real Chromium. Run notebooks before it is asked for: it occupies the event loop."""
    from playwright.sync_api import sync_playwright

    path = program(*CHROMIUM)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(QUIETLY))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def outputs(tmp_path_factory):
    """Two rendered runs of `demo`: the first like the seed, the second hostile."""
    import sample_run
    from readiness.report import render

    home = tmp_path_factory.mktemp("outputs")
    for name, write in (("20260216T095804Z", "sample"), ("20260217T095804Z", "hostile")):
        run = getattr(sample_run, write)(home / "demo" / name)
        render.assessment(run)
    (home / "demo" / "latest").symlink_to("20260217T095804Z")
    (home / "broken" / "20260216T095804Z").mkdir(parents=True)
    (home / "broken" / "latest").symlink_to("20260216T095804Z")
    render.index(home)
    return home


@pytest.fixture(scope="session")
def sample(outputs):
    return outputs / "demo" / "20260216T095804Z"


@pytest.fixture(scope="session")
def hostile(outputs):
    return outputs / "demo" / "20260217T095804Z"
