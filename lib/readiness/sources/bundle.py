"""The JavaScript that a page needs before it can do anything, as it is built."""

from __future__ import annotations

import gzip
import re
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Target, need

MOST_FILES = 500
# import "./x.js", import a from "./x.js", export * from "./x.js"; import("./x.js") waits.
STATIC_IMPORT = re.compile(
    r"""(?:^|[;}\s])(?:import|export)\s*(?:[\w$*{}\s,]*?\sfrom\s*|[\w$*{},\s]*?from\s*)?["']"""
    r"""(?P<path>\.{0,2}/[^"']+\.m?js)["']"""
)


class _Scripts(HTMLParser):
    """The scripts that an HTML page loads at once, and what stands in it itself."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.inline = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        relation = (given.get("rel") or "").lower()
        if tag == "script" and (given.get("type") or "").lower() not in ("application/json",):
            if given.get("src"):
                self.urls.append(given["src"] or "")
            else:
                self._inside = True
        if (
            tag == "link"
            and given.get("href")
            and (
                relation == "modulepreload"
                or (relation == "preload" and given.get("as") == "script")
            )
        ):
            self.urls.append(given["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "script"

    def handle_data(self, data: str) -> None:
        self.inline += data if self._inside else ""


@source("passive")
def initial(target: Target) -> Collected:
    """Each file of JavaScript that index.html loads at once, by static imports too: one row."""
    import brotli

    page = need(target.frontend, "target.frontend")
    build = need(page.build, "target.frontend.build")
    folder = need(target.repository, "target.repository").folder / build
    index = folder / "index.html"
    if not index.is_file():
        raise NotMeasured(
            Reason.NO_SAMPLES, f"{build}/index.html is not there: build the front end first"
        )
    parser = _Scripts()
    parser.feed(index.read_text(encoding="utf-8", errors="replace"))
    elsewhere = [url for url in parser.urls if urlsplit(url).netloc]
    waiting = [_local(folder, index, url) for url in parser.urls if not urlsplit(url).netloc]
    contents: dict[str, bytes] = {}
    missing: list[str] = []
    while waiting and len(contents) < MOST_FILES:
        path = waiting.pop()
        name = str(path.relative_to(folder.resolve())) if path.is_relative_to(
            folder.resolve()
        ) else path.name  # fmt: skip
        if name in contents or name in missing:
            continue
        if not path.is_file() or not path.is_relative_to(folder.resolve()):
            missing.append(name)
            continue
        contents[name] = path.read_bytes()
        text = contents[name].decode("utf-8", errors="replace")
        waiting += [_local(folder, path, m["path"]) for m in STATIC_IMPORT.finditer(text)]
    if parser.inline.strip():
        contents["(in index.html)"] = parser.inline.encode()
    records = [
        {
            "file": name,
            "bytes": len(content),
            "gzip": len(gzip.compress(content, 9)),
            "brotli": len(brotli.compress(content)),
        }
        for name, content in sorted(contents.items())
    ]
    later = sum(1 for p in folder.rglob("*.js") if p.is_file()) - len(contents)
    facts = {"budget": page.initial_js_bytes, "missing": missing, "elsewhere": elsewhere}
    facts |= {"index": f"{build}/index.html", "loaded_later": max(later, 0)}
    return Collected(records, facts, {"brotli": version("brotli")})


def _local(folder: Path, page: Path, url: str) -> Path:
    """The file that an address in a page of the build means."""
    path = urlsplit(url).path
    return (folder / path.lstrip("/") if path.startswith("/") else page.parent / path).resolve()


def table(evidence: Evidence) -> Any:
    """A data frame: each file with its size in KB, plain and compressed, the largest first."""
    import pandas as pd

    rows = sorted(evidence.records, key=lambda record: -record["gzip"])
    columns = {"bytes": "plain, KB", "gzip": "gzip, KB", "brotli": "brotli, KB"}
    frame = pd.DataFrame(rows, columns=["file", *columns]).rename(columns=columns)
    frame[list(columns.values())] = (frame[list(columns.values())].astype(float) / 1000).round(2)
    return frame
