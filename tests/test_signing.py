"""Signing and verifying: every byte counts, every signer is known, nobody invalidates another, and
a sign-off lapses by itself."""

import base64
import json
import shutil
import subprocess
import sys
from datetime import timedelta

import pytest
import sample_run
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from readiness import attestation, decision, keys, manifest, policy, signing, validity
from readiness.decision import Verdict
from readiness.documents import ROOT, ParameterError
from readiness.finding import Severity, Status, now
from readiness.manifest import canonical
from readiness.record import AuditedTarget, Record, Tool
from readiness.report.sign_off import BEGIN, END, OVERRIDE_BEGIN, OVERRIDE_END, with_sign_off
from readiness.signing import Outcome
from readiness.waivers import Considered, Scope

POLICY = policy.load()
ROLES = POLICY.sign_off.roles
BLOCKS = f"{OVERRIDE_BEGIN}{OVERRIDE_END}verdict{BEGIN}{END}"
PAGE = f"<!doctype html><title>x</title><main>{BLOCKS}</main>"
WAIVED = "OPS-RUNBOOK"


def made(run, failed=(), waivers=()):
    """A run of today in which everything passed but these checks, with the real models."""
    at = now()
    waived = {w.check for w in waivers}
    findings = [
        sample_run.finding(
            check,
            Status.FAIL if check in failed else Status.PASS,
            strength="MEASURED",
            measured_at=at - timedelta(hours=1),
            waiver="accepted" if check in waived else None,
        )
        for check in POLICY.checks
    ]
    kept = Record(
        environment="demo",
        run=run.name,
        stage="staging",
        started=at,
        finished=at,
        tool=Tool(version="1", commit="x"),
        target=AuditedTarget(name="x", version="", commit=""),
        permit=["passive"],
        postgresql="15",
        notebooks=[],
        areas=decision.area_results(findings, POLICY, "staging", at),
        findings=findings,
        decision=decision.decide(findings, POLICY, at),
        waivers=list(waivers),
        policy=POLICY.digest(),
        valid_until=validity.until(findings, waivers, POLICY, at),
    )
    (run / "params").mkdir(parents=True)
    (run / "evidence" / "SEC-WAF").mkdir(parents=True)
    (run / "findings.json").write_text(kept.to_json())
    shutil.copy(ROOT / "params" / "policy.yaml", run / "params")
    (run / "evidence" / "SEC-WAF" / "x.json").write_text("[]")
    (run / "assessment.html").write_text(with_sign_off(PAGE, []))
    manifest.write_manifest(run)
    return run


@pytest.fixture
def folder(tmp_path):
    return made(tmp_path / "20260101T000000Z")


@pytest.fixture
def trusted(tmp_path):
    return tmp_path / "keys"


def key_of(trusted, name, *roles):
    """A key that is trusted for a person and roles."""
    private = trusted.parent / f"{name}.key"
    public = keys.new_key(private, None)
    keys.trust(name, public, name.title(), roles, ROLES, trusted)
    return keys.private_key(private)


@pytest.fixture
def auditor(trusted):
    return key_of(trusted, "auditor", "lead auditor")


@pytest.fixture
def engineer(trusted):
    return key_of(trusted, "engineer", "engineering")


def sign(folder, trusted, key, role="lead auditor", decided="CONDITIONAL GO", **more):
    return signing.sign(folder, key, role=role, decision=Verdict(decided), folder=trusted, **more)


@pytest.fixture
def signed(folder, trusted, auditor, engineer):
    sign(folder, trusted, auditor)
    sign(folder, trusted, engineer, "engineering")
    return folder


def forged(folder, trusted, key, **said):
    """Sign as this tool would refuse to: any claim, by whoever holds a key."""
    envelopes = attestation.envelopes_of(folder)
    values = {
        "name": "Auditor",
        "role": "lead auditor",
        "stage": "staging",
        "decision": "CONDITIONAL GO",
        "time": now().isoformat(),
        "key_id": keys.key_id(key.public_key()),
        "follows": attestation.digest_of(envelopes[-1]) if envelopes else "",
        **said,
    }
    one = attestation.signed(folder, attestation.SignOff.model_validate(values), key)
    show(folder, [*envelopes, one])
    return signing.verify(folder, trusted)


def show(folder, envelopes):
    """Write envelopes and the page that shows them, as one could who knows this tool."""
    said = [attestation.sign_off_of(e).shown() for e in envelopes]
    (folder / "attestation.json").write_bytes(canonical({"envelopes": envelopes}))
    page = (folder / "assessment.html").read_text()
    (folder / "assessment.html").write_text(with_sign_off(page, said))


# Who signed, and whether that is enough.


def test_two_sign_and_both_hold(signed, trusted):
    found = signing.verify(signed, trusted)
    assert (found.problems, found.missing, found.lapsed) == ([], [], [])
    assert [(s.name, s.role) for s in found.sign_offs] == [
        ("Auditor", "lead auditor"),
        ("Engineer", "engineering"),
    ]
    assert (found.decision, found.outcome()) == (Verdict.CONDITIONAL_GO, Outcome.SIGNED)
    page = (signed / "assessment.html").read_text()
    assert "Auditor" in page
    assert "Engineer" in page


def test_one_of_two_is_not_enough_and_a_required_role_is_named(folder, trusted, engineer):
    assert signing.verify(folder, trusted).outcome() is Outcome.UNSIGNED
    sign(folder, trusted, engineer, "engineering")
    found = signing.verify(folder, trusted)
    assert found.outcome() is Outcome.UNSIGNED
    assert found.missing[0] == "nobody has signed as lead auditor"
    assert found.missing[1].startswith("1 of the 2 signatures")


def test_enough_people_without_a_required_role_are_not_enough(folder, trusted, auditor):
    sign(folder, trusted, auditor)
    sign(folder, trusted, key_of(trusted, "operator", "operations"), "operations")
    assert signing.verify(folder, trusted).missing == ["nobody has signed as engineering"]


def test_two_people_in_one_role_count_once(folder, trusted, auditor):
    sign(folder, trusted, auditor)
    sign(folder, trusted, key_of(trusted, "second", "lead auditor"))
    assert signing.verify(folder, trusted).outcome() is Outcome.UNSIGNED


def test_two_of_three_with_one_role_required(folder, trusted, auditor, engineer):
    """The rule of many policies: the lead auditor, and any one of the others."""
    rules = POLICY.sign_off.model_copy(update={"required_roles": ["lead auditor"]})
    in_force = POLICY.model_copy(update={"sign_off": rules})

    def missing():
        return signing.verify(folder, trusted, in_force).missing

    sign(folder, trusted, auditor)
    sign(folder, trusted, key_of(trusted, "second", "lead auditor"))
    assert missing()[0].startswith("1 of the 2 signatures")
    sign(folder, trusted, engineer, "engineering")
    assert missing() == []


def test_one_person_counts_once_whatever_keys_and_roles_they_have(folder, trusted):
    first = key_of(trusted, "auditor", "lead auditor", "engineering")
    other = Ed25519PrivateKey.generate()
    keys.trust("auditor-2", other.public_key(), "Auditor", ROLES, ROLES, trusted)
    sign(folder, trusted, first)
    for key in (first, other):
        with pytest.raises(signing.SigningError, match="has signed the run already"):
            sign(folder, trusted, key, "engineering")
    found = forged(folder, trusted, other, role="engineering")
    assert found.intact
    assert found.outcome() is Outcome.UNSIGNED


def test_the_most_cautious_decision_counts(folder, trusted, auditor, engineer):
    sign(folder, trusted, auditor)
    sign(folder, trusted, engineer, "engineering", "NO-GO")
    found = signing.verify(folder, trusted)
    assert (found.decision, found.outcome()) == (Verdict.NO_GO, Outcome.REFUSED)


def test_signed_for_staging_is_not_signed_for_production(signed, trusted):
    found = signing.verify(signed, trusted)
    assert found.outcome("staging") is Outcome.SIGNED
    assert found.outcome("production") is Outcome.REFUSED


# Overrides.


def test_go_against_no_go_needs_an_override_that_the_first_page_shows(tmp_path, trusted, auditor):
    run = made(tmp_path / "20260102T000000Z", failed=["SEC-AUTHN", "TEST-UNIT"])
    with pytest.raises(signing.SigningError, match="staging is NO-GO; to sign it as GO say why"):
        sign(run, trusted, auditor, decided="GO")
    sign(run, trusted, auditor, decided="GO", override="the old one <is> worse")
    page = (run / "assessment.html").read_text()
    first = page[page.index(OVERRIDE_BEGIN) : page.index(OVERRIDE_END)]
    assert "the old one &lt;is&gt; worse" in first
    assert 'class="box bad override"' in first
    assert signing.verify(run, trusted).intact
    (run / "assessment.html").write_text(page.replace(first, OVERRIDE_BEGIN))
    assert signing.verify(run, trusted).outcome() is Outcome.CHANGED


def test_an_override_of_nothing_is_refused(folder, trusted, auditor):
    with pytest.raises(signing.SigningError, match="nothing to override"):
        sign(folder, trusted, auditor, override="because")


def test_a_better_decision_without_override_does_not_verify(tmp_path, trusted, auditor):
    run = made(tmp_path / "20260102T000000Z", failed=["SEC-AUTHN", "TEST-UNIT"])
    found = forged(run, trusted, auditor, decision="GO")
    assert "without an override" in found.problems[0]
    assert found.outcome() is Outcome.CHANGED


# Lapsing.


def test_old_evidence_lapses(signed, trusted):
    kept = Record.read(signed)
    for seconds, outcome in ((-1, Outcome.SIGNED), (1, Outcome.LAPSED)):
        at = kept.valid_until + timedelta(seconds=seconds)
        found = signing.verify(signed, trusted, at=at)
        assert found.outcome() is outcome
    assert "its evidence expired" in found.lapsed[0]


def test_a_waiver_that_was_relied_on_lapses_and_an_ignored_one_does_not(
    tmp_path, trusted, auditor, engineer
):
    until = now() + timedelta(hours=2)
    about = {"environment": "demo", "reason": "r", "owner": "o", "approver": "a"}
    scope = Scope(run="x", severity=Severity.MEDIUM, offenders=0, offender_ids=[])
    waiver = Considered(check=WAIVED, expires_at=until, scope=scope, **about)
    ignored = waiver.model_copy(update={"ignored": "not approved"})
    for name, one in (("20260103T000000Z", waiver), ("20260104T000000Z", ignored)):
        run = made(tmp_path / name, [WAIVED], [one])
        sign(run, trusted, auditor)
        sign(run, trusted, engineer, "engineering")
        assert signing.verify(run, trusted).outcome() is Outcome.SIGNED
        found = signing.verify(run, trusted, at=until)
        relied = one is waiver
        assert found.outcome() is (Outcome.LAPSED if relied else Outcome.SIGNED)
        assert bool(found.lapsed) is relied
    assert WAIVED in signing.verify(tmp_path / "20260103T000000Z", trusted, at=until).lapsed[0]


def test_a_changed_policy_lapses_and_a_comment_does_not(signed, trusted, tmp_path):
    text = (ROOT / "params" / "policy.yaml").read_text()
    outcomes = []
    for n, changed in enumerate((f"# a comment\n{text}", text.replace("weight: 4", "weight: 3"))):
        (tmp_path / f"policy-{n}.yaml").write_text(changed)
        in_force = policy.load(tmp_path / f"policy-{n}.yaml")
        outcomes.append(signing.verify(signed, trusted, in_force).outcome())
    assert outcomes == [Outcome.SIGNED, Outcome.LAPSED]


def test_what_has_lapsed_cannot_be_signed(folder, trusted, auditor):
    stricter = POLICY.model_copy(update={"strength_factor": {}})
    with pytest.raises(signing.SigningError, match="policy in force is not the one"):
        sign(folder, trusted, auditor, policy=stricter)


# Bytes.


def test_flipping_any_byte_of_any_file_is_named(signed, trusted):
    flipped = 0
    for path in sorted(p for p in signed.rglob("*") if p.is_file()):
        content = path.read_bytes()
        for position in range(0, len(content), max(1, len(content) // 40)):
            changed = bytearray(content)
            changed[position] ^= 0x01
            path.write_bytes(bytes(changed))
            problems = signing.verify(signed, trusted).problems
            name = str(path.relative_to(signed))
            assert any(p.startswith(f"{name}:") for p in problems), (name, position, problems)
            flipped += 1
        path.write_bytes(content)
    assert flipped > 200
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


def test_a_changed_decision_in_the_page_is_seen(signed, trusted):
    page = signed / "assessment.html"
    page.write_text(page.read_text().replace("Auditor", "Author"))
    assert any(p.startswith("assessment.html:") for p in signing.verify(signed, trusted).problems)


def test_a_run_that_is_not_intact_cannot_be_signed(folder, trusted, auditor):
    (folder / "evidence" / "SEC-WAF" / "x.json").write_text("[1]")
    with pytest.raises(signing.SigningError, match=r"x\.json: changed"):
        sign(folder, trusted, auditor)


# Envelopes and signers.


def test_envelopes_cannot_be_moved_repeated_or_taken_from_among_others(signed, trusted):
    first, second = attestation.envelopes_of(signed)
    for changed in ([second, first], [first, first, second], [first, second, second], [second]):
        show(signed, changed)
        found = signing.verify(signed, trusted)
        assert found.outcome() is Outcome.CHANGED, changed
        assert "stands in another place" in found.problems[0]
    show(signed, [first])  # the last one missing: then its signature is missing
    assert signing.verify(signed, trusted).outcome() is Outcome.UNSIGNED


def test_an_envelope_of_another_run_does_not_count(signed, trusted, tmp_path):
    other = made(tmp_path / "20260105T000000Z")
    show(other, attestation.envelopes_of(signed))
    found = signing.verify(other, trusted)
    assert found.problems[0] == "manifest.json: is not the one that Auditor signed"
    assert found.outcome() is Outcome.CHANGED


def test_a_signature_by_an_unknown_key_is_no_signature(folder, trusted, auditor):
    found = forged(folder, trusted, Ed25519PrivateKey.generate())
    assert "unknown key" in found.problems[0]
    with pytest.raises(signing.SigningError, match="the run cannot be signed"):
        sign(folder, trusted, auditor)


def test_a_key_that_is_no_longer_trusted_signs_nothing(signed, trusted):
    (trusted / "auditor.yaml").unlink()
    assert "unknown key" in signing.verify(signed, trusted).problems[0]


def test_a_key_under_another_key_id_does_not_hold(folder, trusted, auditor, engineer):
    stolen = keys.key_id(auditor.public_key())
    found = forged(folder, trusted, engineer, key_id=stolen)
    assert "the signature of Auditor does not hold" in found.problems[0]


def test_a_role_or_name_that_the_key_is_not_trusted_for_is_refused(folder, trusted, engineer):
    with pytest.raises(signing.SigningError, match="trusted as engineering, not as lead auditor"):
        sign(folder, trusted, engineer)
    with pytest.raises(signing.SigningError, match="this key is not trusted"):
        sign(folder, trusted, Ed25519PrivateKey.generate())
    found = forged(folder, trusted, engineer, name="Engineer")
    assert "signed as lead auditor, but is trusted as engineering" in found.problems[0]
    show(folder, [])
    found = forged(folder, trusted, engineer, role="engineering")
    assert "signed as Auditor with the key of Engineer" in found.problems[0]


def test_the_statement_is_in_toto_in_dsse(signed):
    for envelope in attestation.envelopes_of(signed):
        assert envelope["payloadType"] == "application/vnd.in-toto+json"
        statement = json.loads(base64.b64decode(envelope["payload"]))
        assert statement["_type"] == "https://in-toto.io/Statement/v1"
        assert statement["subject"][0]["name"] == "manifest.json"
        assert len(statement["subject"][0]["digest"]["sha256"]) == 64


# Keys.


def test_keys_are_protected_and_never_replaced(tmp_path):
    private = tmp_path / "k"
    keys.new_key(private, b"passphrase")
    assert private.stat().st_mode & 0o077 == 0
    for wrong in (None, b"wrong"):
        with pytest.raises(keys.KeyProblem, match="passphrase"):
            keys.private_key(private, wrong)
    assert keys.private_key(private, b"passphrase")
    with pytest.raises(keys.KeyProblem, match="exists already"):
        keys.new_key(private, None)


def test_trust_is_given_once_to_known_roles(trusted, auditor):
    public = auditor.public_key()
    with pytest.raises(keys.KeyProblem, match="trusted already, as auditor"):
        keys.trust("again", public, "A", ["operations"], ROLES, trusted)
    other = Ed25519PrivateKey.generate().public_key()
    with pytest.raises(keys.KeyProblem, match="did you mean lead auditor"):
        keys.trust("other", other, "O", ["lead auditors"], ROLES, trusted)
    for name in ("../policy", "", "a/b"):
        with pytest.raises(keys.KeyProblem, match="is no name of a file"):
            keys.trust(name, other, "O", ["operations"], ROLES, trusted)
    with pytest.raises(keys.KeyProblem, match="never replaced"):
        keys.trust("auditor", other, "O", ["operations"], ROLES, trusted)


def test_what_is_wrong_with_a_trusted_key_is_said_with_its_file(trusted, auditor):
    line = (trusted / "auditor.yaml").read_text()
    (trusted / "a.yaml").write_text("name: A\nroles: []\npublic_key: x\n")
    (trusted / "b.yaml").write_text("name: B\nroles: [x]\npublic_key: ssh-rsa AAAA\n")
    (trusted / "copy.yaml").write_text(line)
    with pytest.raises(ParameterError) as broke:
        keys.trusted(trusted)
    said = "\n".join(broke.value.problems)
    assert "a.yaml: roles" in said
    assert "b.yaml: public_key: is not a public key" in said
    assert "copy.yaml: public_key: is the one of auditor.yaml" in said


@pytest.mark.parametrize("form", ["OpenSSH", "PEM"])
def test_keys_that_others_made_sign_too(folder, tmp_path, trusted, form):
    private = tmp_path / "id_ed25519"
    if form == "OpenSSH":
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "a phrase", "-f", str(private)]
        subprocess.run(make, check=True, timeout=30)
        public = keys.public_key(private.with_suffix(".pub").read_bytes(), "its public key")
    else:
        pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        secret = serialization.BestAvailableEncryption(b"a phrase")
        made_here = Ed25519PrivateKey.generate()
        private.write_bytes(made_here.private_bytes(*pem, secret))
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        content = made_here.public_key().public_bytes(serialization.Encoding.PEM, info)
        public = keys.public_key(content, "its public key")
    keys.trust("other", public, "Other", ["lead auditor"], ROLES, trusted)
    sign(folder, trusted, keys.private_key(private, b"a phrase"))
    assert signing.verify(folder, trusted).intact


def test_other_kinds_of_key_are_refused(tmp_path):
    make = ["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(tmp_path / "k")]
    subprocess.run(make, check=True, timeout=30)
    with pytest.raises(keys.KeyProblem, match="not an Ed25519 key"):
        keys.private_key(tmp_path / "k")
    with pytest.raises(keys.KeyProblem, match="not an Ed25519 key"):
        keys.public_key((tmp_path / "k.pub").read_bytes(), "k.pub")


# The command line.


def command(*arguments, **variables):
    import os

    return subprocess.run(
        [sys.executable, "-m", "readiness", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **variables},
    )


def test_the_command_line_says_which_and_exits_for_a_pipeline(folder, tmp_path, trusted):
    trust = ("--trust", trusted)
    secret = {"READINESS_PASSPHRASE": "a phrase"}

    def new(name, role, **variables):
        private = ("--private", tmp_path / name, "--name", name.title(), "--role", role)
        return command("keys", "new", name, *private, *trust, **variables)

    def signs(name, role):
        by = ("--key", tmp_path / name, "--role", role, "--decision", "CONDITIONAL GO")
        return command("sign", folder, *by, *trust, **secret)

    assert new("auditor", "lead auditor").returncode == 2  # nobody to ask for a passphrase
    assert new("auditor", "lead auditor", **secret).returncode == 0
    assert new("engineer", "enginering", **secret).returncode == 2
    assert not (tmp_path / "engineer").exists()
    assert new("engineer", "engineering", **secret).returncode == 0
    assert "Engineer, engineering" in command("keys", "list", *trust).stdout
    assert command("verify", folder, *trust).returncode == 3
    assert signs("auditor", "lead auditor").returncode == 0
    done = command("verify", folder, *trust)
    assert (done.returncode, done.stdout.splitlines()[0]) == (3, "nobody has signed as engineering")
    assert signs("engineer", "engineering").returncode == 0
    done = command("verify", folder, *trust)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "signed and in force: CONDITIONAL GO for staging"
    assert command("verify", folder, "--stage", "production", *trust).returncode == 5
    (folder / "findings.json").write_text("{}")
    done = command("verify", folder, *trust)
    assert (done.returncode, done.stdout.splitlines()[0]) == (1, "findings.json: changed")
    assert command("verify", tmp_path / "nothing").returncode == 2
    assert "Traceback" not in done.stderr
