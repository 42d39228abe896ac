"""The ciphertext formats that the parameters describe, written without the service's own code.

Being a second implementation is its worth: a service that agrees only with itself is caught.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import string
from base64 import b64encode
from enum import StrEnum

from cryptography.exceptions import InvalidTag

from ..target import Encryption
from . import aead, keys

HEX = frozenset(string.hexdigits.encode())
BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
STANDARD = "nonce ciphertext tag"
TO_STANDARD, TO_URL = bytes.maketrans(b"-_+/", b"+/!!"), str.maketrans("+/", "-_")
# Tried on a value that does not decrypt, to say what is wrong with it.
CUT_TAGS = (15, 14, 13, 12, 8, 4)


class Kind(StrEnum):
    """What a stored value turned out to be."""

    SEALED = "sealed"  # decrypts under the configured key
    OLDER_KEY = "sealed under an older key"  # that the parameters name
    LEGACY = "legacy"  # has an older prefix and the look of a ciphertext
    CLEAR = "no envelope"
    MALFORMED = "malformed"  # what follows the prefix is not as it would be written
    TOO_SHORT = "too short"
    TEXT = "clear text in an envelope"  # the prefix, then a text or key that is no ciphertext
    REFUSED = "does not decrypt"


class EnvelopeError(ValueError):
    """A value that does not open; ``kind`` says why."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(str(kind))
        self.kind = kind


class Envelope:
    """How values of a format are written, whatever their key.

    ``raw`` is always salt (where each value has one), nonce, ciphertext and tag in this order; of
    Fernet, whose nonce is its vector, version and time count as ciphertext.
    """

    def __init__(self, format: Encryption) -> None:
        self.format = format
        self.prefix = format.prefix.encode()
        # The usual case, which whoever reads millions of values may take apart himself.
        self.plain = (
            format.scheme == "aes-gcm"
            and format.encoding == "base64"
            and format.layout == STANDARD
            and not format.separator
        )
        self._legacy = tuple(p.encode() for p in format.legacy_prefixes)
        self._shortest = format.header_bytes + format.tag_bytes
        self._parts = format.layout.split()
        self._sizes = {"salt": format.salt_bytes, "nonce": format.nonce_bytes}
        self._sizes["tag"] = format.tag_bytes

    def unpack(self, value: str | bytes) -> bytes:
        """``raw`` of a well-formed envelope, else EnvelopeError."""
        value = value.encode() if isinstance(value, str) else value
        if not value.startswith(self.prefix):
            raise EnvelopeError(self._without_prefix(value))
        body = value[len(self.prefix) :]
        if not self.prefix and (kind := self._without_prefix(value)) is Kind.LEGACY:
            raise EnvelopeError(kind)
        raw = self._apart(body) if self.format.separator else self._in_one(body)
        if len(raw) < self._shortest:
            raise EnvelopeError(Kind.TOO_SHORT)
        return raw

    def pack(self, raw: bytes) -> str:
        """The envelope around these bytes, whatever they are."""
        if self.format.scheme == "fernet":
            vector, head = self.format.nonce_bytes, aead.FERNET_HEAD
            rest = raw[vector:]
            return self._encoded(rest[:head] + raw[:vector] + rest[head:])
        if self.format.layout == STANDARD and not self.format.separator:
            return self.format.prefix + self._encoded(raw)
        places = self._cut(raw, ["salt", "nonce", "ciphertext", "tag"])
        in_order = [places[part] for part in self._parts]
        if self.format.separator:
            return self.format.prefix + self.format.separator.join(map(self._encoded, in_order))
        return self.format.prefix + self._encoded(b"".join(in_order))

    def in_clear(self, raw: bytes) -> bool:
        """Whether an envelope's content is none: text that was encoded, or a value that happens
        to look encoded as it stands, such as a key in hexadecimal or base58."""
        body = self.pack(raw)[len(self.format.prefix) :].replace(self.format.separator or "=", "")
        written = self._decode(body.encode()) or b""
        looks = self.format.encoding != "hex" and (
            HEX.issuperset(body.encode()) or base58_holds(body.encode())
        )
        return is_text(written) or looks

    def _in_one(self, body: bytes) -> bytes:
        raw = self._decode(body)
        if raw is None:
            raise EnvelopeError(Kind.MALFORMED)
        if self.format.scheme == "fernet":
            return self._token(raw)
        if self.format.layout == STANDARD:
            return raw
        if len(raw) < self._shortest:
            raise EnvelopeError(Kind.TOO_SHORT)
        return self._joined(self._cut(raw, self._parts))

    def _apart(self, body: bytes) -> bytes:
        parts = [self._decode(part) for part in body.split(self.format.separator.encode())]
        places = dict(zip(self._parts, parts, strict=False))
        fits = len(parts) == len(self._parts) and all(
            part is not None and len(part) == self._sizes.get(name, len(part))
            for name, part in places.items()
        )
        if not fits:
            raise EnvelopeError(Kind.MALFORMED)
        return self._joined({name: part or b"" for name, part in places.items()})

    def _token(self, raw: bytes) -> bytes:
        head, vector = aead.FERNET_HEAD, self.format.nonce_bytes
        if len(raw) < head + self._shortest + aead.FERNET_BLOCK:
            raise EnvelopeError(Kind.TOO_SHORT)
        if raw[:1] != aead.FERNET_VERSION or (len(raw) - head) % aead.FERNET_BLOCK:
            raise EnvelopeError(Kind.TEXT if is_text(raw) else Kind.MALFORMED)
        return raw[head : head + vector] + raw[:head] + raw[head + vector :]

    def _cut(self, raw: bytes, parts: list[str]) -> dict[str, bytes]:
        """The parts of bytes that stand in this order; the ciphertext takes what is left."""
        fixed = {name: self._sizes[name] for name in parts if name != "ciphertext"}
        if "salt" not in self._parts:
            fixed["salt"] = 0
        left = max(0, len(raw) - sum(fixed.values()))
        found, start = {}, 0
        for name in parts:
            end = start + fixed.get(name, left)
            found[name] = raw[start:end]
            start = end
        return found

    def _joined(self, places: dict[str, bytes]) -> bytes:
        order = ("salt", "nonce", "ciphertext", "tag")
        return b"".join(places.get(name, b"") for name in order)

    def _decode(self, body: bytes) -> bytes | None:
        try:
            if self.format.encoding == "hex":
                return binascii.unhexlify(body)
            if self.format.encoding == "base64url":
                body = body.translate(TO_STANDARD)
            body += b"=" * (-len(body) % 4)
            return binascii.a2b_base64(body, strict_mode=True)
        except (binascii.Error, ValueError):
            return None

    def _encoded(self, raw: bytes) -> str:
        if self.format.encoding == "hex":
            return raw.hex()
        text = b64encode(raw).decode()
        return text.translate(TO_URL) if self.format.encoding == "base64url" else text

    def _without_prefix(self, value: bytes) -> Kind:
        """An older prefix alone proves nothing: what follows must look like a ciphertext."""
        for prefix in self._legacy:
            if value.startswith(prefix):
                raw = decoded(value[len(prefix) :])
                if raw is not None and len(raw) >= self._shortest and not is_text(raw):
                    return Kind.LEGACY
        return Kind.CLEAR


class Envelopes(Envelope):
    """Seals and opens values of one format, under the first of its keys and any of them."""

    def __init__(self, format: Encryption, key: bytes, *older: bytes) -> None:
        super().__init__(format)
        self.keys = [key, *older]
        self.aead = aead.under(key, format)
        self._older = [aead.under(one, format) for one in older]
        # Whether two values may have the same key shows in this and not in the key itself.
        self.key_digests = [hashlib.sha256(one).hexdigest()[:16] for one in (key, *older)]

    def seal(self, text: str, nonce: bytes | None = None) -> str:
        """``text`` as a ciphertext. A ``nonce`` is given by tests and specimens only."""
        nonce = os.urandom(self.format.header_bytes) if nonce is None else nonce
        return self.pack(nonce + self.aead.encrypt(nonce, text.encode(), None))

    def open(self, value: str | bytes) -> bytes:
        """The bytes in clear. Raises EnvelopeError with the kind of what it is instead."""
        return self.decrypt(self.unpack(value))[0]

    def decrypt(self, raw: bytes) -> tuple[bytes, int]:
        """The same for what ``unpack`` gave, and which key it was."""
        cut = self.format.header_bytes
        for number, cipher in enumerate((self.aead, *self._older)):
            try:
                return cipher.decrypt(raw[:cut], raw[cut:], None), number
            except (InvalidTag, ValueError):
                continue
        raise EnvelopeError(Kind.TEXT if self.in_clear(raw) else Kind.REFUSED)

    def key_of(self, raw: bytes) -> str | None:
        """The digest of the key under which what ``unpack`` gave decrypts."""
        try:
            return self.key_digests[self.decrypt(raw)[1]]
        except EnvelopeError:
            return None

    def diagnosis(self, value: bytes) -> str:
        """What is wrong with a value that does not decrypt, by trying usual mistakes."""
        raw = self.unpack(value)
        cut, form = self.format.header_bytes, self.format
        if form.scheme == "aes-gcm" and form.salting != "per value":
            for length in CUT_TAGS:
                if length < form.tag_bytes and len(raw) > cut + length:
                    try:
                        aead.ShortTag(self.keys[0], length).decrypt(raw[:cut], raw[cut:], None)
                    except (InvalidTag, ValueError):
                        continue
                    return f"tag of {length} bytes instead of {form.tag_bytes}"
        for what, key in keys.weaker(form):
            try:
                Envelopes(form, key).open(value)
            except EnvelopeError:
                continue
            return f"key derived {what}"
        return "under another key, or damaged"


def configured(format: Encryption) -> Envelopes:
    """The envelopes of the keys that the parameters name."""
    return Envelopes(format, *keys.configured(format))


def decoded(body: bytes) -> bytes | None:
    """Hexadecimal or base64 decoded, or None when it is neither."""
    if len(body) % 2 == 0 and HEX.issuperset(body):
        return binascii.unhexlify(body)
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except binascii.Error:
        return None


def base58_holds(body: bytes) -> bool:
    """Whether this is base58 with a checksum that holds: a private key or address of Bitcoin."""
    number = 0
    for letter in body:
        digit = BASE58.find(letter)
        if digit < 0:
            return False
        number = number * 58 + digit
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    raw = bytes(len(body) - len(body.lstrip(BASE58[:1]))) + raw
    double = hashlib.sha256(hashlib.sha256(raw[:-4]).digest()).digest()
    return len(raw) > 4 and double[:4] == raw[-4:]


def is_text(raw: bytes) -> bool:
    """Whether bytes read as text. Of 28 random bytes, fewer than one in a million do."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return False
    return all(letter >= " " or letter in "\t\n\r" for letter in text)
