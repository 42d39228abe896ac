"""The TLS of the live endpoint, scanned by sslyze; without one, what an nginx file configures."""

from __future__ import annotations

import ipaddress
import json
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason, now
from ..target import Http, Target, Tls, need
from .nginx_file import parsed, servers
from .program import run

TIMEOUT_S = 180
COMMANDS = {
    "ssl_2_0_cipher_suites": "SSL 2.0",
    "ssl_3_0_cipher_suites": "SSL 3.0",
    "tls_1_0_cipher_suites": "TLS 1.0",
    "tls_1_1_cipher_suites": "TLS 1.1",
    "tls_1_2_cipher_suites": "TLS 1.2",
    "tls_1_3_cipher_suites": "TLS 1.3",
}
SCANS = ["--certinfo", "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3"]
SCANS += ["--heartbleed", "--openssl_ccs", "--robot", "--reneg", "--compression"]
WEAKNESSES = {
    "heartbleed": "is_vulnerable_to_heartbleed",
    "openssl_ccs_injection": "is_vulnerable_to_ccs_injection",
    "session_renegotiation": "is_vulnerable_to_client_renegotiation_dos",
    "tls_compression": "supports_compression",
}


@source("passive")
def endpoint(target: Target) -> Collected:
    """One row for each protocol version of the endpoint, with the cipher suites it accepts.

    ``facts.certificate`` describes what it shows: names, days to expiry, whether the chain is
    trusted. Without a live endpoint the rows are the servers of the nginx files, and
    ``facts.live`` is false.
    """
    http = need(target.http, "target.http")
    tls = http.tls or Tls()
    url = urlsplit(http.base_url.value())
    if tls.endpoint:
        host, _, port = tls.endpoint.value().rpartition(":")
        host, port = (host, port) if host else (port, "443")
    elif url.scheme == "https":
        host, port = url.hostname or "", str(url.port or 443)
    else:
        return _configured(target, tls)
    return _scanned(http, tls, host, port)


def _configured(target: Target, tls: Tls) -> Collected:
    """What the files say, where nothing is live; CONFIGURED at most."""
    if not tls.configuration or target.repository is None:
        raise NotMeasured(
            Reason.NO_PARAMETER,
            "base_url is plain HTTP: give the TLS endpoint as target.http.tls.endpoint, or the "
            "nginx files of the repository as target.http.tls.configuration",
        )
    records: list[dict[str, Any]] = []
    for name in tls.configuration:
        try:
            text = (target.repository.folder / name).read_text(encoding="utf-8")
            records += [{"file": name, **row} for row in servers(parsed(text))]
        except (OSError, ValueError) as broke:
            why = broke.strerror if isinstance(broke, OSError) else str(broke)
            raise NotMeasured(Reason.INCONCLUSIVE, f"{name} cannot be read: {why}") from None
    return Collected(records, {"live": False})


def _scanned(http: Http, tls: Tls, host: str, port: str) -> Collected:
    name = tls.server_name or host
    with tempfile.TemporaryDirectory(prefix="readiness-tls-") as folder:
        report = Path(folder, "report.json")
        own = Path(sys.executable).with_name("sslyze")
        command = [str(own) if own.is_file() else "sslyze", "--mozilla_config=disable", *SCANS]
        command += [f"--json_out={report}"]
        if http.ca_file:
            command += [f"--certinfo_ca_file={http.ca_file.value()}"]
        command += [
            f"{name}:{port}{{{_address(host, port)}}}" if name != host else f"{host}:{port}"
        ]
        done = run(command, environment={}, timeout_s=TIMEOUT_S, folder=Path(folder))
        try:
            content = json.loads(report.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            ended = "took too long" if done.returncode is None else "gave no report"
            raise NotMeasured(Reason.UNREACHABLE, f"sslyze {ended} on {host}:{port}") from None
    results = content.get("server_scan_results") or [{}]
    one = results[0]
    if one.get("connectivity_status") != "COMPLETED":
        raise NotMeasured(Reason.UNREACHABLE, f"{host}:{port} does not complete a TLS handshake")
    scans = one["scan_result"]
    records = [_protocol(scans.get(key) or {}, said) for key, said in COMMANDS.items()]
    facts = {
        "live": True,
        "endpoint": f"{name}:{port}",
        "certificate": _certificate(scans.get("certificate_info") or {}, name, bool(http.ca_file)),
        "weaknesses": [w for w, key in WEAKNESSES.items() if _weak(scans.get(w) or {}, key)],
    }
    return Collected(records, facts, {"sslyze": str(content.get("sslyze_version"))})


def _address(host: str, port: str) -> str:
    try:
        return str(socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, ValueError) as broke:
        raise NotMeasured(Reason.UNREACHABLE, f"{host}:{port}: {broke}") from None


def _protocol(scan: dict[str, Any], name: str) -> dict[str, Any]:
    result = scan.get("result")
    accepted = result["accepted_cipher_suites"] if result else []
    names = [suite["cipher_suite"]["name"] for suite in accepted]
    return {"protocol": name, "tried": bool(result), "accepted": bool(names), "ciphers": names}


def _weak(scan: dict[str, Any], key: str) -> bool:
    return bool((scan.get("result") or {}).get(key))


def _certificate(scan: dict[str, Any], name: str, own_authority: bool) -> dict[str, Any]:
    """What the first certificate says, read here, and whether a store trusts its chain."""
    from cryptography import x509

    deployments = (scan.get("result") or {}).get("certificate_deployments") or []
    if not deployments:
        return {}
    deployment = deployments[0]
    leaf = x509.load_pem_x509_certificate(
        deployment["received_certificate_chain"][0]["as_pem"].encode()
    )
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = names.get_values_for_type(x509.DNSName)
        addresses = [str(one) for one in names.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        dns, addresses = [], []
    trusted = [
        one["trust_store"]["name"]
        for one in deployment["path_validation_results"]
        if one.get("was_validation_successful")
    ]
    left = leaf.not_valid_after_utc - now()
    return {
        "names": [*dns, *addresses],
        "matches": _matches(name, dns, addresses),
        "days_left": round(left.total_seconds() / 86_400, 1),
        "not_yet": leaf.not_valid_before_utc > now(),
        "self_signed": leaf.issuer == leaf.subject,
        "trusted_by": trusted,
        "own_authority": own_authority,
        "key_bits": getattr(leaf.public_key(), "key_size", None),
        "signed_with": getattr(leaf.signature_hash_algorithm, "name", None),
    }


def _matches(name: str, dns: list[str], addresses: list[str]) -> bool:
    """Whether the certificate is for this name (RFC 9525: one label for a wildcard)."""
    try:
        return str(ipaddress.ip_address(name)) in addresses
    except ValueError:
        pass
    lower = name.lower().rstrip(".")
    rest = lower.partition(".")[2]
    return any(d.lower() == lower or (rest and d.lower() == f"*.{rest}") for d in dns)


def tls_table(endpoint: Evidence) -> Any:
    """A data frame: one row a protocol version, or a server of the configuration."""
    import pandas as pd

    if not endpoint.facts.get("live"):
        columns = ["file", "server", "listen", "tls", "protocols", "redirects"]
        return pd.DataFrame(endpoint.records, columns=columns)
    rows = [
        {
            "protocol": r["protocol"],
            "accepted": "yes" if r["accepted"] else "no" if r["tried"] else "not tried",
            "ciphers": ", ".join(r["ciphers"]),
        }
        for r in endpoint.records
    ]
    return pd.DataFrame(rows)
