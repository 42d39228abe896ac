"""Signing and verifying: every byte counts, every signer is known, nobody invalidates another."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from readiness import signing
from readiness.report.sign_off import BEGIN, END

PAGE = f"<!doctype html><title>x</title><main>verdict{BEGIN}{END}</main>"


@pytest.fixture
def folder(tmp_path):
    run = tmp_path / "20260101T000000Z"
    (run / "evidence" / "SEC-WAF").mkdir(parents=True)
    (run / "findings.json").write_text('{"a": 1}')
    (run / "evidence" / "SEC-WAF" / "x.json").write_text("[]")
    (run / "assessment.html").write_text(signing.with_sign_off(PAGE, []))
    signing.write_manifest(run)
    return run


@pytest.fixture
def trusted(tmp_path):
    return tmp_path / "keys"


def key_of(tmp_path, trusted, name, passphrase=None):
    private = tmp_path / f"{name}.pem"
    signing.new_key(private, name, passphrase, trusted)
    return signing.load_key(private, passphrase)


def sign(folder, key, name="A. Auditor", decision="CONDITIONAL GO"):
    return signing.sign(folder, key, name=name, role="lead auditor", decision=decision)


@pytest.fixture
def signed(folder, tmp_path, trusted):
    sign(folder, key_of(tmp_path, trusted, "auditor"))
    sign(folder, key_of(tmp_path, trusted, "engineer"), "E. Engineer", "NO-GO")
    return folder


def test_two_sign_and_both_hold(signed, trusted):
    found = signing.verify(signed, trusted)
    assert found.problems == []
    assert [(s.name, s.decision) for s in found.sign_offs] == [
        ("A. Auditor", "CONDITIONAL GO"),
        ("E. Engineer", "NO-GO"),
    ]
    page = (signed / "assessment.html").read_text()
    assert "A. Auditor" in page
    assert "E. Engineer" in page


def test_flipping_any_byte_of_any_file_is_named(signed, trusted):
    flipped = 0
    for path in sorted(p for p in signed.rglob("*") if p.is_file()):
        content = path.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 150)):
            changed = bytearray(content)
            changed[position] ^= 0x01
            path.write_bytes(bytes(changed))
            problems = signing.verify(signed, trusted).problems
            name = str(path.relative_to(signed))
            assert any(p.startswith(f"{name}:") for p in problems), (name, position, problems)
            flipped += 1
        path.write_bytes(content)
    assert flipped > 300
    assert signing.verify(signed, trusted).intact


def test_missing_added_and_replaced_files_are_named(signed, trusted):
    (signed / "findings.json").unlink()
    (signed / "evidence" / ".hidden").write_text("x")
    (signed / "evidence" / "SEC-WAF" / "x.json").unlink()
    (signed / "evidence" / "SEC-WAF" / "x.json").symlink_to("/etc/hostname")
    problems = signing.verify(signed, trusted).problems
    assert "findings.json: missing" in problems
    assert "evidence/.hidden: added" in problems
    assert "evidence/SEC-WAF/x.json: changed" in problems


def test_a_signature_by_an_unknown_key_is_no_signature(folder, tmp_path, trusted):
    sign(folder, key_of(tmp_path, tmp_path / "elsewhere", "stranger"))
    (problem,) = signing.verify(folder, trusted).problems
    assert "unknown key" in problem
    assert problem.startswith("attestation.json:")


def test_signatures_of_another_run_do_not_count(signed, folder, tmp_path, trusted):
    attestation = (signed / "attestation.json").read_bytes()
    other = tmp_path / "20260102T000000Z"
    other.mkdir()
    (other / "findings.json").write_text("{}")
    (other / "assessment.html").write_text(signing.with_sign_off(PAGE, []))
    signing.write_manifest(other)
    (other / "attestation.json").write_bytes(attestation)
    assert any("manifest.json" in p for p in signing.verify(other, trusted).problems)


def test_dropping_or_reordering_signatures_is_seen(signed, trusted):
    path = signed / "attestation.json"
    envelopes = json.loads(path.read_text())["envelopes"]
    for changed in (envelopes[:1], envelopes[::-1]):
        path.write_bytes(signing._canonical({"envelopes": changed}))
        assert any(
            p.startswith("assessment.html:") for p in signing.verify(signed, trusted).problems
        )


def test_a_changed_decision_in_the_page_is_seen(signed, trusted):
    page = signed / "assessment.html"
    page.write_text(page.read_text().replace("A. Auditor", "B. Auditor"))
    assert any(p.startswith("assessment.html:") for p in signing.verify(signed, trusted).problems)


def test_a_run_that_is_not_intact_cannot_be_signed(folder, tmp_path, trusted):
    (folder / "findings.json").write_text('{"a": 2}')
    with pytest.raises(signing.SigningError, match=r"findings\.json: changed"):
        sign(folder, key_of(tmp_path, trusted, "auditor"))


def test_nobody_signs_twice(folder, tmp_path, trusted):
    key = key_of(tmp_path, trusted, "auditor")
    sign(folder, key)
    with pytest.raises(signing.SigningError, match="signed the run already"):
        sign(folder, key)


def test_the_statement_is_in_toto_in_dsse(signed):
    import base64

    for envelope in json.loads((signed / "attestation.json").read_text())["envelopes"]:
        assert envelope["payloadType"] == "application/vnd.in-toto+json"
        statement = json.loads(base64.b64decode(envelope["payload"]))
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["subject"][0]["name"] == "manifest.json"
        assert len(statement["subject"][0]["digest"]["sha256"]) == 64


def test_keys_are_protected_and_never_replaced(tmp_path, trusted):
    private = tmp_path / "k.pem"
    signing.new_key(private, "k", b"passphrase", trusted)
    assert private.stat().st_mode & 0o077 == 0
    with pytest.raises(signing.SigningError, match="passphrase"):
        signing.load_key(private)
    with pytest.raises(signing.SigningError, match="passphrase"):
        signing.load_key(private, b"wrong")
    with pytest.raises(signing.SigningError, match="exists already"):
        signing.new_key(private, "k", None, trusted)


def test_openssh_keys_sign_too(folder, tmp_path, trusted):
    key = Ed25519PrivateKey.generate()
    private, public = tmp_path / "id_ed25519", trusted / "ssh.pub"
    trusted.mkdir()
    formats = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH)
    private.write_bytes(key.private_bytes(*formats, serialization.NoEncryption()))
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        )
    )
    sign(folder, signing.load_key(private))
    assert signing.verify(folder, trusted).intact


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "readiness", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_the_command_line_says_which_and_exits_for_a_pipeline(folder, tmp_path, trusted):
    assert command("verify", folder, "--trust", trusted).returncode == 3
    key_of(tmp_path, trusted, "auditor")
    options = ("--name", "A", "--role", "lead auditor", "--decision", "CONDITIONAL GO")
    done = command("sign", folder, "--key", tmp_path / "auditor.pem", *options)
    assert done.returncode == 0, done.stderr
    done = command("verify", folder, "--trust", trusted)
    assert (done.returncode, "every byte" in done.stdout) == (0, True)
    Path(folder, "findings.json").write_text("{}")
    done = command("verify", folder, "--trust", trusted)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "findings.json: changed")
    assert command("verify", tmp_path / "nothing").returncode == 2
    assert "Traceback" not in done.stderr
