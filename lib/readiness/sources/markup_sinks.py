"""Places where text becomes markup without being escaped, in front ends and in templates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

FRONT_END = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte")
TEMPLATES = (".html", ".htm", ".jinja", ".jinja2", ".j2", ".erb", ".ejs", ".hbs", ".php", ".py")
CLEANERS = r"DOMPurify\s*\.\s*sanitize|sanitizeHtml|sanitize_html|xss\s*\(|bleach\.clean|nh3\.clean"
CLEANERS += r"|escapeHtml|escapeHTML|escape_html|\bescape\s*\(|encodeURIComponent\s*\("
CLEANERS += r"|setHTML\s*\(|createHTML\s*\("
_CLEANED = re.compile(CLEANERS)
_LITERAL = re.compile(r"""^\s*(?:(["'])(?:(?!\1)[^\\\n]|\\.)*\1|`[^`$]*`)\s*[;,)}\]]*\s*(//.*)?$""")
_NAME = re.compile(r"^\s*([A-Za-z_$][\w$]*)\s*[;,)}\]]*\s*$")
IN_SCRIPT = {
    "dangerouslySetInnerHTML": (
        r"dangerouslySetInnerHTML\s*=\s*\{\{\s*__html\s*:\s*(?P<value>.*?)\s*(?:\}\}|$)"
    ),
    "innerHTML": r"\.(?:inner|outer)HTML\s*\+?=(?!=)\s*(?P<value>.*)",
    "insertAdjacentHTML": r"\.insertAdjacentHTML\s*\(\s*[^,]+,\s*(?P<value>.*)",
    "document.write": r"\bdocument\.write(?:ln)?\s*\(\s*(?P<value>.*)",
    "createContextualFragment": r"createContextualFragment\s*\(\s*(?P<value>.*)",
    "jQuery.html": r"\$\([^)]*\)\.(?:html|append|prepend|before|after)\s*\(\s*(?P<value>[^)\s].*)",
    "v-html": r"\bv-html\s*=\s*[\"'](?P<value>[^\"']*)",
    "{@html}": r"\{@html\s+(?P<value>[^}]*)",
    "bypassSecurityTrust": r"bypassSecurityTrust\w+\s*\(\s*(?P<value>.*)",
    "srcdoc": r"\bsrcdoc\s*=\s*\{(?P<value>[^}]*)",
}
IN_TEMPLATE = {
    "|safe": r"\{\{(?P<value>[^}]*)\|\s*safe\b",
    "autoescape off": r"\{%-?\s*autoescape\s+(?P<value>off|false)",
    "<%-": r"<%-(?P<value>[^%]*)%>",
    "{{{ }}}": r"\{\{\{(?P<value>[^}]*)\}\}\}",
    "echo": r"<\?(?:=|php\s+echo)\s*(?P<value>[^?]*\$_(?:GET|POST|REQUEST|COOKIE)[^?]*)",
}
IN_PYTHON = {
    "mark_safe": r"\bmark_safe\s*\(\s*(?P<value>.*)",
    "Markup": r"\bMarkup\s*\(\s*(?P<value>.*)",
    "HTMLResponse of an f-string": r"\bHTMLResponse\s*\(\s*(?P<value>[fF][\"'].*)",
    "autoescape off": r"\bEnvironment\s*\([^)]*autoescape\s*=\s*(?P<value>False)",
    "render_template_string": r"\brender_template_string\s*\(\s*(?P<value>.*)",
}


def unescaped(path: str, text: str) -> Iterator[tuple[int, str, str | None]]:
    """Line, sink and what cleans the value first (or None) of each place in a file.

    A literal is no sink: nobody else's text is in it.
    """
    suffix = PurePosixPath(path).suffix
    sinks = IN_PYTHON if suffix == ".py" else IN_SCRIPT
    if suffix in TEMPLATES and suffix != ".py":
        sinks = {**IN_SCRIPT, **IN_TEMPLATE}
    for name, pattern in sinks.items():
        for match in re.finditer(pattern, text, re.MULTILINE):
            value = match["value"]
            if _LITERAL.match(value) or not value.strip():
                continue
            if _in_comment(text, match.start()):
                continue
            yield text.count("\n", 0, match.start()) + 1, name, _cleaner(text, value)


def _in_comment(text: str, at: int) -> bool:
    before = text[text.rfind("\n", 0, at) + 1 : at].strip()
    return before.startswith(("//", "*", "/*", "#", "{/*", "<!--"))


def _cleaner(text: str, value: str) -> str | None:
    """What makes the value harmless: called on the spot, or where its variable is given a value."""
    if found := _CLEANED.search(value):
        return found[0].strip("( ")
    if named := _NAME.match(value):
        name = re.escape(named[1])
        given = re.findall(rf"\b{name}\b\s*(?::[^=\n]+)?=(?!=|>)\s*([^;\n]*(?:\n[^;\n]*)?)", text)
        cleaners = [_CLEANED.search(one) for one in given]
        if cleaners and all(cleaners):
            return cleaners[0][0].strip("( ") if cleaners[0] else None
    return None
