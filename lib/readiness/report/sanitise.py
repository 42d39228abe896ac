"""What HTML may stand in a document: an allow-list, applied to everything that a cell put out.

Escaping is the first line of defence and the Content-Security-Policy the last; this one is between
them, for what neither catches: a frame that connects, a refresh that leaves, a form that posts, a
style that hides.
"""

from __future__ import annotations

from functools import cache
from typing import Any

TAGS = {
    *("a", "abbr", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl"),
    *("dt", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "kbd", "li", "ol", "p", "pre", "s"),
    *("small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th"),
    *("thead", "time", "tr", "ul", "wbr"),
}
REMOVED_WHOLE = {"script", "style", "iframe", "object", "noscript", "template", "svg", "math"}
ATTRIBUTES = {
    "*": {"aria-label", "dir", "id", "lang", "title"},
    "a": {"href"},
    "div": {"role", "tabindex"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "time": {"datetime"},
}
CLASSES = {
    *("about", "bad", "body", "box", "caption", "caution", "conclusion", "evidence", "facts"),
    *("finding", "fold", "good", "grid", "half", "halves", "headline", "lead", "mark", "matrix"),
    *("n", "none", "note", "open-points", "overline", "quiet", "readiness", "scroll", "shape"),
    *("standing", "steps", "summary", "unknown", "verdict", "verdicts", "wide"),
}
LINKS = ("#", "evidence/", "notebooks/", "https://")  # where a link may lead


@cache
def _cleaner() -> Any:
    import nh3

    return nh3.Cleaner(
        tags=TAGS,
        clean_content_tags=REMOVED_WHOLE,
        attributes=ATTRIBUTES,
        attribute_filter=_attribute,
        allowed_classes=dict.fromkeys(TAGS, CLASSES),
        url_schemes={"https"},
        link_rel=None,  # nothing opens a window, and the page sends no referrer
        strip_comments=True,
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if value.startswith(LINKS) and ".." not in value else None
    if name == "role":
        return value if value == "group" else None
    if name == "tabindex":
        return value if value == "0" else None
    return value


def sanitised(html: str | list[str]) -> str:
    """``html`` with nothing in it that is not on the list, its tags closed."""
    cleaned: str = _cleaner().clean("".join(html).replace("\x00", ""))
    return cleaned
