"""Keys as the declared derivation makes them, and as a careless one would have made them."""

from __future__ import annotations

import binascii
import hashlib
from base64 import b64decode
from collections.abc import Iterator
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from ..finding import NotMeasured, Reason
from ..target import Encryption
from ..variables import Secret

# What is tried on a value that does not decrypt, to say what is wrong with it.
WEAK_ITERATIONS = (1_000, 4_096, 10_000, 100_000, 210_000, 310_000)


def configured(format: Encryption) -> list[bytes]:
    """The keys that the parameters name, the current one first; passwords where each value has a
    salt of its own. Raises NotMeasured for what is no key."""
    return [_key(secret, format) for secret in (format.key, *format.older_keys)]


def _key(secret: Secret, format: Encryption) -> bytes:
    if format.salting == "per value":
        return secret.value().encode()
    if format.kdf != "none":
        return derive_key(secret.value(), _salt(format), format)
    key = _decoded(secret.value(), format.key_encoding)
    if key is None or len(key) != format.key_bytes:
        raise NotMeasured(
            Reason.NO_PARAMETER,
            f"target.encryption: {secret} is no key of {format.key_bytes} bytes in "
            f"{format.key_encoding}",
        )
    return key


def _decoded(text: str, encoding: str) -> bytes | None:
    try:
        if encoding == "hex":
            return binascii.unhexlify(text)
        if encoding == "base64":
            return b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return text.encode()


def _salt(format: Encryption) -> str:
    return format.salt.value() if format.salt else ""


def derive_key(password: str, salt: str, format: Encryption) -> bytes:
    """The key of a password by the declared derivation; derived once in a process."""
    return stretched(password.encode(), salted(salt, format), format)


def salted(salt: str, format: Encryption) -> bytes:
    """The salt's UTF-8 as the derivation takes it: padded with NUL or cut to its size, or whole."""
    whole = salt.encode()
    if format.salting == "padded":
        return whole[: format.salt_bytes].ljust(format.salt_bytes, b"\0")
    return whole


def stretched(password: bytes, salt: bytes, format: Encryption) -> bytes:
    """The declared derivation over bytes."""
    cost = {"pbkdf2-hmac-sha256": format.iterations, "scrypt": format.scrypt_n}.get(format.kdf, 0)
    return _derived(format.kdf, password, salt, cost, format.hkdf_info, format.key_bytes)


@lru_cache(maxsize=64)
def _derived(kdf: str, password: bytes, salt: bytes, cost: int, info: str, length: int) -> bytes:
    if kdf == "hkdf-sha256":
        return HKDF(SHA256(), length, salt or None, info.encode()).derive(password)
    if kdf == "scrypt":
        return Scrypt(salt, length, cost, 8, 1).derive(password)
    return PBKDF2HMAC(SHA256(), length, salt, cost).derive(password)


def weaker(format: Encryption) -> Iterator[tuple[str, bytes]]:
    """Keys that a careless writer would have used, weakest first."""
    if format.kdf == "none" or format.salting == "per value":
        return
    password, salt = format.key.value(), _salt(format)
    digest = hashlib.sha256(password.encode()).digest()
    yield "by one SHA-256 of the password", digest[: format.key_bytes]
    if format.kdf != "pbkdf2-hmac-sha256":
        return
    for iterations in WEAK_ITERATIONS:
        if iterations < format.iterations:
            careless = format.model_copy(update={"iterations": iterations})
            yield f"with {iterations:,} iterations", derive_key(password, salt, careless)
    if format.salting == "padded" and len(salt.encode()) != format.salt_bytes:
        yield (
            "from the salt as it is, neither padded nor cut",
            stretched(password.encode(), salt.encode(), format),
        )
