"""Ciphers with authentication behind one face: a nonce, and what comes after it.

``decrypt`` raises InvalidTag for whatever was not made under this key.
"""

from __future__ import annotations

import hmac
import struct
import time
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

from ..target import Encryption
from .keys import stretched

USUAL_TAG = 16
FERNET_VERSION = b"\x80"
FERNET_HEAD = 9  # version and time, before the initialisation vector
FERNET_BLOCK = 16


class Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


def under(key: bytes, format: Encryption) -> Aead:
    """The cipher of a format under a key, or under a password where each value has its own salt."""
    if format.salting == "per value":
        return _SaltedEach(key, format)
    if format.scheme == "fernet":
        return _Fernet(key)
    return AESGCM(key) if format.tag_bytes == USUAL_TAG else ShortTag(key, format.tag_bytes)


class ShortTag:
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


class _Fernet:
    """https://github.com/fernet/spec: AES-128-CBC, then HMAC-SHA256 over version, time, vector and
    ciphertext. Here the vector stands first and the others after it, as ``envelope`` hands them."""

    def __init__(self, key: bytes) -> None:
        self._signing, self._key = key[:16], key[16:]

    def _tag(self, vector: bytes, rest: bytes) -> bytes:
        said = rest[:FERNET_HEAD] + vector + rest[FERNET_HEAD:]
        return hmac.digest(self._signing, said, "sha256")

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        padder = PKCS7(128).padder()
        padded = padder.update(data) + padder.finalize()
        coder = BlockCipher(algorithms.AES(self._key), modes.CBC(nonce)).encryptor()
        head = FERNET_VERSION + struct.pack(">Q", int(time.time()))
        rest = head + coder.update(padded) + coder.finalize()
        return rest + self._tag(nonce, rest)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        rest, tag = data[:-32], data[-32:]
        if rest[:1] != FERNET_VERSION or not hmac.compare_digest(self._tag(nonce, rest), tag):
            raise InvalidTag
        coder = BlockCipher(algorithms.AES(self._key), modes.CBC(nonce)).decryptor()
        unpadder = PKCS7(128).unpadder()
        try:
            padded = coder.update(rest[FERNET_HEAD:]) + coder.finalize()
            return unpadder.update(padded) + unpadder.finalize()
        except ValueError:
            raise InvalidTag from None


class _SaltedEach:
    """A key for each value, from the password and the salt before the nonce."""

    def __init__(self, password: bytes, format: Encryption) -> None:
        self._password = password
        self._format = format

    def _cipher(self, salt: bytes) -> Aead:
        fixed = self._format.model_copy(update={"salting": "as it is"})
        return under(stretched(self._password, salt, fixed), fixed)

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        salt, nonce = nonce[: self._format.salt_bytes], nonce[self._format.salt_bytes :]
        return self._cipher(salt).encrypt(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes:
        salt, nonce = nonce[: self._format.salt_bytes], nonce[self._format.salt_bytes :]
        return self._cipher(salt).decrypt(nonce, data, associated_data)
