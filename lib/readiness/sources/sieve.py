"""A ciphertext format as conditions of the server: which values are surely not in clear.

What passes has the shape of a ciphertext to its last character, and does not decode to text. What
does not is looked at by ``envelope``, value by value.

A regular expression costs by its states and not by what it says: PostgreSQL makes the automaton
anew for each value, and at twice the price where it has more than ten states or fifteen classes of
letters. So the prefix and the length are no part of it, and the exact question whether an envelope
holds text is put only where its first letters leave that open.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from psycopg.sql import SQL, Composable, Composed, Literal

from ..target import Encryption
from .aead import FERNET_BLOCK, FERNET_HEAD
from .envelope import Envelope

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ALPHABETS = {"base64": DIGITS + "+/", "base64url": DIGITS + "-_"}
LETTERS = {"base64": "A-Za-z0-9+/", "base64url": "A-Za-z0-9_-", "hex": "0-9a-fA-F"}
PADDING = "={0,2}"
HEAD = 24  # bytes: of random ones, fewer than one in a million read as text
# UTF-8 without control characters, and a little more, byte by byte in hexadecimal; the last letter
# may be cut.
UTF8 = "^(?:[2-7].|0[9ad]|[c-f].(?:[89ab].)+)*(?:[c-f].)?$"


def sealed(value: Composable, envelope: Envelope) -> Composed:
    """Whether a text is surely an envelope: its shape is one's, and no text is in it."""
    return SQL("CASE WHEN {} THEN NOT {} ELSE false END").format(
        well_formed(value, envelope), suspicious(value, envelope)
    )


def well_formed(value: Composable, envelope: Envelope) -> Composed:
    """Whether a text has the shape of an envelope of this format, and its length."""
    form = envelope.format
    return SQL("(starts_with({}, {}) AND octet_length({}) >= {} AND {} AND {} ~ {})").format(
        value,
        Literal(form.prefix),
        value,
        Literal(shortest(form)),
        _even(value, form),
        _rest(value, form),
        Literal(shape(form)),
    )


def _rest(value: Composable, form: Encryption) -> Composable:
    """What follows the prefix; right() is what the server is quickest at."""
    return SQL("right({}, {})").format(value, Literal(-len(form.prefix))) if form.prefix else value


def _even(value: Composable, form: Encryption) -> Composable:
    """Whether the length is one that bytes have when they are encoded as one."""
    if form.separator or form.scheme == "fernet":
        return SQL("true")
    length = SQL("octet_length({}) - {}").format(value, Literal(len(form.prefix.encode())))
    if form.encoding == "hex":
        return SQL("({}) % 2 = 0").format(length)
    # Without padding it may be shorter, but not by three.
    return SQL("(({l}) % 4 = 0 OR ({l}) % 4 > 1 AND {v} NOT LIKE '%=')").format(l=length, v=value)


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
    head = min(HEAD, (form.header_bytes + form.tag_bytes) // 3 * 3)  # which every envelope has
    body = SQL("substr({}, {}, {})").format(
        value,
        Literal(len(form.prefix) + 1),
        Literal(2 * head if form.encoding == "hex" else head * 4 // 3),
    )
    if form.encoding == "hex":
        return SQL("lower({}) ~ {}").format(body, Literal(UTF8))
    if form.encoding == "base64url":
        body = SQL("translate({}, '-_', '+/')").format(body)
    key = rf"^{re.escape(form.prefix)}(?:[0-9a-fA-F]+|[1-9A-HJ-NP-Za-km-z]+)=*$"
    return SQL(
        "({rest} ~ {like_text} AND encode(decode({body}, 'base64'), 'hex') ~ {text}"
        " OR NOT ({no_key}) AND {value} ~ {key})"
    ).format(
        rest=_rest(value, form),
        like_text=Literal(like_text(ALPHABETS[form.encoding])),
        body=body,
        text=Literal(UTF8),
        no_key=SQL(" OR ").join(
            SQL("{} LIKE {} ESCAPE '~'").format(value, Literal(f"{_plain(form.prefix)}%{letter}%"))
            for letter in map(_plain, ALPHABETS[form.encoding][-2:] + "OIl")  # in no hex or base58
        ),
        value=value,
        key=Literal(key),
    )


def _plain(text: str) -> str:
    """A text for LIKE, in which nothing stands for anything else."""
    return re.sub("[~%_]", r"~\g<0>", text)


def like_text(alphabet: str) -> str:
    """An expression for base64 that may be that of a text: more than UTF-8, never less.

    In each group of four, the first two letters show the first bits of two bytes: of ASCII, or
    within or at the start of a longer letter. Within one must not follow ASCII, and must follow a
    start; of control characters, only some that stand between lines may be there.
    """

    def letters(holds: Callable[[int], bool]) -> str:
        found = (letter for place, letter in enumerate(alphabet) if holds(place))
        return "[" + "".join(rf"\{one}" if one in "-" else one for one in found) + "]"

    ascii = letters(lambda n: n in (2, 3) or 8 <= n < 32)
    within, start = letters(lambda n: 32 <= n < 48), letters(lambda n: n >= 48)
    then_within = letters(lambda n: 8 <= n % 16 < 12)
    then_other = letters(lambda n: not 8 <= n % 16 < 12)
    return f"^(?:(?:{ascii}{then_other}|{start}{then_within}|{within}.)(?:..|.?$))*$"


def shortest(form: Encryption) -> int:
    """The length of an envelope around nothing, without padding."""
    least = form.header_bytes + form.tag_bytes
    if form.scheme == "fernet":
        least += FERNET_HEAD + FERNET_BLOCK
    body = 2 * least if form.encoding == "hex" else -(-4 * least // 3)
    return len(form.prefix.encode()) + body


def shape(form: Encryption) -> str:
    """The regular expression of what follows an envelope's prefix."""
    sizes = {"salt": form.salt_bytes, "nonce": form.nonce_bytes, "tag": form.tag_bytes}
    if form.scheme == "fernet":  # version 0x80, then a time whose first bytes are naught
        return f"^gAAAAA[{LETTERS['base64url']}]*{PADDING}$"
    if form.separator:
        parts = [_part(form.encoding, sizes.get(name)) for name in form.layout.split()]
        return "^" + re.escape(form.separator).join(parts) + "$"
    padding = "" if form.encoding == "hex" else PADDING
    return f"^[{LETTERS[form.encoding]}]*{padding}$"


def _part(encoding: str, size: int | None) -> str:
    letters = f"[{LETTERS[encoding]}]"
    padding = "" if encoding == "hex" else PADDING
    if size is None:
        return f"{letters}*{padding}"
    return f"{letters}{{{2 * size if encoding == 'hex' else -(-4 * size // 3)}}}{padding}"
