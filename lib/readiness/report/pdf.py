"""The assessment as a PDF, printed by a Chromium when the machine has one.

It is printed before anybody can sign, which the document says; so the PDF is covered by the
manifest like any other file, and signing changes nothing in it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from ..finding import NotMeasured
from ..sources.program import run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
DEADLINE_S = 120.0
QUIETLY = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pdf-header-footer",
    "--proxy-server=127.0.0.1:9",  # the page asks nobody, and nobody answers
)


def print_page(page: Path, to: Path) -> bool:
    """Print a page to a PDF; False when there is no browser, or it does not get done in time.

    The page's own policy lets nothing load or run that it does not name, and the browser gets a
    profile of its own that is removed again. As root its sandbox cannot start and is left out.
    """
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return False
    with TemporaryDirectory(prefix="readiness-print-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        made = folder / "page.pdf"
        command = [browser, *QUIETLY, f"--user-data-dir={folder}", f"--print-to-pdf={made}"]
        command += ["--no-sandbox"] if os.geteuid() == 0 else []
        command.append(page.resolve().as_uri())
        try:
            done = run(command, environment={}, timeout_s=DEADLINE_S, folder=folder)
        except NotMeasured:  # it is there and cannot be started
            return False
        if done.returncode != 0 or not made.exists():
            return False
        to.write_bytes(made.read_bytes())
    return True
