"""The sign-off block of the assessment: the one part of the page that changes as people sign.

It stands between two markers. The manifest holds the digest of the page with the block empty, and
verification asks that the block be exactly what ``with_sign_off`` makes of the attestation, so the
rendering depends on the signatures alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .blocks import Code, Facts, Mark, Paragraph, Section, Strong, Text
from .html import html_of

BEGIN, END = "<!-- sign-off:begin -->", "<!-- sign-off:end -->"


def empty_sign_off(page: str) -> str:
    """The page with its sign-off block empty; a page without exactly one block as it stands."""
    return _with_block(page, "")


def with_sign_off(page: str, signatures: Sequence[Mapping[str, str]]) -> str:
    """The page showing these signatures, each with name, role, decision, comment, time, key_id.

    A page without exactly one block is given back as it stands.
    """
    return _with_block(page, sign_off_block(signatures))


def sign_off_block(signatures: Sequence[Mapping[str, str]]) -> str:
    """The block's HTML: who decided what, when, with which key; or that nobody has signed."""
    if not signatures:
        unsigned = "Nobody has taken responsibility for a decision on this run yet."
        return html_of([Paragraph([Mark("unknown", "NOT SIGNED"), f" {unsigned}"])])
    return html_of([_signature(signed) for signed in signatures])


def _signature(signed: Mapping[str, str]) -> Section:
    decision = Mark.verdict(signed["decision"])
    pairs: list[tuple[str, Text]] = [("Comment", signed["comment"])] if signed["comment"] else []
    pairs += [("Signed at", signed["time"]), ("Key", Code(signed["key_id"]))]
    by = Paragraph([decision, " signed by ", Strong(signed["name"]), f", {signed['role']}"])
    return Section(f"box {decision.tone}", [by, Facts(pairs)])


def _with_block(page: str, block: str) -> str:
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        return page
    before, _, rest = page.partition(BEGIN)
    if END not in rest:
        return page
    return f"{before}{BEGIN}{block}{END}{rest.partition(END)[2]}"
