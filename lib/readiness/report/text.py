"""What the target says is hostile: text made harmless to show, in one place for every output.

Control characters, terminal sequences, invisible and direction-changing characters are shown as
escapes, so that a reader sees them and nothing obeys them. Letters of every script stay as they
are, with the joiners that Persian or Hindi need.
"""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

LONGEST = 2_000  # characters of one text in a document; the evidence file has it whole
LONGEST_CELL = 300  # characters of one cell of a table

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters: C0 but tab and line feed, DEL, C1
    "\u200b\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"  # invisible, bidi overrides
    "\U000e0000-\U000e007f"  # tags: text that no reader sees
    "\ud800-\udfff"  # half a character, which no encoder takes
    "]"
)
_MARKUP = re.compile(r"([\\`*_\[\]<>|~#&@])")
_AT_START = re.compile(r"^(\s*)(?:(\d{1,9})([.)])(?=\s|$)|([-+=])(?!\d))", re.M)
_ADDRESS = re.compile(r"(?i)\b(https?|ftp)(:)|\b(www)(\.)")


def clean(text: object, most: int = LONGEST) -> str:
    """``text`` with nothing unseen in it, cut after ``most`` characters with the count said."""
    whole = text if isinstance(text, str) else str(text)
    kept = whole[:most]
    if len(whole) > most and (end := kept.rfind(" ")) > most * 4 // 5:
        kept = kept[:end]  # after a whole word
    seen = _UNSEEN.sub(_shown, kept.replace("\r\n", "\n"))
    return seen if len(whole) <= most else f"{seen} … ({len(whole):,} characters in all)"


def line(text: object, most: int = LONGEST_CELL) -> str:
    """``text`` cleaned, on one line."""
    return " ⏎ ".join(part.strip() for part in clean(text, most).strip().splitlines())


def value(given: Any, most: int = LONGEST_CELL) -> str:
    """One value of a record as a line: absent is a dash, lists and mappings are JSON."""
    if given is None or given != given:
        return "—"
    if isinstance(given, bool):
        return "yes" if given else "no"
    if isinstance(given, float):
        return f"{given:,.3g}" if abs(given) < 100 else f"{given:,.0f}"
    if isinstance(given, (list, tuple)) and all(isinstance(one, (str, int)) for one in given):
        return line(", ".join(str(one) for one in given[:50]), most) or "—"
    if isinstance(given, (list, tuple, dict)):
        return line(json.dumps(given, ensure_ascii=False, default=str), most)
    return line(given, most) or "—"


def sentence(text: object, most: int = LONGEST_CELL) -> str:
    """``text`` on one line, begun with a capital and ended with a stop."""
    said = line(text, most)
    said = said[:1].upper() + said[1:]
    return said if not said or said.endswith((".", "!", "?", ")")) else f"{said}."


def as_html(text: str) -> str:
    """``text`` cleaned and escaped for HTML, for content and attributes alike."""
    return escape(clean(text))


def as_markdown(text: str) -> str:
    """``text`` cleaned and escaped for GitHub's Markdown: no markup, link or mention forms."""
    escaped = _MARKUP.sub(r"\\\1", clean(text))
    escaped = _AT_START.sub(lambda m: f"{m[1]}{m[2] or ''}\\{m[3] or m[4]}", escaped)
    return _ADDRESS.sub(lambda m: f"{m[1] or m[3]}\\{m[2] or m[4]}", escaped)


def _shown(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else hex(code)
