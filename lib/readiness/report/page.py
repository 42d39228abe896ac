"""One self-contained page from an executed notebook: no request to any network, nothing inline
that the page's own policy does not name by its digest."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any

from .html import TEMPLATE
from .look import ABOUT, FIGURE_TYPE
from .sanitise import sanitised
from .sign_off import BEGIN, END, OVERRIDE_BEGIN, OVERRIDE_END, with_sign_off
from .text import as_html, clean

BUNDLE = "plotly-cartesian.min.js"
TRACES = {
    *("bar", "box", "contour", "heatmap", "histogram", "histogram2d", "histogram2dcontour"),
    *("image", "pie", "scatter", "scatterternary", "violin"),
}
# Of the markup that Plotly reads in a text, what does no harm and needs no inline style.
_TAG = re.compile(r"<(?!/?(?:br|extra|sub|sup)\s*/?>)")
_HEADING = re.compile(r'<h2 id="([^"]+)">(.*?)</h2>', re.S)
_HEADING_WITHOUT_ID = re.compile(r"<h2>(.*?)</h2>", re.S)
_MARK = re.compile(r'<span class="mark.*?</span>.*?</span>', re.S)  # holds the span of its shape
_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", re.S)
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ,.:_-]")  # what could end a string of a style sheet
EMPTY_STYLE = b""  # Plotly adds one empty style element and fills it by script
# The style attributes that Plotly sets, on the image of a heat map and on colour bars.
PLOTLY_STYLES = (
    b"image-rendering: optimizeSpeed; image-rendering: -moz-crisp-edges; image-rendering: "
    b"-o-crisp-edges; image-rendering: -webkit-optimize-contrast; image-rendering: "
    b"optimize-contrast; image-rendering: crisp-edges; image-rendering: pixelated; ",
    EMPTY_STYLE,
)


def page_of(notebook: Any, imprint: str = "") -> str:
    """The assessment's page: an executed notebook's prose and outputs, with a place to sign.

    ``imprint`` stands at the foot of every printed page: which run this is.
    """
    body = body_of(notebook)
    title = _title(body, "Assessment")
    page = shell(
        f"Production readiness: {title}",
        body,
        _scripts(body),
        contents=[(anchor, _plain(_MARK.sub("", text))) for anchor, text in _HEADING.findall(body)],
        sign_off=f"{BEGIN}{END}",
        override=f"{OVERRIDE_BEGIN}{OVERRIDE_END}",
        imprint=imprint,
    )
    return with_sign_off(page, [])


def notebook_page(notebook: Any, imprint: str = "") -> str:
    """An executed notebook as a page: prose and outputs, with its code folded beside them."""
    body = body_of(notebook, with_code=True)
    title = _title(body, "Notebook")
    footer = "Made by readiness from the executed notebook beside this file."
    page = f'<p class="note"><a href="../assessment.html">The assessment of this run</a></p>{body}'
    return shell(title, page, _scripts(body), footer=footer, imprint=imprint)


def single_page(notebook: Any, footer: str) -> str:
    """Prose and outputs as a page that belongs to no run."""
    body = body_of(notebook)
    return shell(_title(body, "Readiness"), body, _scripts(body), footer=footer)


def _scripts(body: str) -> list[str]:
    bundle = [_template(BUNDLE)] if "<figure" in body else []
    return [*bundle, _template("boot.js")]


def _title(body: str, otherwise: str) -> str:
    return _plain(match[1]) if (match := _TITLE.search(body)) else otherwise


def shell(
    title: str,
    body: str,
    scripts: Sequence[str] = (),
    contents: Sequence[tuple[str, str]] = (),
    sign_off: str = "",
    override: str = "",
    footer: str = "Made by readiness from the evidence beside this file.",
    imprint: str = "",
) -> str:
    """A page around a body that is sanitised already. ``title`` and ``contents`` are HTML."""
    import jinja2

    printed = f'@page {{ @bottom-left {{ content: "{_NOT_PLAIN.sub(" ", imprint)}"; }} }}'
    style = _template("look.css") + _template("page.css") + printed
    page: str = jinja2.Template(_template("page.html.j2"), keep_trailing_newline=True).render(
        policy=content_security_policy([style], scripts),
        title=title,
        style=style,
        contents=contents,
        body=body,
        sign_off=sign_off,
        override=override,
        footer=footer,
        scripts=scripts,
    )
    return page


def content_security_policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Nothing from anywhere, but these styles and scripts, each by its digest.

    ``unsafe-hashes`` lets a style attribute have exactly the values that are named, and no other.
    """
    script = " ".join(_digest(s.encode()) for s in scripts) or "'none'"
    named = [*(s.encode() for s in styles), *PLOTLY_STYLES]
    style = " ".join(["'unsafe-hashes'", *map(_digest, named)])
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def body_of(notebook: Any, with_code: bool = False) -> str:
    """What an executed notebook says and shows, as sanitised HTML with its figures.

    With its code: each cell's source folded above what it put out, and what it printed.
    """
    from nbconvert.exporters.html import HTMLExporter
    from nbconvert.exporters.templateexporter import TemplateExporter
    from traitlets.config import Config

    figures = _Figures()
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="assessment",
        extra_template_basedirs=[str(TEMPLATE)],
        exclude_anchor_links=True,
        config=Config(
            NbConvertBase={
                "display_data_priority": [FIGURE_TYPE, "text/html", "text/markdown", "text/plain"]
            }
        ),
        filters={
            "sanitised": sanitised,
            "escaped": _escaped,
            "figure": figures.add,
            "highlight_code": _escaped,
        },
    )
    # Not HTMLExporter's own: it would parse and write again what was sanitised.
    told = {"with_code": with_code}
    body, _ = TemplateExporter.from_notebook_node(exporter, notebook, resources=told)
    return _HEADING_WITHOUT_ID.sub(_with_id, str(body))


class _Figures:
    """Writes figures, numbered in their order."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, output: Any) -> str:
        """A figure: its caption and label, its data for the script, its numbers for everyone."""
        self.count += 1
        about = output.get("metadata", {}).get(ABOUT, {})
        caption, alt = about.get("caption") or "Figure", about.get("alt") or "Figure"
        figure = harmless(output.data[FIGURE_TYPE])
        if _title_of_figure(figure) == caption:
            del figure["layout"]["title"]
            figure["layout"]["margin"] = {"l": 8, "r": 16, "t": 32, "b": 8}
        height = int(figure["layout"].get("height") or 320)
        table = sanitised(output.data.get("text/html", ""))
        unknown = {t.get("type", "scatter") for t in figure["data"]} - TRACES
        if unknown:
            said = f"Not drawn: {', '.join(sorted(map(str, unknown)))}."
            return f'<p class="note">{as_html(said)}</p>{table}'
        data = {"data": figure["data"], "layout": {**figure["layout"], "height": height}}
        return (
            f'<figure class="chart">'
            f"<figcaption>{as_html(caption)}</figcaption>"
            f'<div class="plot" role="img" aria-label="{as_html(alt)}"></div>'
            f'<script type="application/json">{_json_in_html(data)}</script>'
            f"<details open><summary>The numbers of this figure</summary>"
            f'<div class="body">{table}</div></details></figure>'
        )


def harmless(figure: Any) -> Any:
    """A figure without markup that could run, load or style: texts escaped, no foreign images."""
    cleaned = _walk(json.loads(json.dumps(figure)))
    cleaned.setdefault("layout", {}).pop("images", None)
    return cleaned


def _title_of_figure(figure: Any) -> str:
    title = figure["layout"].get("title") or {}
    return str(title.get("text") or "") if isinstance(title, dict) else str(title)


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return _harmless_text(value) if len(value) < 2_000 or "<" in value else value
    if isinstance(value, list):
        return [_walk(one) for one in value]
    if isinstance(value, dict):
        return {key: one if key == "bdata" else _walk(one) for key, one in value.items()}
    return value


def _harmless_text(text: str) -> str:
    shown = _TAG.sub("&lt;", clean(text))
    return shown.replace("$", "&#36;") if shown.count("$") > 1 else shown  # two would begin math


def _json_in_html(value: Any) -> str:
    """JSON that no tag or comment in it can end."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _escaped(text: str | list[str]) -> str:
    return as_html("".join(text))


def _with_id(match: re.Match[str]) -> str:
    slug = re.sub(r"[^a-z]+", "-", _plain(match[1]).lower()).strip("-")
    return f'<h2 id="{slug}">{match[1]}</h2>'


def _plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).strip()


def _digest(content: bytes) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(content).digest()).decode()}'"


@cache
def _template(name: str) -> str:
    return (TEMPLATE / name).read_text(encoding="utf-8")
