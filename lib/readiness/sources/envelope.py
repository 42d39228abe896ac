"""The ciphertext format that the parameters describe, written without the service's own code.

    prefix + base64( nonce | ciphertext | tag )        AES-GCM, no associated data
    key = PBKDF2-HMAC-SHA256( password, salt padded with NUL or cut )

Being a second implementation is its worth: a service that agrees only with itself is caught.
"""

from __future__ import annotations

import binascii
import hashlib
import os
import string
from base64 import b64encode
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from ..target import Encryption

USUAL_TAG = 16
HEX = frozenset(string.hexdigits.encode())
BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
# What is tried on a value that does not decrypt, to say what is wrong with it.
WEAK_ITERATIONS = (1_000, 4_096, 10_000, 100_000, 210_000, 310_000)
CUT_TAGS = (15, 14, 13, 12, 8, 4)


class Kind(StrEnum):
    """What a stored value turned out to be."""

    SEALED = "sealed"  # decrypts under the configured key
    LEGACY = "legacy"  # has an older prefix and the look of a ciphertext
    CLEAR = "no envelope"
    NOT_BASE64 = "not base64"
    TOO_SHORT = "too short"
    TEXT = "clear text in an envelope"  # the prefix, then a text or key that is no ciphertext
    REFUSED = "does not decrypt"


class EnvelopeError(ValueError):
    """A value that does not open; ``kind`` says why."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(str(kind))
        self.kind = kind


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


class Envelopes:
    """Seals and opens values of one format under one key."""

    def __init__(self, format: Encryption, key: bytes) -> None:
        self.format = format
        self._key = key
        self.aead: _Aead = (
            AESGCM(key) if format.tag_bytes == USUAL_TAG else _ShortTag(key, format.tag_bytes)
        )
        self._prefix = format.prefix.encode()
        self._legacy = tuple(p.encode() for p in format.legacy_prefixes)
        self._shortest = format.nonce_bytes + format.tag_bytes

    def seal(self, text: str, nonce: bytes | None = None) -> str:
        """``text`` as a ciphertext. A ``nonce`` is given by tests and specimens only."""
        nonce = os.urandom(self.format.nonce_bytes) if nonce is None else nonce
        sealed = self.aead.encrypt(nonce, text.encode(), None)
        return self.format.prefix + b64encode(nonce + sealed).decode()

    def open(self, value: str | bytes) -> bytes:
        """The bytes in clear. Raises EnvelopeError with the kind of what it is instead."""
        return self.decrypt(self.unpack(value))

    def decrypt(self, raw: bytes) -> bytes:
        """The same for what ``unpack`` gave."""
        cut = self.format.nonce_bytes
        try:
            return self.aead.decrypt(raw[:cut], raw[cut:], None)
        except InvalidTag:
            raise EnvelopeError(Kind.TEXT if in_clear(raw) else Kind.REFUSED) from None

    def decrypts(self, raw: bytes) -> bool:
        """Whether what ``unpack`` gave decrypts."""
        try:
            self.decrypt(raw)
        except EnvelopeError:
            return False
        return True

    def unpack(self, value: str | bytes) -> bytes:
        """nonce | ciphertext | tag of a well-formed envelope, else EnvelopeError."""
        value = value.encode() if isinstance(value, str) else value
        if not value.startswith(self._prefix):
            raise EnvelopeError(self._without_prefix(value))
        try:
            raw = binascii.a2b_base64(value[len(self._prefix) :], strict_mode=True)
        except binascii.Error:
            raise EnvelopeError(Kind.NOT_BASE64) from None
        if len(raw) < self._shortest:
            raise EnvelopeError(Kind.TOO_SHORT)
        return raw

    def pack(self, raw: bytes) -> str:
        """The envelope around these bytes, whatever they are."""
        return self.format.prefix + b64encode(raw).decode()

    def _without_prefix(self, value: bytes) -> Kind:
        """An older prefix alone proves nothing: what follows must look like a ciphertext."""
        for prefix in self._legacy:
            if value.startswith(prefix):
                raw = decoded(value[len(prefix) :])
                if raw is not None and len(raw) >= self._shortest and not is_text(raw):
                    return Kind.LEGACY
        return Kind.CLEAR

    def diagnosis(self, value: bytes) -> str:
        """What is wrong with a value that does not decrypt, by trying usual mistakes."""
        raw = self.unpack(value)
        cut = self.format.nonce_bytes
        nonce, body = raw[:cut], raw[cut:]
        for length in CUT_TAGS:
            if length < self.format.tag_bytes and len(body) > length:
                try:
                    _ShortTag(self._key, length).decrypt(nonce, body, None)
                except InvalidTag:
                    continue
                return f"tag of {length} bytes instead of {self.format.tag_bytes}"
        for what, key in _weaker_keys(self.format):
            try:
                Envelopes(self.format, key).open(value)
            except EnvelopeError:
                continue
            return f"key derived {what}"
        return "under another key, or damaged"


class _ShortTag:
    """AES-GCM with a tag that is cut; AESGCM itself offers 16 bytes only."""

    def __init__(self, key: bytes, tag_bytes: int) -> None:
        self._key = key
        self._tag = tag_bytes

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        coder = BlockCipher(algorithms.AES(self._key), modes.GCM(nonce)).encryptor()
        return coder.update(data) + coder.finalize() + coder.tag[: self._tag]

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        mode = modes.GCM(nonce, data[-self._tag :], min_tag_length=self._tag)
        coder = BlockCipher(algorithms.AES(self._key), mode).decryptor()
        return coder.update(data[: -self._tag]) + coder.finalize()


def configured(format: Encryption) -> Envelopes:
    """The envelopes of the key and salt that the parameters name."""
    return Envelopes(format, derive_key(format.key.value(), format.salt.value(), format))


def derive_key(password: str, salt: str, format: Encryption) -> bytes:
    """The key of a password by the declared derivation; derived once in a process."""
    return _pbkdf2(password.encode(), padded(salt, format), format.iterations, format.key_bytes)


def padded(salt: str, format: Encryption) -> bytes:
    """The salt's UTF-8, padded with NUL or cut to its size."""
    return salt.encode()[: format.salt_bytes].ljust(format.salt_bytes, b"\0")


@lru_cache(maxsize=64)
def _pbkdf2(password: bytes, salt: bytes, iterations: int, length: int) -> bytes:
    return PBKDF2HMAC(SHA256(), length, salt, iterations).derive(password)


def _weaker_keys(format: Encryption) -> Iterator[tuple[str, bytes]]:
    """Keys that a careless writer would have used, weakest first."""
    password, salt = format.key.value(), format.salt.value()
    digest = hashlib.sha256(password.encode()).digest()
    yield "by one SHA-256 of the password", digest[: format.key_bytes]
    for iterations in WEAK_ITERATIONS:
        if iterations < format.iterations:
            weaker = format.model_copy(update={"iterations": iterations})
            yield f"with {iterations:,} iterations", derive_key(password, salt, weaker)
    if len(salt.encode()) != format.salt_bytes:
        bare = _pbkdf2(password.encode(), salt.encode(), format.iterations, format.key_bytes)
        yield "from the salt as it is, neither padded nor cut", bare


def decoded(body: bytes) -> bytes | None:
    """Hexadecimal or base64 decoded, or None when it is neither."""
    if len(body) % 2 == 0 and HEX.issuperset(body):
        return binascii.unhexlify(body)
    try:
        return binascii.a2b_base64(body, strict_mode=True)
    except binascii.Error:
        return None


def in_clear(raw: bytes) -> bool:
    """Whether an envelope's content is none: text in base64, or a value that happens to be base64
    as it stands, such as a key in hexadecimal or base58."""
    body = binascii.b2a_base64(raw, newline=False)
    return is_text(raw) or HEX.issuperset(body) or base58_holds(body)


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
