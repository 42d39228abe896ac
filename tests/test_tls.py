"""TLS as sslyze sees it: nginx on loopback with certificates that are made here."""

import datetime as dt
import ipaddress
import socket
import subprocess
import time

import pytest
from conftest import program
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from readiness.checks.security.transit import Transit, sound_tls
from readiness.finding import Reason, Status, Strength
from readiness.parameters import validated
from readiness.sources.nginx_file import parsed
from readiness.sources.tls import endpoint
from readiness.target import Target

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(folder, label, *, issuer=None, days=90, ca=False):
    """A key and a certificate for localhost and 127.0.0.1; returns what can sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    own_name = name_of(label)
    signer, signer_name = issuer or (key, own_name)
    alternatives = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if label == "other":
        alternatives = [x509.DNSName("shop.example")]
    made = (
        x509.CertificateBuilder()
        .subject_name(own_name)
        .issuer_name(signer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 200 * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(
            x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, ca, ca, False, False), critical=True
        )
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{label}.pem").write_bytes(made.public_bytes(pem))
    key_format = serialization.PrivateFormat.TraditionalOpenSSL
    (folder / f"{label}.key").write_bytes(
        key.private_bytes(pem, key_format, serialization.NoEncryption())
    )
    return key, own_name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


KINDS = {
    "good": ("good", "TLSv1.2 TLSv1.3", ""),
    "expired": ("expired", "TLSv1.2 TLSv1.3", ""),
    "soon": ("soon", "TLSv1.2 TLSv1.3", ""),
    "other": ("other", "TLSv1.2 TLSv1.3", ""),
    "self-signed": ("alone", "TLSv1.2 TLSv1.3", ""),
    "old": ("good", "TLSv1 TLSv1.1 TLSv1.2", "ssl_ciphers ALL:@SECLEVEL=0;"),
}


@pytest.fixture(scope="module")
def nginx(tmp_path_factory):
    """One nginx with a server of each kind; yields their ports and the folder."""
    binary = program("nginx")
    folder = tmp_path_factory.mktemp("tls")
    authority = certificate(folder, "authority", ca=True)
    certificate(folder, "good", issuer=authority)
    certificate(folder, "other", issuer=authority)
    certificate(folder, "expired", issuer=authority, days=-3)
    certificate(folder, "soon", issuer=authority, days=5)
    certificate(folder, "alone")
    ports = {kind: free_port() for kind in KINDS}
    servers = "".join(
        f"server {{ listen 127.0.0.1:{ports[kind]} ssl; ssl_protocols {protocols}; {more}"
        f"ssl_certificate {folder}/{pem}.pem; ssl_certificate_key {folder}/{pem}.key;"
        f"return 200 ok; }}\n"
        for kind, (pem, protocols, more) in KINDS.items()
    )
    temporary = "".join(
        f"{n}_temp_path {folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}} http {{ access_log off; {temporary}\n{servers} }}"
    )
    process = subprocess.Popen([binary, "-c", str(config), "-p", str(folder)])
    try:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", ports["old"]), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield ports, folder
    finally:
        process.terminate()
        process.wait(10)


def judged(port, folder, server_name=None, ca=True):
    http = {"base_url": f"https://127.0.0.1:{port}"}
    http |= {"ca_file": str(folder / "authority.pem")} if ca else {}
    http |= {"tls": {"server_name": server_name}} if server_name else {}
    target = validated(Target, {"name": "x", "http": http}, "test").allowing(["passive"])
    return sound_tls.assess([endpoint(target)], Transit())


def test_good_with_an_authority_of_ones_own(nginx):
    ports, folder = nginx
    found = judged(ports["good"], folder)
    assert found.status is Status.PASS, found.observed
    assert found.strength in (None, Strength.MEASURED)
    assert "TLS 1.2 and TLS 1.3" in found.observed
    assert "90 days" in found.observed or "89 days" in found.observed


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("expired", "expired 3 days ago"),
        ("soon", "expires in 5 days"),
        ("other", "is for shop.example"),
        ("self-signed", "not trusted: self-signed"),
    ],
)
def test_a_bad_certificate(nginx, kind, said):
    ports, folder = nginx
    found = judged(ports[kind], folder)
    assert found.status is Status.FAIL
    assert said in found.observed


def test_the_name_that_is_asked_for_is_the_one_that_counts(nginx):
    ports, folder = nginx
    assert judged(ports["other"], folder, server_name="shop.example").status is Status.PASS


def test_an_authority_that_nobody_was_told_of_is_not_trusted(nginx):
    ports, folder = nginx
    found = judged(ports["good"], folder, ca=False)
    assert found.status is Status.FAIL
    assert "an authority nobody trusts" in found.observed


def test_old_protocols_and_weak_ciphers(nginx):
    ports, folder = nginx
    found = judged(ports["old"], folder)
    assert found.status is Status.FAIL
    assert "TLS 1.0 is accepted" in found.observed
    assert "TLS 1.1 is accepted" in found.observed


def test_nothing_listens(tmp_path):
    found = judged(free_port(), tmp_path, ca=False)
    assert (found.status, found.reason) == (Status.NOT_MEASURED, Reason.UNREACHABLE)


def test_without_sslyze_it_says_so(nginx, monkeypatch):
    ports, folder = nginx
    monkeypatch.setattr("readiness.sources.tls.sys.executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    found = judged(ports["good"], folder)
    assert (found.status, found.reason) == (Status.NOT_MEASURED, Reason.TOOL_MISSING)


@pytest.mark.parametrize("text", ["}", "http {", "a b", "{ }", "http { server { listen 80; } "])
def test_what_is_no_configuration(text):
    with pytest.raises(ValueError, match=r"brace|block"):
        parsed(text)
