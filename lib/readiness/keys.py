"""The keys that runs are signed with, and which person and roles each is trusted for.

A trusted key is a file ``params/keys/<id>.yaml`` with ``name``, ``roles`` and ``public_key`` (one
line, as OpenSSH writes it). It stands with the parameters and never in a run, so a run cannot bring
its own trust. Taking the file away takes the trust away.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict, Field

from .documents import ROOT, ParameterError, read_yaml, short_path
from .parameters import validated
from .policy import hint

FOLDER = ROOT / "params" / "keys"
IDENTIFIER = re.compile(r"^[a-z0-9][a-z0-9._-]*$")
KDF_ROUNDS = 64  # of bcrypt-pbkdf: about half a second for each guess of the passphrase


class KeyProblem(ValueError):
    """A key cannot be made, read or trusted; says why."""


class _Entry(BaseModel):
    """A file of params/keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    roles: list[str] = Field(min_length=1)
    public_key: str


@dataclass(frozen=True)
class TrustedKey:
    """A public key, whose it is, and the roles in which it may sign."""

    identifier: str
    name: str
    roles: tuple[str, ...]
    key_id: str
    key: Any  # as securesystemslib verifies with it


def trusted(folder: Path = FOLDER) -> dict[str, TrustedKey]:
    """The trusted keys by key id; raises ParameterError for a file that cannot be used."""
    found: dict[str, TrustedKey] = {}
    problems: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        where = short_path(path)
        try:
            entry = validated(_Entry, read_yaml(path), where)
            key = _verifier(public_key(entry.public_key.encode(), where))
        except ParameterError as broke:
            problems += broke.problems
            continue
        except KeyProblem as broke:
            problems.append(f"{where}: public_key: {str(broke).removeprefix(f'{where}: ')}")
            continue
        if twin := found.get(key.keyid):
            problems.append(f"{where}: public_key: is the one of {twin.identifier}.yaml")
        found[key.keyid] = TrustedKey(path.stem, entry.name, tuple(entry.roles), key.keyid, key)
    if problems:
        raise ParameterError(problems)
    return found


def trust(
    identifier: str,
    key: Ed25519PublicKey,
    name: str,
    roles: Iterable[str],
    known: Iterable[str],
    folder: Path = FOLDER,
) -> Path:
    """Trust a public key for a person in roles; returns the file.

    Raises KeyProblem for a role that is not among the ``known`` ones, and rather than replace a
    file or trust a key twice.
    """
    if not IDENTIFIER.match(identifier):
        raise KeyProblem(f"{identifier!r} is no name of a file: letters, digits, dots and dashes")
    for role in (roles := list(roles)):
        if role not in (known := list(known)):
            raise KeyProblem(
                f"no such role: {role}{hint(role, known)} (policy has: {', '.join(known)})"
            )
    path = folder / f"{identifier}.yaml"
    if path.exists():
        raise KeyProblem(f"{short_path(path)} exists already; a key is never replaced")
    if twin := trusted(folder).get(_verifier(key).keyid):
        raise KeyProblem(f"this key is trusted already, as {twin.identifier}")
    entry = _Entry(name=name, roles=roles, public_key=_line(key))
    folder.mkdir(parents=True, exist_ok=True)
    said = yaml.safe_dump(entry.model_dump(), sort_keys=False, allow_unicode=True, width=1_000)
    path.write_text(said, encoding="utf-8")
    return path


def new_key(path: Path, passphrase: bytes | None) -> Ed25519PublicKey:
    """Make an Ed25519 key at ``path`` (0600), encrypted when a passphrase is given.

    Raises KeyProblem rather than replace a file.
    """
    if path.exists():
        raise KeyProblem(f"{path} exists already; a key is never replaced")
    key = Ed25519PrivateKey.generate()
    form = serialization.PrivateFormat.OpenSSH
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = form.encryption_builder().kdf_rounds(KDF_ROUNDS).build(passphrase)
    private = key.private_bytes(serialization.Encoding.PEM, form, protection)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    return key.public_key()


def private_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key, PEM or OpenSSH; raises KeyProblem when it is not Ed25519."""
    try:
        content = path.read_bytes()
        ssh = b"OPENSSH PRIVATE KEY" in content
        load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
        key: Any = load(content, password=passphrase)
    except OSError as broke:
        raise KeyProblem(f"{path}: cannot be read: {broke.strerror}") from None
    except TypeError:
        raise KeyProblem(f"{path}: needs its passphrase") from None
    except (ValueError, UnsupportedAlgorithm) as broke:
        needed = not passphrase and "password" in str(broke).lower()
        said = "needs its passphrase" if needed else "no private key, or a wrong passphrase"
        raise KeyProblem(f"{path}: {said}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyProblem(f"{path}: is not an Ed25519 key")
    return key


def public_key(content: bytes, where: str) -> Ed25519PublicKey:
    """Read a public key, PEM or OpenSSH; raises KeyProblem when it is not Ed25519."""
    pem = content.lstrip().startswith(b"-----")
    load = serialization.load_pem_public_key if pem else serialization.load_ssh_public_key
    try:
        key: Any = load(content.strip())
    except (ValueError, UnsupportedAlgorithm):
        raise KeyProblem(f"{where}: is not a public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyProblem(f"{where}: is not an Ed25519 key")
    return key


def key_id(key: Ed25519PublicKey) -> str:
    """The id by which a signature names its key."""
    return str(_verifier(key).keyid)


def _verifier(key: Ed25519PublicKey) -> Any:
    from securesystemslib.signer import SSlibKey

    return SSlibKey.from_crypto(key)


def _line(key: Ed25519PublicKey) -> str:
    form = (serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return key.public_bytes(*form).decode()
