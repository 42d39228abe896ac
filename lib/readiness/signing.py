"""Signing a run and verifying it: manifest, in-toto statements in DSSE envelopes, Ed25519.

The manifest holds the digest and size of every file of the run. The one part of the run that
changes as people sign is the sign-off block of ``assessment.html``: the manifest holds the digest
of the page with that block empty, and verification asks that the block be exactly what the
attestation renders to. So signers do not invalidate each other and no byte escapes.

Standards: DSSE v1 (secure-systems-lab/dsse), in-toto Statement v1, RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict

from .documents import ROOT
from .finding import now
from .report.render import empty_sign_off, with_sign_off

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:readiness:sign-off:v1"
SCHEMA = "readiness/manifest/v1"
MANIFEST, ATTESTATION, PAGE = "manifest.json", "attestation.json", "assessment.html"
KEYS = ROOT / "params" / "keys"  # trusted public keys, one PEM file a person


class SigningError(ValueError):
    """A run cannot be signed, or a key cannot be used; says why."""


class SignOff(BaseModel):
    """What one person signed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: str
    decision: str
    comment: str = ""
    time: str
    key_id: str


@dataclass(frozen=True)
class Verification:
    """What verification found: problems name the file they are about."""

    problems: list[str]
    sign_offs: list[SignOff]

    @property
    def intact(self) -> bool:
        return not self.problems


def write_manifest(run: Path) -> None:
    """Write ``manifest.json`` over every other file of the run."""
    files = {name: _entry(run, name) for name in _files(run)}
    content = {"schema": SCHEMA, "run": run.name.removeprefix("."), "files": files}
    (run / MANIFEST).write_bytes(_canonical(content))


def new_key(path: Path, name: str, passphrase: bytes | None, trusted: Path = KEYS) -> Path:
    """Make an Ed25519 key: the private one at ``path`` (0600), the public one among the trusted.

    Returns the public key's path. Raises SigningError rather than replace a file.
    """
    public = trusted / f"{name}.pub"
    for file in (path, public):
        if file.exists():
            raise SigningError(f"{file} exists already; a key is never replaced")
    key = Ed25519PrivateKey.generate()
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        protection = serialization.BestAvailableEncryption(passphrase)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file_:
        file_.write(private)
    trusted.mkdir(parents=True, exist_ok=True)
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return public


def load_key(path: Path, passphrase: bytes | None = None) -> Ed25519PrivateKey:
    """Read a private key, PEM or OpenSSH; raises SigningError when it is not Ed25519."""
    try:
        content = path.read_bytes()
        ssh = b"OPENSSH PRIVATE KEY" in content
        load = serialization.load_ssh_private_key if ssh else serialization.load_pem_private_key
        key: Any = load(content, password=passphrase)
    except OSError as broke:
        raise SigningError(f"{path}: cannot be read: {broke.strerror}") from None
    except TypeError:
        raise SigningError(f"{path}: needs its passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SigningError(f"{path}: is not a private key, or the passphrase is wrong") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"{path}: is not an Ed25519 key")
    return key


def trusted_keys(folder: Path = KEYS) -> dict[str, tuple[str, Any]]:
    """The trusted public keys by key id, each with the name of its file."""
    from securesystemslib.signer import SSlibKey

    found = {}
    for path in sorted(folder.glob("*.pub")):
        content = path.read_bytes()
        ssh = content.startswith(b"ssh-")
        load = serialization.load_ssh_public_key if ssh else serialization.load_pem_public_key
        try:
            public: Any = load(content)
        except (ValueError, UnsupportedAlgorithm):
            raise SigningError(f"{path}: is not a public key") from None
        if not isinstance(public, Ed25519PublicKey):
            raise SigningError(f"{path}: is not an Ed25519 key")
        key = SSlibKey.from_crypto(public)
        found[key.keyid] = (path.stem, key)
    return found


def sign(
    run: Path, key: Ed25519PrivateKey, *, name: str, role: str, decision: str, comment: str = ""
) -> SignOff:
    """Add a signature to a run and show it in the assessment.

    Raises SigningError when the run is not intact as it stands, or this key has signed already.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    problems, envelopes = _changed_files(run), _envelopes(run)
    if problems:
        raise SigningError("the run is not intact: " + "; ".join(problems))
    signer = CryptoSigner(key)
    sign_off = SignOff(
        name=name,
        role=role,
        decision=decision,
        comment=comment,
        time=now().isoformat(),
        key_id=signer.public_key.keyid,
    )
    if any(_sign_off(e).key_id == sign_off.key_id for e in envelopes):
        raise SigningError("this key has signed the run already")
    envelope = Envelope(_statement(run, sign_off), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    envelopes.append(envelope.to_dict())
    page = (run / PAGE).read_text(encoding="utf-8")
    shown = with_sign_off(page, [_sign_off(e).model_dump() for e in envelopes])
    _replace(run / ATTESTATION, _canonical({"envelopes": envelopes}))
    _replace(run / PAGE, shown.encode())
    return sign_off


def verify(run: Path, trusted: Path = KEYS) -> Verification:
    """Check every byte of a run and every signature on it, offline."""
    problems = _changed_files(run)
    sign_offs: list[SignOff] = []
    keys = trusted_keys(trusted)
    try:
        envelopes = _envelopes(run)
        for envelope in envelopes:
            sign_offs.append(_sign_off(envelope))
            problems += _signature_problems(run, envelope, keys)
    except (ValueError, KeyError, TypeError) as broke:
        problems.append(f"{ATTESTATION}: changed: {broke}")
    else:
        problems += _page_problems(run, sign_offs)
    return Verification(problems, sign_offs)


def _changed_files(run: Path) -> list[str]:
    """Every file that is missing, added or changed against the manifest."""
    try:
        content = (run / MANIFEST).read_bytes()
        manifest = json.loads(content)
        listed: dict[str, Any] = manifest["files"]
        if content != _canonical(manifest) or manifest["schema"] != SCHEMA:
            return [f"{MANIFEST}: changed"]
    except FileNotFoundError:
        return [f"{MANIFEST}: missing"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{MANIFEST}: cannot be read"]
    present = set(_files(run))
    problems = [f"{name}: missing" for name in sorted(set(listed) - present)]
    problems += [f"{name}: added" for name in sorted(present - set(listed))]
    for name in sorted(present & set(listed)):
        if _entry(run, name) != listed[name]:
            problems.append(f"{name}: changed")
    return problems


def _signature_problems(run: Path, raw: dict[str, Any], keys: dict[str, Any]) -> list[str]:
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    sign_off = _sign_off(raw)
    if sign_off.key_id not in keys:
        return [
            f"{ATTESTATION}: signed as {sign_off.name} by the unknown key {sign_off.key_id[:16]}; "
            "trust it by putting its public key into params/keys"
        ]
    # A copy: the library changes what it is given.
    envelope = Envelope.from_dict(json.loads(json.dumps(raw)))
    try:
        if envelope.payload_type != PAYLOAD_TYPE or len(envelope.signatures) != 1:
            raise VerificationError
        envelope.verify([keys[sign_off.key_id][1]], 1)
    except (VerificationError, ValueError):
        return [f"{ATTESTATION}: changed: the signature of {sign_off.name} does not hold"]
    if envelope.payload != _statement(run, sign_off):
        return [f"{MANIFEST}: changed since {sign_off.name} signed it"]
    return []


def _page_problems(run: Path, sign_offs: Sequence[SignOff]) -> list[str]:
    """Whether the page's sign-off block is exactly what the attestation says."""
    try:
        page = (run / PAGE).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return []  # named already by the manifest
    shown = with_sign_off(page, [s.model_dump() for s in sign_offs])
    return [] if shown == page else [f"{PAGE}: changed: the sign-off block is not what was signed"]


def _statement(run: Path, sign_off: SignOff) -> bytes:
    """The in-toto statement that a person signs: this manifest, this decision."""
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    digest = hashlib.sha256((run / MANIFEST).read_bytes()).hexdigest()
    subject = ResourceDescriptor(name=MANIFEST, digest={"sha256": digest})
    statement = Statement([subject.pb], PREDICATE_TYPE, sign_off.model_dump())
    statement.validate()
    return _canonical(MessageToDict(statement.pb))


def _envelopes(run: Path) -> list[dict[str, Any]]:
    """The envelopes of the attestation; raises ValueError when a byte is not as we write it."""
    path = run / ATTESTATION
    if not path.exists():
        return []
    content = path.read_bytes()
    raw = json.loads(content)
    if content != _canonical(raw) or set(raw) != {"envelopes"}:
        raise ValueError("not as it was written")
    envelopes: list[dict[str, Any]] = raw["envelopes"]
    return envelopes


def _sign_off(envelope: dict[str, Any]) -> SignOff:

    statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
    return SignOff.model_validate(statement["predicate"])


def _files(run: Path) -> list[str]:
    """Every file below the run but the manifest and the attestation, also hidden ones."""
    names = (str(p.relative_to(run)) for p in run.rglob("*") if p.is_file() or p.is_symlink())
    return sorted(name for name in names if name not in (MANIFEST, ATTESTATION))


def _entry(run: Path, name: str) -> dict[str, Any]:
    path = run / name
    if path.is_symlink():
        return {"sha256": "a symbolic link", "size": 0}
    content = path.read_bytes()
    if name == PAGE:
        text = content.decode("utf-8", errors="surrogateescape")
        content = empty_sign_off(text).encode("utf-8", errors="surrogateescape")
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _canonical(content: object) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
