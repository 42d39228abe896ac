"""Encryption in transit: what the endpoint speaks, and what it shows for itself."""

from __future__ import annotations

import re
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Strength, not_measured, verdict_of
from readiness.sources.tls import endpoint


class Transit(Criteria):
    protocols: list[str] = ["TLS 1.2", "TLS 1.3"]
    forbidden_ciphers: str = r"NULL|EXPORT|anon|ADH|AECDH|RC4|RC2|3DES|_DES_|DES-CBC|MD5|SEED|IDEA"
    forward_secrecy: bool = True
    min_days_left: float = 14
    min_rsa_bits: int = 2048


@check(
    "SEC-ENC-TRANSIT",
    sources=[endpoint],
    severity="high",
    criteria=Transit,
    references=["CWE-319", "CWE-295", "RFC 9325", "OWASP ASVS 5.0 12.1, 12.2", "sslyze"],
)
def sound_tls(tls: Evidence, criteria: Transit) -> Judgement:
    """TLS of the live endpoint

    sslyze tries every protocol version and cipher suite of the endpoint and reads its certificate:
    name, chain, days to expiry, key. Where base_url is plain HTTP and no endpoint is named, the
    nginx files of the repository are read instead: protocols, ciphers, a certificate's place, plain
    requests sent to https. That is CONFIGURED and never MEASURED: nobody has seen it run.

    Why: without it everything else is read on the way, passwords first.
    Bad: TLS 1.0; an expired certificate or one for another name; RC4 and 3DES; a chain that only
    its maker trusts; `listen 80` that serves instead of redirecting.
    Remedy: `ssl_protocols TLSv1.2 TLSv1.3`, ephemeral ciphers with AEAD, a certificate renewed by
    machine; ca_file, where the authority is your own.
    """
    versions = " and ".join(criteria.protocols)
    expected = f"{versions} only, no weak cipher, a trusted certificate for this name"
    if not tls.facts["live"]:
        return _from_files(tls, criteria, expected)
    tried = [r for r in tls.records if r["tried"]]
    certificate = tls.facts["certificate"]
    problems = [*_spoken(tried, criteria), *_shown(certificate, criteria)]
    problems += [f"it is vulnerable: {one}" for one in tls.facts["weaknesses"]]
    if not problems and (len(tried) < len(tls.records) or not certificate):
        untried = [r["protocol"] for r in tls.records if not r["tried"]]
        said = f"not everything could be tried: {', '.join(untried) or 'the certificate'}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(tried))
    spoken = [r["protocol"] for r in tried if r["accepted"]]
    return verdict_of(
        [{"endpoint": tls.facts["endpoint"], "problem": p} for p in problems],
        samples=len(tried),
        expected=expected,
        passed=f"{tls.facts['endpoint']} speaks {' and '.join(spoken)}; its certificate holds for "
        f"{certificate.get('days_left', 0):.0f} days more",
        failed=f"{tls.facts['endpoint']}: {'; '.join(problems[:5])}",
    )


def _spoken(rows: list[dict[str, Any]], criteria: Transit) -> list[str]:
    problems = []
    for row in rows:
        if row["accepted"] and row["protocol"] not in criteria.protocols:
            problems.append(f"{row['protocol']} is accepted")
        weak = [c for c in row["ciphers"] if re.search(criteria.forbidden_ciphers, c)]
        if not weak and criteria.forward_secrecy:
            weak = [c for c in row["ciphers"] if c.startswith("TLS_RSA_")]
        if weak:
            problems.append(f"{row['protocol']} accepts {', '.join(weak[:2])}")
    if not any(row["accepted"] and row["protocol"] in criteria.protocols for row in rows):
        problems.append(f"none of {', '.join(criteria.protocols)} is accepted")
    return problems


def _shown(certificate: dict[str, Any], criteria: Transit) -> list[str]:
    if not certificate:
        return []
    problems = []
    left = certificate["days_left"]
    if left < 0:
        problems.append(f"the certificate expired {-left:.0f} days ago")
    elif left < criteria.min_days_left:
        problems.append(f"the certificate expires in {left:.0f} days")
    if certificate["not_yet"]:
        problems.append("the certificate is not valid yet")
    if not certificate["matches"]:
        problems.append(f"the certificate is for {', '.join(certificate['names']) or 'no name'}")
    if left >= 0 and certificate["matches"] and not certificate["trusted_by"]:
        own = "self-signed" if certificate["self_signed"] else "by an authority nobody trusts"
        problems.append(f"the certificate's chain is not trusted: {own}")
    bits = certificate["key_bits"] or 0
    if 512 < bits < criteria.min_rsa_bits:  # fewer are no RSA: elliptic curves need less
        problems.append(f"the key has {bits} bits")
    if certificate["signed_with"] in ("md5", "sha1"):
        problems.append(f"the certificate is signed with {certificate['signed_with']}")
    return problems


def _from_files(tls: Evidence, criteria: Transit, expected: str) -> Judgement:
    """Judge what the nginx files say."""
    allowed = [p.replace("TLS ", "TLSv") for p in criteria.protocols]
    offenders = []
    for row in tls.records:
        problems = []
        if row["tls"]:
            if old := [p for p in row["protocols"] if p not in allowed]:
                problems.append(f"{', '.join(old)} allowed")
            named = [c for c in re.split(r"[:\s,]+", row["ciphers"]) if c[:1] not in ("!", "-")]
            if weak := [c for c in named if re.search(criteria.forbidden_ciphers, c)]:
                problems.append(f"cipher {weak[0]}")
            if not row["certificate"]:
                problems.append("no certificate is named")
        elif not row["redirects"]:
            problems.append(f"serves over plain HTTP ({row['listen']}) instead of redirecting")
        if problems:
            offenders.append({"file": row["file"], "server": row["server"], "problem": problems})
    if not any(row["tls"] for row in tls.records):
        said = "no server of the configuration speaks TLS"
        return not_measured(Reason.NO_SAMPLES, expected, said, len(tls.records))
    told = "; ".join(f"{o['file']}, {o['server']}: {', '.join(o['problem'])}" for o in offenders)
    speaks = next(row for row in tls.records if row["tls"])
    return verdict_of(
        offenders,
        samples=len(tls.records),
        expected=expected,
        passed=f"configured and not seen live: {speaks['file']} has {speaks['server']} speak "
        f"{' and '.join(speaks['protocols'])}, and sends plain requests to https",
        failed=f"{{n}} of {len(tls.records)} servers: {told}",
        strength=Strength.CONFIGURED,
    )
