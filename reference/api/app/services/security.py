"""Field encryption: AES-256-GCM in an `ENC4:` envelope.

    ENC4: + base64( nonce 12 bytes | ciphertext | tag 16 bytes )

The tag makes a changed value fail to decrypt instead of decrypting to something else. The nonce is
random for each value: under one key, GCM loses everything when a nonce repeats.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.config import settings

PREFIX = "ENC4:"
LEGACY_PREFIX = "ENC:"
ITERATIONS = 600_000
KEY_BYTES = 32
SALT_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


def derive_key(password: str, salt: str) -> bytes:
    """Stretch the configured password to a key. Slow on purpose: do it once, at start-up."""
    padded = salt.encode()[:SALT_BYTES].ljust(SALT_BYTES, b"\0")
    return hashlib.pbkdf2_hmac("sha256", password.encode(), padded, ITERATIONS, KEY_BYTES)


def encrypt_aes256gcm(text: str, key: bytes) -> str:
    """Seal a text, exactly as it is: no normalisation, no trimming, empty is a text too."""
    nonce = os.urandom(NONCE_BYTES)
    return PREFIX + b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), None)).decode()


def decrypt_aes256gcm(value: str, key: bytes) -> str:
    """Open an envelope. ValueError when it is none, was changed, or belongs to another key."""
    if not value.startswith(PREFIX):
        raise ValueError("not an ENC4 envelope")
    body = value[len(PREFIX) :]
    try:
        raw = b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("damaged envelope") from error
    # Base64 has several spellings of the same bytes; only the one that we write is accepted.
    if b64encode(raw).decode() != body or len(raw) < NONCE_BYTES + TAG_BYTES:
        raise ValueError("damaged envelope")
    try:
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], None).decode()
    except InvalidTag as error:
        raise ValueError("changed, or under another key") from error


def decrypt_legacy(value: str, key: bytes) -> str:
    """Open an `ENC:` value of release 3: hex(nonce 16 | tag 32 | text XOR HMAC-SHA256 stream)."""
    if not value.startswith(LEGACY_PREFIX):
        raise ValueError("not an ENC value")
    raw = bytes.fromhex(value[len(LEGACY_PREFIX) :])
    nonce, tag, sealed = raw[:16], raw[16:48], raw[48:]
    if not hmac.compare_digest(tag, hmac.digest(key, nonce + sealed, "sha256")):
        raise ValueError("changed, or under another key")
    stream = b"".join(
        hmac.digest(key, nonce + block.to_bytes(8, "big"), "sha256")
        for block in range(len(sealed) // 32 + 1)
    )
    return bytes(a ^ b for a, b in zip(sealed, stream, strict=False)).decode()


@cache
def field_key() -> bytes:
    """The key of this process."""
    return derive_key(settings().encryption_key, settings().encryption_salt)


def seal(text: str | None) -> str | None:
    """What a sensitive column stores for `text`."""
    return None if text is None else encrypt_aes256gcm(text, field_key())


def unseal(value: str | None) -> str | None:
    """What a sensitive column means; old rows are still read, never written."""
    if value is None:
        return None
    opener = decrypt_legacy if value.startswith(LEGACY_PREFIX) else decrypt_aes256gcm
    return opener(value, field_key())
