"""A ciphertext format as conditions of the server: which values are surely not in clear.

What passes has the shape of a ciphertext to its last character, and its beginning does not decode
to text. What does not is looked at by ``envelope``, value by value.
"""

from __future__ import annotations

import re

from psycopg.sql import SQL, Composable, Composed, Literal

from ..target import Encryption
from .envelope import Envelope

LETTERS = {"base64": "A-Za-z0-9+/", "base64url": "A-Za-z0-9_-", "hex": "0-9a-fA-F"}
PADDING = "={0,2}"
HEAD = 24  # bytes: of random ones, fewer than one in a million read as text
# UTF-8 without control characters, byte by byte in hexadecimal; the last letter may be cut.
UTF8 = (
    "^(?:[2-7].|09|0a|0d|c[2-9a-f][89ab].|d.[89ab].|e.[89ab].[89ab].|f[0-4](?:[89ab].){3})*"
    "(?:[cdef].(?:[89ab].){0,2})?$"
)
LONGEST_COUNT = 250  # a regular expression of PostgreSQL counts no further than 255


def well_formed(value: Composable, envelope: Envelope) -> Composed:
    """Whether a text has the shape of an envelope of this format."""
    return SQL("{} ~ {}").format(value, Literal(shape(envelope.format)))


def legacy(value: Composable, envelope: Envelope) -> Composed:
    """Whether a text has an older prefix and then the shape of a ciphertext, and not of ASCII."""
    form = envelope.format
    if not form.legacy_prefixes:
        return SQL("false AND {} IS NULL").format(value)
    prefixes = "|".join(map(re.escape, form.legacy_prefixes))
    least = form.header_bytes + form.tag_bytes
    bodies = (
        f"[0-9a-fA-F]{{{_count(2 * least)},}}|[A-Za-z0-9+/]{{{_count(4 * least // 3)},}}={{0,2}}"
    )
    ascii_text = "(?:[2-7][0-9a-fA-F]){8}|(?:[A-Za-f][A-Za-z0-9+/]{3}){6}"
    return SQL("({} ~ {} AND {} !~ {})").format(
        value,
        Literal(f"^(?:{prefixes})(?:{bodies})$"),
        value,
        Literal(f"^(?:{prefixes})(?:{ascii_text})"),
    )


def suspicious(value: Composable, envelope: Envelope) -> Composed:
    """Whether what a well-formed envelope holds may be text, or a key as it stands.

    Only one that is encoded as a whole is looked into; others are no shape that text has.
    """
    form = envelope.format
    if form.separator or form.scheme == "fernet":
        return SQL("false AND {} IS NULL").format(value)
    start = len(form.prefix) + 1
    if form.encoding == "hex":
        head = SQL("lower(substr({}, {}, {}))").format(value, Literal(start), Literal(2 * HEAD))
        return SQL("{} ~ {}").format(head, Literal(UTF8))
    body = SQL("substr({}, {}, {})").format(value, Literal(start), Literal(HEAD * 4 // 3))
    if form.encoding == "base64url":
        body = SQL("translate({}, '-_', '+/')").format(body)
    key = rf"^{re.escape(form.prefix)}(?:[0-9a-fA-F]+|[1-9A-HJ-NP-Za-km-z]+)=*$"
    return SQL("(encode(decode({}, 'base64'), 'hex') ~ {} OR {} ~ {})").format(
        body, Literal(UTF8), value, Literal(key)
    )


def shape(form: Encryption) -> str:
    """The regular expression of a whole envelope."""
    sizes = {"salt": form.salt_bytes, "nonce": form.nonce_bytes, "tag": form.tag_bytes}
    prefix = "^" + re.escape(form.prefix)
    if form.scheme == "fernet":  # version 0x80, then a time whose first bytes are naught
        return f"{prefix}gAAAAA[{LETTERS['base64url']}]{{92,}}{PADDING}$"
    if form.separator:
        parts = [_part(form.encoding, sizes.get(name)) for name in form.layout.split()]
        return prefix + re.escape(form.separator).join(parts) + "$"
    least = form.header_bytes + form.tag_bytes
    if form.encoding == "hex":
        return f"{prefix}(?:[{LETTERS['hex']}]{{2}}){{{_count(least)},}}$"
    letters = LETTERS[form.encoding]
    return f"{prefix}[{letters}]{{{_count(-(-4 * least // 3))},}}{PADDING}$"


def _part(encoding: str, size: int | None) -> str:
    letters = f"[{LETTERS[encoding]}]"
    padding = "" if encoding == "hex" else PADDING
    if size is None:
        return f"{letters}*{padding}"
    return f"{letters}{{{2 * size if encoding == 'hex' else -(-4 * size // 3)}}}{padding}"


def _count(number: int) -> int:
    return min(number, LONGEST_COUNT)
