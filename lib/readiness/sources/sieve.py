"""A ciphertext format as conditions of the server: which values are surely not in clear.

What passes has the shape of a ciphertext to its last character, and its beginning does not decode
to text. What does not is looked at by ``envelope``, value by value.
"""

from __future__ import annotations

import re

from psycopg.sql import SQL, Composable, Composed, Literal

from ..target import Encryption
from .aead import FERNET_BLOCK, FERNET_HEAD
from .envelope import Envelope

LETTERS = {"base64": "A-Za-z0-9+/", "base64url": "A-Za-z0-9_-", "hex": "0-9a-fA-F"}
PADDING = "={0,2}"
HEAD = 24  # bytes: of random ones, fewer than one in a million read as text
# UTF-8 without control characters, and a little more, byte by byte in hexadecimal; the last letter
# may be cut.
UTF8 = "^(?:[2-7].|0[9ad]|[c-f].(?:[89ab].)+)*(?:[c-f].)?$"


def well_formed(value: Composable, envelope: Envelope) -> Composed:
    """Whether a text has the shape of an envelope of this format, and its length.

    The length is not counted by the expression, which would take six times as long.
    """
    return SQL("({} ~ {} AND octet_length({}) >= {})").format(
        value, Literal(shape(envelope.format)), value, Literal(shortest(envelope.format))
    )


def legacy(value: Composable, envelope: Envelope) -> Composed:
    """Whether a text has an older prefix and then the shape of a ciphertext, and not of ASCII."""
    form = envelope.format
    if not form.legacy_prefixes:
        return SQL("false AND {} IS NULL").format(value)
    prefixes = "|".join(map(re.escape, form.legacy_prefixes))
    least = form.header_bytes + form.tag_bytes
    bodies = "[0-9a-fA-F]*|[A-Za-z0-9+/]*={0,2}"
    ascii_text = "(?:[2-7][0-9a-fA-F]){8}|(?:[A-Za-f][A-Za-z0-9+/]{3}){6}"
    return SQL("({} ~ {} AND octet_length({}) >= {} AND {} !~ {})").format(
        value,
        Literal(f"^(?:{prefixes})(?:{bodies})$"),
        value,
        Literal(min(map(len, form.legacy_prefixes)) + 4 * least // 3),
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


def shortest(form: Encryption) -> int:
    """The length of an envelope around nothing, without padding."""
    least = form.header_bytes + form.tag_bytes
    if form.scheme == "fernet":
        least += FERNET_HEAD + FERNET_BLOCK
    body = 2 * least if form.encoding == "hex" else -(-4 * least // 3)
    return len(form.prefix.encode()) + body


def shape(form: Encryption) -> str:
    """The regular expression of a whole envelope."""
    sizes = {"salt": form.salt_bytes, "nonce": form.nonce_bytes, "tag": form.tag_bytes}
    prefix = "^" + re.escape(form.prefix)
    if form.scheme == "fernet":  # version 0x80, then a time whose first bytes are naught
        return f"{prefix}gAAAAA[{LETTERS['base64url']}]*{PADDING}$"
    if form.separator:
        parts = [_part(form.encoding, sizes.get(name)) for name in form.layout.split()]
        return prefix + re.escape(form.separator).join(parts) + "$"
    if form.encoding == "hex":
        return f"{prefix}(?:[{LETTERS['hex']}]{{2}})*$"
    return f"{prefix}[{LETTERS[form.encoding]}]*{PADDING}$"


def _part(encoding: str, size: int | None) -> str:
    letters = f"[{LETTERS[encoding]}]"
    padding = "" if encoding == "hex" else PADDING
    if size is None:
        return f"{letters}*{padding}"
    return f"{letters}{{{2 * size if encoding == 'hex' else -(-4 * size // 3)}}}{padding}"
