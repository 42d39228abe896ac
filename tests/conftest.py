"""What several test modules share, and how the suite is spread over processes.

Under pytest-xdist (`make test`) a module stays on one worker, with what it sets up, unless its
tests name smaller groups by `pytest.mark.xdist_group`. Modules with slow tests begin first. A test
marked `alone` measures time: it waits until no other test runs, and the others wait for it.
"""

from __future__ import annotations

import fcntl
import os
import shutil

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
    if not found:
        missing = f"needs the program {names[0]}"
        if os.environ.get("CI"):
            pytest.fail(f"{missing}, which CI must have")
        pytest.skip(missing)
    return found


@pytest.fixture(scope="module")
def browser():
    """A real Chromium. Run notebooks before it is asked for: it occupies the event loop."""
    from playwright.sync_api import sync_playwright

    path = program(*CHROMIUM)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(QUIETLY))
        yield chromium
        chromium.close()
