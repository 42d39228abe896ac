"""What several test modules share."""

from __future__ import annotations

import os
import shutil

import pytest

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIETLY = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")


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
