"""What the specification promises of ciphertexts: their formats, and where they stand."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from ..variables import Deferred, Secret
from .section import Column, Section

PARTS = ("salt", "nonce", "ciphertext", "tag")


class CipherCode(Section):
    """The service's own cipher, run in its own interpreter.

    ``derive_key(password, salt)``, ``encrypt(text, key)`` and ``decrypt(value, key)`` are functions
    of ``module``, or ``Class.method`` there; where the service's own are called otherwise, name a
    module of yours under ``path`` that calls them. Text or bytes will do. A key that is given and
    not derived comes as bytes: as it is for AES-GCM, in base64url for Fernet, as Fernet takes it.
    """

    interpreter: Deferred
    path: list[Deferred] = []
    module: str
    derive_key: str | None = "derive_key"  # null: the code has none, and a key is given to it
    encrypt: str = "encrypt_aes256gcm"
    decrypt: str = "decrypt_aes256gcm"
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=60, gt=0)


class Encryption(Section):
    """One ciphertext format, and the columns whose values have it.

    By itself it is that of the reference stack, ENC4: ``ENC4:`` and the base64 of a nonce, the
    ciphertext of AES-256-GCM and its tag, under a key of PBKDF2-HMAC-SHA256. Another is described
    by what differs:

        prefix: "v1:", encoding: hex, separator: ":", layout: nonce tag ciphertext   # v1:..:..:..
        scheme: fernet, key: ${KEY}, older_keys: ["${OLD_KEY}"]    # Fernet and MultiFernet

    Fernet fixes everything but its keys. A salt per value stands in the value: ``layout: salt nonce
    ciphertext tag``; its derivation is paid for each value, so cap them with ``max_values``.
    """

    columns: list[Column]
    name: str = ""  # of the format, where a target has several
    scheme: Literal["aes-gcm", "fernet"] = "aes-gcm"
    prefix: str = "ENC4:"
    encoding: Literal["base64", "base64url", "hex"] = "base64"
    layout: str = "nonce ciphertext tag"
    separator: str = ""  # between the parts, each encoded for itself; else all are encoded as one
    nonce_bytes: int = Field(default=12, ge=8, le=64)
    tag_bytes: int = Field(default=16, ge=4, le=64)
    key_bytes: int = Field(default=32, ge=16, le=32)
    kdf: Literal["pbkdf2-hmac-sha256", "hkdf-sha256", "scrypt", "none"] = "pbkdf2-hmac-sha256"
    iterations: int = Field(default=600_000, ge=1)  # of PBKDF2
    scrypt_n: int = Field(default=2**17, ge=2)  # with r = 8 and p = 1
    hkdf_info: str = ""
    # Padded with NUL or cut to salt_bytes, taken as it is, or standing in each value.
    salting: Literal["padded", "as it is", "per value"] = "padded"
    salt_bytes: int = Field(default=32, ge=0)
    key: Secret  # a password, or with kdf none the key itself
    key_encoding: Literal["utf-8", "hex", "base64"] = "utf-8"  # of a key that is not derived
    older_keys: list[Secret] = []  # that values may still have, until they are encrypted again
    salt: Secret | None = None
    max_values: int | None = Field(default=None, gt=0)  # read of each column; else all of them
    legacy_prefixes: list[str] = []  # of older ciphertexts, in hexadecimal or base64
    clear_prefixes: list[str] = []  # that mark a text in clear, such as PLAIN:
    code: CipherCode | None = None

    @model_validator(mode="before")
    @classmethod
    def _fernet(cls, given: Any) -> Any:
        """What the Fernet specification fixes."""
        if not isinstance(given, dict) or given.get("scheme") != "fernet":
            return given
        fixed = {"encoding": "base64url", "nonce_bytes": 16, "tag_bytes": 32, "kdf": "none"}
        fixed |= {"key_encoding": "base64", "key_bytes": 32, "layout": "nonce ciphertext tag"}
        return {"prefix": "", **given, **fixed}

    @field_validator("layout")
    @classmethod
    def _parts(cls, layout: str) -> str:
        parts = layout.split()
        if sorted(parts) not in (sorted(PARTS), sorted(PARTS[1:])):
            raise ValueError("names nonce, ciphertext and tag once each, and salt where it stands")
        return layout

    @model_validator(mode="after")
    def _fits(self) -> Encryption:
        if ("salt" in self.layout.split()) != (self.salting == "per value"):
            raise ValueError("a salt stands in the layout exactly where salting is per value")
        fixed = self.kdf != "none" and self.salting != "per value"
        if fixed and self.salt is None and self.salt_bytes:
            raise ValueError("salt is missing (salt_bytes: 0 where the derivation takes none)")
        return self

    @property
    def header_bytes(self) -> int:
        """What has to differ from value to value: the nonce, with the salt if each has its own."""
        return self.nonce_bytes + (self.salt_bytes if self.salting == "per value" else 0)

    @property
    def label(self) -> str:
        """How the format is called in a sentence."""
        return self.name or ("Fernet" if self.scheme == "fernet" else self.prefix or "AES-GCM")
