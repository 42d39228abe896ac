"""Cipher code as services have it: one sound class, and classes that each spoil it in one way."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import time
import unicodedata
from base64 import b64decode, b64encode
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7

PREFIX = "ENC4:"
FIXED = b"twelve bytes"
_count = itertools.count()
_dice = random.Random(4)


class Sound:
    """The format as declared."""

    @classmethod
    def derive_key(cls, password: str, salt: str) -> bytes:
        padded = salt.encode()[:32].ljust(32, b"\0")
        return hashlib.pbkdf2_hmac("sha256", password.encode(), padded, 1_000, 32)

    @classmethod
    def nonce(cls, text: str) -> bytes:
        return os.urandom(12)

    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        nonce = cls.nonce(text)
        return PREFIX + b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), None)).decode()

    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        if not value.startswith(PREFIX):
            raise ValueError("not encrypted")
        raw = b64decode(value[len(PREFIX) :], validate=True)
        return AESGCM(key).decrypt(raw[:12], raw[12:], None).decode()


class Bytes(Sound):
    @classmethod
    def derive_key(cls, password: Any, salt: Any) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", password, salt, 1_000, 32)

    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return super().encrypt(text, key).encode()

    @classmethod
    def decrypt(cls, value: Any, key: bytes) -> Any:
        try:
            return super().decrypt(value.decode(), key).encode()
        except (ValueError, InvalidTag):
            return None


class Talkative(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        print("encrypting", len(text), "characters")
        return super().encrypt(text, key)


class Unauthenticated(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        if not value.startswith(PREFIX):
            raise ValueError("not encrypted")
        raw = b64decode(value[len(PREFIX) :])
        counter = raw[:12] + (2).to_bytes(4, "big")  # where GCM's own counter begins
        coder = Cipher(algorithms.AES(key), modes.CTR(counter)).decryptor()
        return (coder.update(raw[12:-16]) + coder.finalize()).decode()


class Ecb(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        padder = PKCS7(128).padder()
        coder = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        data = padder.update(text.encode()) + padder.finalize()
        return PREFIX + b64encode(coder.update(data) + coder.finalize()).decode()

    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        unpadder = PKCS7(128).unpadder()
        coder = Cipher(algorithms.AES(key), modes.ECB()).decryptor()
        data = coder.update(b64decode(value.removeprefix(PREFIX))) + coder.finalize()
        return (unpadder.update(data) + unpadder.finalize()).decode()


class Normalises(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return super().encrypt(unicodedata.normalize("NFC", text), key)


class Strips(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return super().encrypt(text.strip(), key)


class FixedNonce(Sound):
    @classmethod
    def nonce(cls, text: str) -> bytes:
        return FIXED


class Counter(Sound):
    @classmethod
    def nonce(cls, text: str) -> bytes:
        return next(_count).to_bytes(12, "big")


class Seeded(Sound):
    @classmethod
    def nonce(cls, text: str) -> bytes:
        return _dice.randbytes(12)


class ByContent(Sound):
    @classmethod
    def nonce(cls, text: str) -> bytes:
        return hashlib.sha256(text.encode()).digest()[:12]


class IgnoresPrefix(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        return super().decrypt(PREFIX + value[len(PREFIX) :], key)


class Swallows(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        try:
            return super().decrypt(value, key)
        except (ValueError, InvalidTag):
            return ""


class PassesThrough(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        return super().decrypt(value, key) if value.startswith(PREFIX) else value


class BelievesThePrefix(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return text if text.startswith(PREFIX) else super().encrypt(text, key)


class SkipsEmpty(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return super().encrypt(text, key) if text else text

    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        return super().decrypt(value, key) if value else value


class WeakDerivation(Sound):
    @classmethod
    def derive_key(cls, password: str, salt: str) -> bytes:
        return hashlib.pbkdf2_hmac("sha256", password.encode(), salt.encode()[:32], 10, 32)


class OwnDialect(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        nonce, bound = os.urandom(12), PREFIX.encode()
        return PREFIX + b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), bound)).decode()

    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        raw = b64decode(value.removeprefix(PREFIX), validate=True)
        return AESGCM(key).decrypt(raw[:12], raw[12:], PREFIX.encode()).decode()


class OneKey(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return super().encrypt(text, bytes(32))

    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        return super().decrypt(value, bytes(32))


class LosesLetters(Sound):
    @classmethod
    def encrypt(cls, text: str, key: bytes) -> Any:
        return super().encrypt(text.encode("ascii", errors="ignore").decode(), key)


class Legacy(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        if value.startswith("PLAIN:"):
            return value.removeprefix("PLAIN:")
        return super().decrypt(value, key)


class Dies(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        os._exit(3)


class Hangs(Sound):
    @classmethod
    def decrypt(cls, value: str, key: bytes) -> Any:
        time.sleep(60)
