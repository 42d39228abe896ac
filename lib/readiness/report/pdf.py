"""The assessment as a PDF, printed by a Chromium when the machine has one.

It is printed before anybody can sign, which the document says; so the PDF is covered by the
manifest like any other file, and signing changes nothing in it.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ..finding import NotMeasured
from ..sources import browser
from ..sources.program import run

DEADLINE_S = 120.0
PRINTING = ("--no-pdf-header-footer", "--proxy-server=127.0.0.1:9")  # it asks nobody


def print_page(page: Path, to: Path) -> bool:
    """Print a page to a PDF; False when there is no browser, or it does not get done in time.

    The page's own policy lets nothing load or run that it does not name, and the browser gets a
    profile of its own that is removed again.
    """
    chromium = browser.found()
    if chromium is None:
        return False
    with TemporaryDirectory(prefix="readiness-print-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        made = folder / "page.pdf"
        command = [
            chromium,
            *browser.options(),
            *PRINTING,
            f"--user-data-dir={folder}",
            f"--print-to-pdf={made}",
        ]
        command.append(page.resolve().as_uri())
        try:
            done = run(command, environment={}, timeout_s=DEADLINE_S, folder=folder)
        except NotMeasured:  # it is there and cannot be started
            return False
        if done.returncode != 0 or not made.exists():
            return False
        to.write_bytes(made.read_bytes())
    return True
