"""Ciphertext formats other than the reference stack's: against other people's implementations."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode, urlsafe_b64encode

import psycopg
import pytest
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from readiness import scratch
from readiness.checks.data_integrity.encryption import round_trip
from readiness.checks.security.encryption_at_rest import ciphertexts_conform, nonces_unique
from readiness.documents import ParameterError
from readiness.finding import Status
from readiness.parameters import validated
from readiness.sources import cipher_code, ciphertexts, plaintext
from readiness.sources.envelope import Envelope, EnvelopeError, configured
from readiness.target import Encryption, Target

PASSWORD, SALT = "a password of thirty-two letters", "a salt"
RAW = hashlib.sha256(b"x").digest()
FERNET, OLD = (urlsafe_b64encode(hashlib.sha256(k).digest()).decode() for k in (b"1", b"2"))
FORMATS = {
    "hexadecimal, parts apart": {
        "prefix": "v1:", "encoding": "hex", "separator": ":", "layout": "nonce tag ciphertext",
        "kdf": "scrypt", "scrypt_n": 1024, "salting": "as it is",
    },
    "base64url without prefix": {
        "prefix": "", "encoding": "base64url", "kdf": "hkdf-sha256", "hkdf_info": "db",
    },
    "tag first": {"layout": "tag nonce ciphertext", "iterations": 10},
    "key that is given": {"kdf": "none", "key": RAW.hex(), "key_encoding": "hex"},
    "AES-128": {"key_bytes": 16, "iterations": 10},
    "a salt for each value": {
        "layout": "salt nonce ciphertext tag", "salting": "per value", "salt_bytes": 16,
        "iterations": 10,
    },
    "Fernet": {"scheme": "fernet", "key": FERNET, "older_keys": [OLD]},
}  # fmt: skip


def encryption(name: str, **more: object) -> Encryption:
    given = {"columns": ["people.mother"], "key": PASSWORD, "salt": SALT, **FORMATS[name], **more}
    return validated(Encryption, given, "test", {}, specimen=True)


@pytest.mark.parametrize("name", FORMATS)
def test_every_text_comes_back_and_no_changed_byte_is_accepted(name: str):
    ours = configured(encryption(name))
    for text in ("", "a", "Maryam مریم 🌙", "x" * 5_000):
        sealed = ours.seal(text)
        assert ours.open(sealed).decode() == text
    raw = ours.unpack(ours.seal("Maryam"))
    for place in range(len(raw)):
        with pytest.raises(EnvelopeError):
            ours.open(ours.pack(bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])))


def test_node_style_values_open():
    """``v1:nonce:tag:ciphertext`` in hexadecimal under scrypt, put together by hand."""
    key = hashlib.scrypt(PASSWORD.encode(), salt=SALT.encode(), n=1024, r=8, p=1, dklen=32)
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, b"Maryam", None)
    value = f"v1:{nonce.hex()}:{sealed[-16:].hex()}:{sealed[:-16].hex()}"
    assert configured(encryption("hexadecimal, parts apart")).open(value) == b"Maryam"


def test_fernet_and_multifernet_agree_with_the_library():
    ours = configured(encryption("Fernet"))
    theirs = MultiFernet([Fernet(FERNET), Fernet(OLD)])
    assert ours.open(theirs.encrypt(b"Maryam")) == b"Maryam"
    assert theirs.decrypt(ours.seal("Maryam")) == b"Maryam"
    assert ours.decrypt(ours.unpack(Fernet(OLD).encrypt(b"old"))) == (b"old", 1)
    with pytest.raises(EnvelopeError):
        ours.open(Fernet(Fernet.generate_key()).encrypt(b"not ours"))


@pytest.mark.parametrize("name", FORMATS)
def test_the_server_and_the_audit_agree_on_what_an_envelope_is(name: str):
    """What stands in clear is found among ciphertexts of every format, by its place alone."""
    form = encryption(name)
    ours = configured(form)
    sealed = [ours.seal(f"person {n}" * (n % 4)) for n in range(300)]
    text = b64encode(b"My mother is called Shirin, I think, or not.").decode()
    in_clear = ["Maryam", form.prefix + "hello", form.prefix, "a@b.org", " ", f"{form.prefix}مریم"]
    in_clear += [form.prefix + text, sealed[0][:-12], sealed[0] + "!", "%" + sealed[0]]
    with scratch.database("CREATE TABLE people (id int PRIMARY KEY, mother text)") as url:
        with psycopg.connect(url) as database, database.cursor() as cursor:
            rows = list(enumerate(sealed)) + list(enumerate([v for v in in_clear if v], 1_000))
            cursor.executemany("INSERT INTO people VALUES (%s, %s)", rows)
        target = of(url, FORMATS[name])
        columns, stored = plaintext.sensitive_columns(target), ciphertexts.stored(target)
    found = {row["row"] for row in columns.facts["clear"]}
    shape_only = f"id={1_000 + [v for v in in_clear if v].index(sealed[0][:-12])}"
    assert found >= {f"id={n}" for n, _ in rows if n >= 1_000} - {shape_only}, found
    assert not {row for row in found if int(row[3:]) < 1_000}
    assert stored.records[0]["sealed"] == 300


def of(url: str, *sections: dict[str, object]) -> Target:
    base = {"columns": ["people.mother"], "key": PASSWORD, "salt": SALT}
    raw = {"name": "t", "database": {"url": url}, "encryption": [{**base, **s} for s in sections]}
    return validated(Target, raw, "test", {}, specimen=True)


TWO = "CREATE TABLE people (id int PRIMARY KEY, mother text); CREATE TABLE notes (note text)"


def test_two_formats_of_one_database_and_a_nonce_that_both_use():
    """One key in two formats is one key: a nonce that stands in both is used twice."""
    one = {"kdf": "none", "key": RAW.hex(), "key_encoding": "hex"}
    two = {**one, "encoding": "hex", "prefix": "v2:", "columns": ["notes.note"]}
    with scratch.database(TWO) as url:
        first, second = (configured(format) for format in of(url, one, two).encryption)
        with psycopg.connect(url) as database:
            for n in range(20):
                database.execute("INSERT INTO people VALUES (%s, %s)", (n, first.seal("x")))
                database.execute("INSERT INTO notes VALUES (%s)", (second.seal("y"),))
        sound = ciphertexts.stored(of(url, one, two))
        with psycopg.connect(url) as database:
            nonce = bytes(12)
            database.execute("INSERT INTO people VALUES (99, %s)", (first.seal("x", nonce),))
            database.execute("INSERT INTO notes VALUES (%s)", (second.seal("y", nonce),))
        reused = ciphertexts.stored(of(url, one, two))
    assert nonces_unique.assess([sound], nonces_unique.criteria()).status is Status.PASS
    assert nonces_unique.assess([reused], nonces_unique.criteria()).status is Status.FAIL
    rest = ciphertexts_conform.assess([sound], ciphertexts_conform.criteria())
    assert rest.status is Status.PASS
    assert rest.samples == 40


def test_a_cap_is_said_and_weak_derivations_fail():
    with scratch.database(TWO) as url:
        ours = configured(encryption("hexadecimal, parts apart"))
        with psycopg.connect(url) as database:
            for n in range(20):
                database.execute("INSERT INTO people VALUES (%s, %s)", (n, ours.seal("x")))
        stored = ciphertexts.stored(
            of(url, {**FORMATS["hexadecimal, parts apart"], "max_values": 5})
        )
    weak = ciphertexts_conform.assess([stored], ciphertexts_conform.criteria())
    assert weak.status is Status.FAIL
    assert "scrypt with N = 1,024 only" in weak.observed
    fine = ciphertexts_conform.assess([stored], ciphertexts_conform.criteria(min_scrypt_n=2))
    assert fine.status is Status.PASS
    assert "no more than 5 rows were read of public.people.mother" in fine.observed


@pytest.mark.parametrize(
    "wrong",
    [
        {"layout": "nonce tag"},
        {"layout": "salt nonce ciphertext tag"},
        {"salting": "per value"},
        {"salt": None},
    ],
)
def test_a_format_that_cannot_be_is_refused(wrong: dict[str, object]):
    with pytest.raises(ParameterError):
        encryption("AES-128", **wrong)


def test_a_key_of_the_wrong_length_is_said_and_not_tried():
    stored = ciphertexts.stored(of("postgresql://x@127.0.0.1:1/x", {"kdf": "none", "key": "short"}))
    assert stored.problem
    assert Envelope(encryption("Fernet")).format.header_bytes == 16


def test_a_service_that_uses_fernet_makes_the_round_trip(tmp_path):
    (tmp_path / "vault.py").write_text(
        "from cryptography.fernet import Fernet\n"
        "def encrypt(text, key): return Fernet(key).encrypt(text.encode()).decode()\n"
        "def decrypt(value, key): return Fernet(key).decrypt(value.encode()).decode()\n"
    )
    import sys

    code = {"interpreter": sys.executable, "path": [str(tmp_path)], "module": "vault"}
    code |= {"derive_key": None, "encrypt": "encrypt", "decrypt": "decrypt"}
    target = of("postgresql://x@127.0.0.1:1/x", {**FORMATS["Fernet"], "code": code})
    trial = cipher_code.round_trip(target.allowing({"active"}))
    found = round_trip.assess([trial], round_trip.criteria())
    assert found.status is Status.PASS, found.observed
