"""The database, the models that are meant to fit it, its ciphertexts and its backups."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..variables import Deferred, Secret
from .section import Column, Section


class Database(Section):
    url: Secret
    schemas: list[str] = ["public"]
    statement_timeout_s: float = Field(default=60, gt=0)
    lock_timeout_s: float = Field(default=2, gt=0)
    connect_timeout_s: int = Field(default=5, gt=0)
    ignore_tables: list[str] = []  # a table of a tool and not of the application, with * and ?


class Orm(Section):
    """The target's models, asked for their DDL in the target's own interpreter."""

    interpreter: Deferred
    path: list[Deferred] = []  # put on sys.path
    imports: list[str] = []  # modules to import first, so that every model is registered
    metadata: str = Field(pattern=r"^[\w.]+:[\w.]+$")  # module:object, Base or MetaData
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=60, gt=0)


class CipherCode(Section):
    """The service's own cipher, run in its own interpreter.

    ``derive_key(password, salt)``, ``encrypt(text, key)`` and ``decrypt(value, key)`` are functions
    of ``module``, or ``Class.method`` there; where the service's own are called otherwise, name a
    module of yours under ``path`` that calls them. Text or bytes will do.
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
    """The ciphertext format that the specification promises, and where ciphertexts stand."""

    columns: list[Column]
    prefix: str = "ENC4:"
    nonce_bytes: int = 12
    tag_bytes: int = 16
    key_bytes: int = 32
    kdf: Literal["pbkdf2-hmac-sha256"] = "pbkdf2-hmac-sha256"
    iterations: int = 600_000
    salt_bytes: int = 32  # the salt's UTF-8 is padded with NUL or cut to this
    key: Secret
    salt: Secret
    legacy_prefixes: list[str] = []  # of older ciphertexts, in hexadecimal or base64
    clear_prefixes: list[str] = []  # that mark a text in clear, such as PLAIN:
    code: CipherCode | None = None


class Backup(Section):
    """How the target takes a backup and restores it: the commands as they are run in earnest.

    ``{file}`` is the backup, in a folder of the run's own; a script that names its file itself is
    given ``{folder}`` instead. URLs go by environment and never by argument, under the variables
    named here and as libpq's PGHOST, PGUSER and so on; ``{database}`` is the database's bare name.
    """

    dump: list[Deferred] = []
    restore: list[Deferred] = []
    source_url: Secret
    source_variable: str = "DATABASE_URL"
    target_variable: str = "DATABASE_URL"
    environment: dict[str, Deferred] = {}
    folder: Deferred | None = None  # where the commands are run; the repository if there is one
    timeout_s: float = Field(default=300, gt=0)
    ignore_tables: list[str] = []  # whose rows are left out on purpose, with * and ?
    stored: list[Deferred] = []  # files with * and ?: the backups kept; the newest one is dated
