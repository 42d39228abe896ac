"""The attestation of a run: one DSSE envelope for each signature, in the order of signing.

Each envelope holds an in-toto statement about the manifest, and names the digest of the envelope
before it. So an envelope cannot be moved, repeated, taken from among others, or brought from
another run. (That the last ones were taken away cannot be seen from a run alone; it then lacks
those signatures.)

Standards: DSSE v1 (secure-systems-lab/dsse), in-toto Statement v1, RFC 8032 (Ed25519).
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import BaseModel, ConfigDict

from .decision import Verdict
from .keys import TrustedKey
from .manifest import ATTESTATION, MANIFEST, canonical
from .policy import Stage

PAYLOAD_TYPE = "application/vnd.in-toto+json"
PREDICATE_TYPE = "urn:readiness:sign-off:v1"


class SignOff(BaseModel):
    """What one person signed. ``override`` says why a decision is better than the computed one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    role: str
    stage: Stage
    decision: Verdict
    comment: str = ""
    override: str = ""
    time: str
    key_id: str
    follows: str = ""  # SHA-256 of the envelope before it

    def shown(self) -> dict[str, str]:
        """What the page shows of it."""
        return self.model_dump(mode="json", exclude={"follows"})


def envelopes_of(run: Path) -> list[dict[str, Any]]:
    """The envelopes of a run; raises ValueError when a byte is not as we write it."""
    path = run / ATTESTATION
    if not path.exists():
        return []
    content = path.read_bytes()
    raw = json.loads(content)
    if content != canonical(raw) or set(raw) != {"envelopes"}:
        raise ValueError("not as it was written")
    envelopes: list[dict[str, Any]] = raw["envelopes"]
    return envelopes


def sign_off_of(envelope: dict[str, Any]) -> SignOff:
    """What an envelope says, whoever signed it; raises ValueError, KeyError or TypeError."""
    statement = json.loads(base64.b64decode(envelope["payload"], validate=True))
    return SignOff.model_validate(statement["predicate"])


def digest_of(envelope: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(envelope)).hexdigest()


def signed(run: Path, sign_off: SignOff, key: Ed25519PrivateKey) -> dict[str, Any]:
    """The envelope with a person's signature."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import CryptoSigner

    envelope = Envelope(_statement(run, sign_off), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(key))
    made: dict[str, Any] = envelope.to_dict()
    return made


def signature_problem(
    run: Path, raw: dict[str, Any], follows: str, keys: dict[str, TrustedKey]
) -> str | None:
    """Why an envelope is not a trusted person's signature on this run at this place."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    said = sign_off_of(raw)
    trusted = keys.get(said.key_id)
    if trusted is None:
        return (
            f"{ATTESTATION}: signed as {said.name} by the unknown key {said.key_id[:16]}; "
            "whose it is can be said with `readiness keys trust`"
        )
    # A copy: the library changes what it is given.
    envelope = Envelope.from_dict(json.loads(json.dumps(raw)))
    try:
        if envelope.payload_type != PAYLOAD_TYPE or len(envelope.signatures) != 1:
            raise VerificationError
        envelope.verify([trusted.key], 1)
    except (VerificationError, ValueError):
        return f"{ATTESTATION}: changed: the signature of {said.name} does not hold"
    if envelope.payload != _statement(run, said):
        return f"{MANIFEST}: is not the one that {said.name} signed"
    if said.follows != follows:
        return f"{ATTESTATION}: changed: the signature of {said.name} stands in another place"
    if said.name != trusted.name:
        return f"{ATTESTATION}: signed as {said.name} with the key of {trusted.name}"
    if said.role not in trusted.roles:
        allowed = ", ".join(trusted.roles)
        return f"{ATTESTATION}: {said.name} signed as {said.role}, but is trusted as {allowed}"
    return None


def _statement(run: Path, sign_off: SignOff) -> bytes:
    """The in-toto statement that a person signs: this manifest, this decision."""
    from google.protobuf.json_format import MessageToDict
    from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
    from in_toto_attestation.v1.statement import Statement

    digest = hashlib.sha256((run / MANIFEST).read_bytes()).hexdigest()
    subject = ResourceDescriptor(name=MANIFEST, digest={"sha256": digest})
    statement = Statement([subject.pb], PREDICATE_TYPE, sign_off.model_dump(mode="json"))
    statement.validate()
    return canonical(MessageToDict(statement.pb))
