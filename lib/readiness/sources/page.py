"""What an HTML page says for itself: http-equiv meta elements, and the scripts it loads."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

MOST = 50  # elements of each kind that are kept
LONGEST = 2_000  # characters of a value
HTML_TYPES = ("text/html", "application/xhtml+xml")


def is_html(content_type: str | None) -> bool:
    """Whether a browser shows an answer of this type as a page."""
    return (content_type or "").split(";")[0].strip().lower() in HTML_TYPES


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.meta: list[list[str]] = []
        self.scripts: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: (value or "")[:LONGEST] for name, value in attrs}
        name = given.get("http-equiv", given.get("name", "")).strip().lower()
        wanted = "http-equiv" in given or name == "referrer"
        if tag == "meta" and wanted and len(self.meta) < MOST:
            name = "referrer-policy" if name == "referrer" else name
            self.meta.append([name, given.get("content", "")])
        if tag == "script" and len(self.scripts) < MOST:
            self.scripts.append({"src": given.get("src"), "integrity": given.get("integrity")})


def described(text: str) -> dict[str, Any]:
    """``meta``: name and content of what stands for a header; ``scripts``: src and integrity."""
    page = _Page()
    page.feed(text)
    return {"meta": page.meta, "scripts": page.scripts}
