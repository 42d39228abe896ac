"""End-to-end tests in a real browser, reported as Playwright's JSON reporter does.

    python tests/e2e/run.py REPORT

The page has changed since some of these were written, and nobody has updated their selectors.
Without a browser every test is reported as skipped, and a skipped test has shown nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

try:
    from playwright.sync_api import Error, Page, sync_playwright
except ImportError:
    sync_playwright = None

BASE = os.environ["NPS_BASE_URL"]
PATIENCE_MS = 2_000
Test = Callable[["Page"], None]
TESTS: dict[str, Test] = {}


def test(title: str) -> Callable[[Test], Test]:
    """Enter a test in the list."""

    def enter(function: Test) -> Test:
        TESTS[title] = function
        return function

    return enter


def expect(condition: bool, what: str) -> None:
    """Fail with a reason."""
    if not condition:
        raise AssertionError(what)


def log_in(page: Page, password: str | None = None) -> None:
    page.goto(BASE)
    page.fill("input[name=username]", os.environ["NPS_USER_USERNAME"])
    page.fill("input[name=password]", password or os.environ["NPS_USER_PASSWORD"])
    page.click("[data-testid=login-button]")


@test("the page has its title")
def _title(page: Page) -> None:
    page.goto(BASE)
    expect(page.title() == "NPS Oracle", page.title())


@test("the login form is shown first")
def _form(page: Page) -> None:
    page.goto(BASE)
    page.wait_for_selector("[data-testid=login-form]")
    expect(page.is_hidden("#oracle"), "readings are shown to nobody in particular")


@test("a wrong password is told")
def _wrong(page: Page) -> None:
    log_in(page, "wrong")
    page.wait_for_selector("#problem:has-text('Wrong user name or password')")


@test("logging in shows readings")
def _readings(page: Page) -> None:
    log_in(page)
    page.wait_for_selector("[data-testid=readings] li")
    expect("Logged in as user" in page.inner_text("#who"), page.inner_text("#who"))


@test("asking a question adds a reading")
def _ask(page: Page) -> None:
    log_in(page)
    page.fill("textarea[name=question]", "Will <b>this</b> be text?")
    page.click("[data-testid=ask-button]")
    page.wait_for_selector("li:has-text('Will <b>this</b> be text?')")


@test("logging out hides the readings")
def _logout(page: Page) -> None:
    log_in(page)
    page.click("[data-testid=logout-button]")
    page.wait_for_selector("[data-testid=login-form]")
    expect(page.locator("[data-testid=readings] li").count() == 0, "readings are still there")


@test("the login form has a submit button")
def _old_submit(page: Page) -> None:
    page.goto(BASE)
    page.click("#login-submit")


@test("the dashboard lists readings as cards")
def _old_cards(page: Page) -> None:
    log_in(page)
    page.wait_for_selector(".reading-card")


@test("the language can be switched to Persian")
def _old_language(page: Page) -> None:
    page.goto(BASE)
    page.click("[data-testid=language-toggle]")


@test("the user menu shows the name")
def _old_menu(page: Page) -> None:
    log_in(page)
    page.wait_for_selector(".user-menu >> text=user")


def browser() -> str | None:
    """The system's Chromium, if there is one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def run() -> list[dict[str, Any]]:
    """Run every test; one spec for each."""
    program = browser()
    if sync_playwright is None or program is None:
        return [spec(title, "skipped", 0.0, "no browser") for title in TESTS]
    specs = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE_MS)
        for title, function in TESTS.items():
            started, problem = time.monotonic(), None
            try:
                function(page)  # each begins by loading the page, which forgets who was logged in
            except (AssertionError, Error) as error:
                problem = str(error).splitlines()[0]
            seconds = time.monotonic() - started
            specs.append(spec(title, "failed" if problem else "passed", seconds, problem))
        chromium.close()
    return specs


def spec(title: str, status: str, seconds: float, problem: str | None) -> dict[str, Any]:
    """One spec as the reporter writes it."""
    result: dict[str, Any] = {"status": status, "duration": round(seconds * 1000), "retry": 0}
    if problem:
        result["errors"] = [{"message": problem}]
    outcome = {"passed": "expected", "failed": "unexpected", "skipped": "skipped"}[status]
    tests = [
        {
            "projectName": "chromium",
            "expectedStatus": "skipped" if status == "skipped" else "passed",
            "status": outcome,
            "results": [result],
        }
    ]
    return {"title": title, "ok": status != "failed", "file": "run.py", "tests": tests}


def main() -> int:
    """Write the report; 1 when a test failed."""
    started, clock = datetime.now(UTC), time.monotonic()
    specs = run()
    outcomes = [s["tests"][0]["status"] for s in specs]
    report = {
        "config": {"metadata": {"commit": os.environ.get("NPS_COMMIT", "unknown")}},
        "suites": [{"title": "e2e", "file": "run.py", "specs": specs, "suites": []}],
        "errors": [],
        "stats": {
            "startTime": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "duration": round((time.monotonic() - clock) * 1000),
            "expected": outcomes.count("expected"),
            "skipped": outcomes.count("skipped"),
            "unexpected": outcomes.count("unexpected"),
            "flaky": 0,
        },
    }
    Path(sys.argv[1]).write_text(json.dumps(report, indent=2))
    return int("unexpected" in outcomes)


if __name__ == "__main__":
    sys.exit(main())
