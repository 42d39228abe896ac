"""Stored ciphertexts: what the specification says, and no nonce twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import (
    Judgement,
    Reason,
    Severity,
    counted,
    not_measured,
    verdict_of,
)
from readiness.sources.ciphertexts import stored
from readiness.sources.envelope import Kind

# What claims to be a ciphertext. A value without an envelope is DAT-PLAINTEXT's to judge.
OPENED = (Kind.SEALED, Kind.OLDER_KEY)
ENVELOPES = (*OPENED, Kind.MALFORMED, Kind.TOO_SHORT, Kind.TEXT, Kind.REFUSED)


class EncryptionAtRest(Criteria):
    min_iterations: int = 600_000  # of PBKDF2-HMAC-SHA256
    min_scrypt_n: int = 2**17  # with r = 8 and p = 1
    min_password_bytes: int = 32  # where HKDF, which costs nothing to try, makes the key
    min_key_bytes: int = 16
    nonce_bytes: int = 12  # of AES-GCM
    min_tag_bytes: int = 16


@check(
    "SEC-ENC-REST",
    sources=[stored],
    severity="critical",
    criteria=EncryptionAtRest,
    references=[
        "CWE-327",
        "CWE-916",
        "OWASP ASVS 5.0 11.3.2",
        "OWASP Password Storage Cheat Sheet: PBKDF2, scrypt",
        "RFC 5869 section 3.3",
        "NIST SP 800-38D",
    ],
)
def ciphertexts_conform(ciphertexts: Evidence, criteria: EncryptionAtRest) -> Judgement:
    """Every stored ciphertext is what the specification says and opens under the configured key

    All values of the declared columns are read and each ciphertext is opened by an implementation
    of the declared format that shares no code with the service. That it opens proves algorithm, key
    length, key derivation with its iteration count, nonce and tag at once; the declared numbers are
    held against the criteria. Older formats are counted and judged less severely. A value without
    any envelope is not a ciphertext: it is counted here and judged by DAT-PLAINTEXT.

    Why: a value that does not open is lost, or was written by something else than the service under
    a key that nobody manages. A weak derivation lets whoever has the table try passwords.
    Bad: a value under another key; a key derived with 1,000 iterations; a tag cut to 12 bytes;
    ENC4: followed by anything.
    Remedy: find what wrote the offenders (a script, an old release, another environment's key),
    decrypt with what it used and encrypt again with the current key; raise the iterations to the
    criterion and encrypt everything again.
    """
    counts = _counts(ciphertexts)
    samples = sum(counts[kind] for kind in ENVELOPES)
    forms = ciphertexts.facts["formats"]
    columns = counted(len(ciphertexts.records), "column")
    expected = "every ciphertext opens under the configured key: " + "; ".join(
        _promised(form, criteria) for form in forms
    )
    weak = [said for form in forms for said in _weaknesses(form, criteria, len(forms) > 1)]
    if not samples + counts[Kind.LEGACY]:
        return not_measured(
            Reason.NO_SAMPLES,
            expected,
            f"no ciphertext in {columns}{_aside(counts)}{_gaps(ciphertexts)}",
        )
    offenders = [{"problem": said} for said in weak]
    closed = [v for v in ciphertexts.facts["unsealed"] if v["kind"] != Kind.CLEAR]
    damaged = [v for v in closed if v["kind"] != Kind.LEGACY]
    offenders += [*damaged, *(v for v in closed if v["kind"] == Kind.LEGACY)]
    if (gaps := _gaps(ciphertexts)) and not offenders:
        return not_measured(Reason.INCONCLUSIVE, expected, f"not all was read{gaps}", samples)
    only_legacy = offenders and all(v.get("kind") == Kind.LEGACY for v in offenders)
    broken = samples - sum(counts[kind] for kind in OPENED)
    said = list(weak)
    if broken:
        said.append(
            f"{broken} of {counted(samples, 'ciphertext')} do not open ({_reasons(damaged)})"
        )
    if old := counts[Kind.LEGACY]:
        said.append(f"{counted(old, 'ciphertext')} of an older format")
    return verdict_of(
        offenders,
        samples=samples + counts[Kind.LEGACY],
        expected=expected,
        passed=f"{counted(samples, 'ciphertext')} in {columns}, and all open"
        f"{_aside(counts)}{_capped(ciphertexts)}",
        failed=f"{'; '.join(said)}{_aside(counts)}{_capped(ciphertexts)}{gaps}",
        severity=Severity.MEDIUM if only_legacy else None,
    )


def _counts(ciphertexts: Evidence) -> Counter[str]:
    total: Counter[str] = Counter()
    for record in ciphertexts.records:
        total.update({kind: record.get(kind, 0) for kind in (*Kind, "empty")})
    return total


def _promised(form: dict[str, Any], criteria: EncryptionAtRest) -> str:
    """The format in words, as far as it opens or does not."""
    if form["scheme"] == "fernet":
        return "Fernet (AES-128-CBC, HMAC-SHA256)"
    derived = {
        "pbkdf2-hmac-sha256": f"PBKDF2-HMAC-SHA256 with {form['iterations']:,} iterations "
        f"(at least {criteria.min_iterations:,})",
        "scrypt": f"scrypt with N = {form['scrypt_n']:,} (at least {criteria.min_scrypt_n:,})",
        "hkdf-sha256": "HKDF-SHA256",
        "none": "a key that is given",
    }[form["kdf"]]
    return (
        f"AES-{form['key_bytes'] * 8}-GCM, nonce of {form['nonce_bytes'] * 8} and tag of "
        f"{form['tag_bytes'] * 8} bits, {derived}"
    )


def _weaknesses(form: dict[str, Any], criteria: EncryptionAtRest, named: bool) -> list[str]:
    """What is too weak in a declared format, whether or not everything opens."""
    said = []
    if form["kdf"] == "pbkdf2-hmac-sha256" and form["iterations"] < criteria.min_iterations:
        said.append(f"PBKDF2 with {form['iterations']:,} iterations only")
    if form["kdf"] == "scrypt" and form["scrypt_n"] < criteria.min_scrypt_n:
        said.append(f"scrypt with N = {form['scrypt_n']:,} only")
    if form["kdf"] == "hkdf-sha256" and form["password_bytes"] < criteria.min_password_bytes:
        said.append(f"HKDF of a secret of {form['password_bytes']} bytes only")
    if form["key_bytes"] < criteria.min_key_bytes:
        said.append(f"a key of {form['key_bytes'] * 8} bits only")
    if form["scheme"] == "aes-gcm" and form["nonce_bytes"] != criteria.nonce_bytes:
        said.append(f"a nonce of {form['nonce_bytes'] * 8} bits")
    if form["tag_bytes"] < criteria.min_tag_bytes:
        said.append(f"a tag of {form['tag_bytes'] * 8} bits only")
    return [f"{form['label']}: {one}" if named else one for one in said]


def _reasons(damaged: list[dict[str, Any]]) -> str:
    kinds = Counter(v.get("diagnosis", v["kind"]) for v in damaged)
    return ", ".join(f"{kind}: {n}" for kind, n in kinds.most_common(4))


def _aside(counts: Counter[str]) -> str:
    clear, older = counts[Kind.CLEAR], counts[Kind.OLDER_KEY]
    said = f"; {counted(older, 'ciphertext')} under an older key" if older else ""
    return said + (
        f"; {counted(clear, 'value')} without envelope (see DAT-PLAINTEXT)" if clear else ""
    )


def _capped(ciphertexts: Evidence) -> str:
    """What was left unread because the parameters say so."""
    capped = [r["column"] for r in ciphertexts.records if "capped" in r]
    most = max((r["capped"] for r in ciphertexts.records if "capped" in r), default=0)
    said = f"; no more than {most:,} rows were read of {', '.join(capped)} (max_values)"
    return said if capped else ""


def _gaps(ciphertexts: Evidence) -> str:
    gaps = [f"{r['column']}: {r['problem']}" for r in ciphertexts.records if "problem" in r]
    return f"; not read: {'; '.join(gaps)}" if gaps else ""


class Nonces(Criteria):
    allow_copies: bool = True  # the same ciphertext, letter for letter, in two places


@check(
    "SEC-ENC-NONCE",
    sources=[stored],
    severity="critical",
    criteria=Nonces,
    references=["CWE-323", "NIST SP 800-38D section 8", "OWASP ASVS 5.0 11.3.4", "RFC 5116 3.1.1"],
)
def nonces_unique(ciphertexts: Evidence, criteria: Nonces) -> Judgement:
    """No nonce is used twice, over all stored ciphertexts of all columns and tables

    The nonce of every ciphertext is compared with that of every other, across columns and tables,
    as one key encrypts them all. A ciphertext that stands twice letter for letter was encrypted
    once and copied: such copies are counted, and are offenders only where the criteria say so.

    Why: two texts under one nonce of AES-GCM give away their difference, and with it the key of
    the tag: whoever has both can read one from the other and forge any further value.
    Bad: two rows that share a nonce; a fixed nonce; a counter that starts again with the process.
    Remedy: draw 12 bytes from the operating system for each encryption (`os.urandom`), encrypt the
    offenders again, and take values that were forged in the meantime into account.
    """
    samples = ciphertexts.facts["nonces"]
    expected = "every ciphertext has a nonce of its own"
    if samples < 2:
        return not_measured(
            Reason.NO_SAMPLES,
            expected,
            f"{counted(samples, 'ciphertext')}: two are needed to compare{_gaps(ciphertexts)}",
            samples,
        )
    reused, copies = list(ciphertexts.facts["reused"]), ciphertexts.facts["copies"]
    if not criteria.allow_copies and copies:
        reused.append({"problem": "copied letter for letter", "values": copies})
    gaps, also = _gaps(ciphertexts), ""
    if copies:
        also = f"; {counted(copies, 'value')} copied letter for letter, which is no second use"
    if gaps and not reused:
        return not_measured(Reason.INCONCLUSIVE, expected, f"not all was read{gaps}", samples)
    return verdict_of(
        reused,
        samples=samples,
        expected=expected,
        passed=f"{counted(samples, 'ciphertext')} and no nonce twice{also}{_capped(ciphertexts)}",
        failed=f"{counted(len(reused), 'nonce')} used more than once: "
        f"{sum(r['values'] for r in reused)} of {samples} ciphertexts share one{also}{gaps}",
    )
