"""The sign-off blocks of the assessment: the parts of the page that change as people sign.

The signatures stand at its end; what they override stands on its first page. Each block is between
two markers. The manifest holds the digest of the page with the blocks empty, and verification asks
that they be exactly what ``with_sign_off`` makes of the attestation, so the rendering depends on
the signatures alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .blocks import Code, Facts, Mark, Paragraph, Piece, Section, Strong, Text
from .html import html_of

BEGIN, END = "<!-- sign-off:begin -->", "<!-- sign-off:end -->"
OVERRIDE_BEGIN, OVERRIDE_END = "<!-- override:begin -->", "<!-- override:end -->"


def empty_sign_off(page: str) -> str:
    """The page with its sign-off blocks empty; what is not there exactly once stays as it is."""
    return _with_blocks(page, "", "")


def with_sign_off(page: str, signatures: Sequence[Mapping[str, str]]) -> str:
    """The page showing these signatures.

    Each has name, role, stage, decision, comment, override, time and key_id. A block that the page
    does not have exactly once stays as it is.
    """
    return _with_blocks(page, sign_off_block(signatures), override_block(signatures))


def override_block(signatures: Sequence[Mapping[str, str]]) -> str:
    """The HTML on page one for decisions better than the computed one; empty without any."""
    return html_of([_override(signed) for signed in signatures if signed["override"]])


def _override(signed: Mapping[str, str]) -> Section:
    mark = Mark("bad", "OVERRIDE")
    by: list[Piece] = [mark, " ", Strong(signed["name"]), f", {signed['role']}, signed "]
    by += [Mark.verdict(signed["decision"]), f" for {signed['stage']}"]
    by += [" against the decision that this document computes."]
    return Section(
        "box bad override", [Paragraph(by), Paragraph(["Because: ", signed["override"]])]
    )


def sign_off_block(signatures: Sequence[Mapping[str, str]]) -> str:
    """The block's HTML: who decided what, when, with which key; or that nobody has signed."""
    if not signatures:
        unsigned = "Nobody has taken responsibility for a decision on this run yet."
        return html_of([Paragraph([Mark("unknown", "NOT SIGNED"), f" {unsigned}"])])
    return html_of([_signature(signed) for signed in signatures])


def _signature(signed: Mapping[str, str]) -> Section:
    decision = Mark.verdict(signed["decision"])
    pairs: list[tuple[str, Text]] = [("Stage", signed["stage"])]
    pairs += [("Override", signed["override"])] if signed["override"] else []
    pairs += [("Comment", signed["comment"])] if signed["comment"] else []
    pairs += [("Signed at", signed["time"]), ("Key", Code(signed["key_id"]))]
    by = Paragraph([decision, " signed by ", Strong(signed["name"]), f", {signed['role']}"])
    return Section(f"box {decision.tone}", [by, Facts(pairs)])


def _with_blocks(page: str, sign_off: str, override: str) -> str:
    page = _with_block(page, BEGIN, sign_off, END)
    return _with_block(page, OVERRIDE_BEGIN, override, OVERRIDE_END)


def _with_block(page: str, begin: str, block: str, end: str) -> str:
    if page.count(begin) != 1 or page.count(end) != 1:
        return page
    before, _, rest = page.partition(begin)
    if end not in rest:
        return page
    return f"{before}{begin}{block}{end}{rest.partition(end)[2]}"
