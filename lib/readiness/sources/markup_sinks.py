"""Places where text becomes markup without being escaped, in front ends and in templates."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from .python_sql import called, constants, is_fixed

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
IN_PYTHON = ("mark_safe", "Markup", "render_template_string")  # what they are handed first
IN_PYTHON_TEXT = {  # for code of a Python that cannot be parsed
    name: rf"\b{name}\s*\(\s*(?P<value>.*)" for name in IN_PYTHON
}


def unescaped(path: str, text: str) -> Iterator[tuple[int, str, str | None]]:
    """Line, sink and what cleans the value first (or None) of each place in a file.

    A literal is no sink: nobody else's text is in it.
    """
    suffix = PurePosixPath(path).suffix
    if suffix == ".py" and (tree := _parsed(text)):
        yield from _in_python(text, tree)
        return
    sinks = IN_PYTHON_TEXT if suffix == ".py" else IN_SCRIPT
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


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _in_python(text: str, tree: ast.Module) -> Iterator[tuple[int, str, str | None]]:
    fixed = constants(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        first = next(iter([*node.args, *given.values()]), None)
        if name == "Environment":
            off = given.get("autoescape")
            if isinstance(off, ast.Constant) and off.value is False:
                yield node.lineno, "autoescape off", None
        elif name == "HTMLResponse":
            if isinstance(first, ast.JoinedStr) and not is_fixed(first, fixed):
                yield node.lineno, "HTMLResponse of an f-string", _cleaned(text, first)
        elif name in IN_PYTHON and first is not None and not is_fixed(first, fixed):
            yield node.lineno, name, _cleaned(text, first)


def _cleaned(text: str, value: ast.expr) -> str | None:
    return _cleaner(text, ast.get_source_segment(text, value) or "")


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
