"""Signing a run and verifying it, offline.

A run counts as signed when every byte is as it was, every signature is by a key that is trusted for
that person and role, the people and roles that policy asks for are among them, and nothing that
they relied on has lapsed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from . import policy as policies
from .attestation import SignOff, digest_of, envelopes_of, sign_off_of, signature_problem, signed
from .decision import Verdict
from .documents import ParameterError
from .finding import now
from .keys import FOLDER, key_id, trusted
from .manifest import ATTESTATION, PAGE, canonical, changed_files, replace
from .policy import Policy, SignOffRules, Stage
from .record import Record, RecordError
from .report.render import with_sign_off
from .validity import lapses

CAUTION = (Verdict.NO_GO, Verdict.CONDITIONAL_GO, Verdict.GO)  # the most cautious first


class SigningError(ValueError):
    """A run cannot be signed; says why."""


class Outcome(IntEnum):
    """What verification came to; the exit status of `readiness verify`."""

    SIGNED = 0  # intact, signed as policy asks, in force, and a GO or CONDITIONAL GO
    CHANGED = 1  # a byte, a signature or a signer is not what it should be
    UNSIGNED = 3  # intact, but not signed as policy asks
    LAPSED = 4  # signed, but what it relied on has expired or changed
    REFUSED = 5  # signed and in force, and the decision is NO-GO, or for another stage


@dataclass(frozen=True)
class Verification:
    """What verification found.

    ``problems`` name the file they are about; ``missing`` is what policy asks for beyond the
    signatures that count; ``lapsed`` says what expired or changed since. The ``decision`` is the
    most cautious one among the signatures: one person's NO-GO stops the others' GO.
    """

    problems: list[str]
    sign_offs: list[SignOff] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    lapsed: list[str] = field(default_factory=list)
    decision: Verdict | None = None
    stage: Stage | None = None

    @property
    def intact(self) -> bool:
        return not self.problems

    def outcome(self, stage: Stage | None = None) -> Outcome:
        """What it comes to for a stage; for the one that the run was decided for when None."""
        if self.problems:
            return Outcome.CHANGED
        if self.missing:
            return Outcome.UNSIGNED
        if self.lapsed:
            return Outcome.LAPSED
        refused = self.decision in (None, Verdict.NO_GO) or stage not in (None, self.stage)
        return Outcome.REFUSED if refused else Outcome.SIGNED


def sign(
    run: Path,
    key: Ed25519PrivateKey,
    *,
    role: str,
    decision: Verdict,
    comment: str = "",
    override: str = "",
    folder: Path = FOLDER,
    policy: Policy | None = None,
) -> SignOff:
    """Add a signature to a run and show it in the assessment.

    Raises SigningError when the run is not intact or what it rests on has lapsed, when the key is
    not trusted for the role or its person has signed already, and when the decision is better than
    the computed one and no ``override`` says why.
    """
    found = verify(run, folder, policy)
    if found.problems or found.lapsed:
        raise SigningError("the run cannot be signed: " + "; ".join(found.problems or found.lapsed))
    person = trusted(folder).get(key_id(key.public_key()))
    if person is None:
        raise SigningError("this key is not trusted; say whose it is with `readiness keys trust`")
    if role not in person.roles:
        raise SigningError(f"{person.name} is trusted as {', '.join(person.roles)}, not as {role}")
    if any(s.name == person.name for s in found.sign_offs):
        raise SigningError(f"{person.name} has signed the run already")
    kept = Record.read(run)
    computed: Verdict = getattr(kept.decision, kept.stage)
    better = CAUTION.index(decision) > CAUTION.index(computed)
    if better and not override.strip():
        raise SigningError(
            f"the decision for {kept.stage} is {computed}; to sign it as {decision} say why with "
            "--override, which the first page shows in red"
        )
    if override and not better:
        raise SigningError(f"the decision for {kept.stage} is {computed}: nothing to override")
    envelopes = envelopes_of(run)
    sign_off = SignOff(
        name=person.name,
        role=role,
        stage=kept.stage,
        decision=decision,
        comment=comment,
        override=override,
        time=now().isoformat(),
        key_id=person.key_id,
        follows=digest_of(envelopes[-1]) if envelopes else "",
    )
    envelopes.append(signed(run, sign_off, key))
    page = (run / PAGE).read_text(encoding="utf-8")
    shown = with_sign_off(page, [sign_off_of(e).shown() for e in envelopes])
    replace(run / ATTESTATION, canonical({"envelopes": envelopes}))
    replace(run / PAGE, shown.encode())
    return sign_off


def verify(
    run: Path, folder: Path = FOLDER, policy: Policy | None = None, at: datetime | None = None
) -> Verification:
    """Check every byte of a run and every signature on it, offline.

    The ``policy`` in force says who must sign; ``at`` is the moment for which it is asked.
    """
    problems = changed_files(run)
    keys = trusted(folder)
    sign_offs: list[SignOff] = []
    try:
        follows = ""
        for envelope in envelopes_of(run):
            sign_offs.append(sign_off_of(envelope))
            if problem := signature_problem(run, envelope, follows, keys):
                problems.append(problem)
            follows = digest_of(envelope)
    except (ValueError, KeyError, TypeError) as broke:
        problems.append(f"{ATTESTATION}: changed: {broke}")
    else:
        problems += _page_problems(run, sign_offs)
    if problems:
        return Verification(problems, sign_offs)
    return _judged(run, sign_offs, policy or policies.load(), at or now())


def _judged(run: Path, sign_offs: list[SignOff], in_force: Policy, at: datetime) -> Verification:
    """What an intact run and its genuine signatures come to."""
    try:
        kept, policy = Record.read(run), policies.load(run / "params" / "policy.yaml")
    except (RecordError, ParameterError) as broke:
        return Verification([str(broke)], sign_offs)
    if policy.digest() != kept.policy:
        return Verification(["params/policy.yaml: is not the policy of findings.json"], sign_offs)
    computed: Verdict = getattr(kept.decision, kept.stage)
    problems = [
        f"{ATTESTATION}: {s.name} signed {s.decision} for {s.stage}, and the decision for "
        f"{kept.stage} is {computed}, without an override"
        for s in sign_offs
        if s.stage != kept.stage
        or (CAUTION.index(s.decision) > CAUTION.index(computed) and not s.override.strip())
    ]
    return Verification(
        problems,
        sign_offs,
        missing=list(_missing(sign_offs, in_force.sign_off)),
        lapsed=list(lapses(kept.findings, kept.waivers, policy, in_force, at)),
        decision=min((s.decision for s in sign_offs), key=CAUTION.index, default=None),
        stage=kept.stage,
    )


def _missing(sign_offs: Sequence[SignOff], rules: SignOffRules) -> Iterator[str]:
    """What policy asks for beyond these signatures: each person counts once, and so does a role."""
    roles: dict[str, str] = {}
    for one in sign_offs:
        if one.role in rules.roles and one.name not in roles.values():
            roles.setdefault(one.role, one.name)
    for role in rules.required_roles:
        if role not in roles:
            yield f"nobody has signed as {role}"
    if len(roles) < rules.threshold:
        yield (
            f"{len(roles)} of the {rules.threshold} signatures that policy asks for, each by "
            f"another person in another role of: {', '.join(rules.roles)}"
        )


def _page_problems(run: Path, sign_offs: Sequence[SignOff]) -> list[str]:
    """Whether the page's sign-off blocks are exactly what the attestation says."""
    try:
        page = (run / PAGE).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return []  # named already by the manifest
    shown = with_sign_off(page, [s.shown() for s in sign_offs])
    return [] if shown == page else [f"{PAGE}: changed: the sign-off block is not what was signed"]
