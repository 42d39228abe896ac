"""The declared ciphertext format: against published vectors, by its properties, and at scale."""

from __future__ import annotations

import hashlib
import json
import sys
from base64 import b64decode, b64encode
from pathlib import Path

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness import scratch
from readiness.checks.data_integrity.encryption import round_trip
from readiness.checks.security.encryption_at_rest import ciphertexts_conform, nonces_unique
from readiness.evidence import Evidence
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.sources import cipher_code, ciphertexts, nonces, parts
from readiness.sources.envelope import EnvelopeError, Envelopes, Kind
from readiness.sources.keys import derive_key
from readiness.sources.scan import Scan
from readiness.target import Encryption, Target

CIPHERS = Path(ciphertexts.__file__).parents[1] / "checks/data_integrity/specimens/encryption"
PASSWORD, SALT = "a password for tests", "salt for tests"


def encryption(**changed: object) -> Encryption:
    given = {"columns": ["people.mother"], "key": PASSWORD, "salt": SALT, "iterations": 10}
    return validated(Encryption, {**given, **changed}, "test", {}, specimen=True)


FORMAT = encryption()
KEY = bytes(range(32))
OURS = Envelopes(FORMAT, KEY)


def test_the_key_derivation_gives_the_published_vector():
    """RFC 7914 section 11: PBKDF2-HMAC-SHA256 of passwd and salt, one iteration."""
    form = encryption(iterations=1, salt_bytes=4, key_bytes=32)
    expected = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    assert derive_key("passwd", "salt", form).hex() == expected


def test_the_cipher_gives_the_published_vector():
    """Test case 14 of the GCM specification: AES-256, everything zero."""
    sealed = Envelopes(FORMAT, bytes(32)).seal("\0" * 16, nonce=bytes(12))
    ciphertext, tag = "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"
    assert b64decode(sealed.removeprefix("ENC4:")).hex() == "00" * 12 + ciphertext + tag


@given(salt=st.text(max_size=60), password=st.text(max_size=30))
def test_a_salt_is_padded_with_nul_or_cut(salt: str, password: str):
    padded = (salt.encode() + bytes(32))[:32]
    expected = hashlib.pbkdf2_hmac("sha256", password.encode(), padded, 10, 32)
    assert derive_key(password, salt, FORMAT) == expected


@given(st.text())
def test_every_text_comes_back(text: str):
    sealed = OURS.seal(text)
    assert OURS.open(sealed).decode() == text
    assert OURS.open(sealed.encode()).decode() == text


@given(st.text(max_size=40), st.data())
def test_no_changed_byte_is_accepted(text: str, data: st.DataObject):
    raw = bytearray(OURS.unpack(OURS.seal(text)))
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(EnvelopeError):
        OURS.open(OURS.pack(bytes(raw)))


@given(st.text(max_size=40), st.data())
def test_no_cut_or_lengthened_value_is_accepted(text: str, data: st.DataObject):
    raw = OURS.unpack(OURS.seal(text))
    cut = data.draw(st.integers(0, len(raw) - 1))
    for changed in (raw[:cut], raw[cut + 1 :], raw + data.draw(st.binary(min_size=1, max_size=5))):
        with pytest.raises(EnvelopeError):
            OURS.open(OURS.pack(changed))


@given(st.one_of(st.text(), st.text().map(lambda t: "ENC4:" + t)))
def test_what_is_no_ciphertext_is_refused_and_never_breaks(text: str):
    with pytest.raises(EnvelopeError) as refused:
        OURS.open(text)
    assert refused.value.kind is not Kind.LEGACY


@given(st.text(min_size=28))
def test_text_in_base64_is_no_ciphertext(text: str):
    text = "".join(letter for letter in text if letter.isprintable()).ljust(28, "x")
    with pytest.raises(EnvelopeError) as refused:
        OURS.open("ENC4:" + b64encode(text.encode()).decode())
    assert refused.value.kind is Kind.TEXT


@given(st.text(max_size=40))
@settings(max_examples=30)
def test_a_diagnosis_names_the_mistake(text: str):
    form = encryption(iterations=20_000)
    right = Envelopes(form, derive_key(PASSWORD, SALT, form))
    weak = Envelopes(form, derive_key(PASSWORD, SALT, encryption(iterations=1_000)))
    hashed = Envelopes(form, hashlib.sha256(PASSWORD.encode()).digest())
    other = Envelopes(form, bytes(32))
    cut = right.unpack(right.seal(text + "1234"))[:-4]
    assert right.diagnosis(weak.seal(text).encode()) == "key derived with 1,000 iterations"
    assert "SHA-256 of the password" in right.diagnosis(hashed.seal(text).encode())
    assert right.diagnosis(right.pack(cut).encode()) == "tag of 12 bytes instead of 16"
    assert right.diagnosis(other.seal(text).encode()) == "under another key, or damaged"


@pytest.mark.parametrize("tag_bytes", [12, 13, 16])
def test_a_format_with_a_shorter_tag_is_understood(tag_bytes: int):
    short = Envelopes(encryption(tag_bytes=tag_bytes), KEY)
    sealed = short.seal("a text")
    assert len(short.unpack(sealed)) == 12 + 6 + tag_bytes
    assert short.open(sealed) == b"a text"


# In the database ----------------------------------------------------------------------------------


def target(url: str, **changed: object) -> Target:
    section = {"columns": ["people.mother"], "key": PASSWORD, "salt": SALT, "iterations": 10}
    raw = {"name": "t", "database": {"url": url}, "encryption": {**section, **changed}}
    return validated(Target, raw, "test", {}, specimen=True)


def judged(evidence: Evidence) -> tuple[Status, Status]:
    rest = ciphertexts_conform.assess([evidence], ciphertexts_conform.criteria(min_iterations=1))
    nonce = nonces_unique.assess([evidence], nonces_unique.criteria())
    return rest.status, nonce.status


KEYS = {
    '"Id" smallint PRIMARY KEY': "Id=7",
    "id uuid PRIMARY KEY DEFAULT '0A0B0C0D-0000-4000-8000-000000000001'": (
        "id=0a0b0c0d-0000-4000-8000-000000000001"
    ),
    "a int DEFAULT 1, b bigint DEFAULT 2, PRIMARY KEY (a, b)": "a=1,b=2",
    "name text PRIMARY KEY DEFAULT 'of a person'": "ctid=(0,1)",
    "id int": "ctid=(0,1)",
}


@pytest.mark.parametrize("columns", KEYS)
def test_a_row_is_named_by_its_key_where_that_says_nothing(columns: str):
    statements = f"CREATE TABLE people ({columns}, mother text);"
    given = '("Id", mother) VALUES (7, ' if '"Id"' in columns else "(mother) VALUES ("
    with scratch.database(f"{statements} INSERT INTO people {given}'in clear')") as url:
        evidence = ciphertexts.stored(target(url))
    assert [v["row"] for v in evidence.facts["unsealed"]] == [KEYS[columns]]


HOW = ["by one process", "by several", "by several, in partitions", "no snapshot for others"]
PARTITIONED = """
CREATE TABLE people (id int PRIMARY KEY, mother text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF people FOR VALUES FROM (0) TO (3000);
CREATE TABLE p2 PARTITION OF people FOR VALUES FROM (3000) TO (20000);
"""


@pytest.mark.parametrize("how", HOW)
def test_one_bad_value_among_many_is_found_across_batches(
    how: str, monkeypatch: pytest.MonkeyPatch
):
    """More rows than one batch holds; the offenders stand in the first, a middle, the last."""
    monkeypatch.setattr(parts, "LARGE", 10**9 if how == "by one process" else 10_000)
    monkeypatch.setattr(parts, "ROWS", 4_000)
    if how.startswith("by several"):
        monkeypatch.setattr(Scan, "read", None)  # here; not in the processes
    if how == "no snapshot for others":
        monkeypatch.setattr(parts, "EXPORT", "SELECT 'none' AS snapshot")
    plain = "CREATE TABLE people (id int PRIMARY KEY, mother text)"
    with scratch.database(PARTITIONED if how.endswith("partitions") else plain) as url:
        ours = Envelopes(FORMAT, derive_key(PASSWORD, SALT, FORMAT))
        other = Envelopes(FORMAT, bytes(32))
        nonce = bytes(range(12))
        values = [ours.seal(f"person {n}") for n in range(12_001)]
        values[0], values[12_000] = ours.seal("one", nonce), ours.seal("another", nonce)
        values[7_500] = other.seal("not ours")
        with (
            psycopg.connect(url) as database,
            database.cursor() as cursor,
            cursor.copy("COPY people FROM STDIN") as copy,
        ):
            for row in enumerate(values):
                copy.write_row(row)
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("ANALYZE people")
        evidence = ciphertexts.stored(target(url))
    assert evidence.records[0]["rows"] == 12_001
    assert evidence.records[0]["sealed"] == 12_000
    assert [v["row"] for v in evidence.facts["unsealed"]] == ["id=7500"]
    places = evidence.facts["reused"][0]["places"]
    assert evidence.facts["nonces"] == 12_001
    assert places == ["public.people.mother id=0", "public.people.mother id=12000"]
    assert judged(evidence) == (Status.FAIL, Status.FAIL)
    everything = evidence.to_json() + ciphertexts.by_column(evidence).to_json()
    assert not any(v.removeprefix("ENC4:")[:40] in everything for v in values[:50])
    assert PASSWORD not in everything
    assert SALT not in everything


LOCKED_UP = """
CREATE TABLE people (id int PRIMARY KEY, mother text);
CREATE TABLE notes (id int PRIMARY KEY, note text);
INSERT INTO notes VALUES (1, 'ENC4:hello');
"""


@pytest.mark.parametrize(
    ("closing", "said"),
    [
        ("REVOKE ALL ON people FROM {role}", "may not"),
        (
            "ALTER TABLE people ENABLE ROW LEVEL SECURITY; "
            "CREATE POLICY own ON people TO {role} USING (id > 1)",
            "row",
        ),
    ],
    ids=["no privilege", "rows hidden"],
)
def test_a_table_that_cannot_be_read_whole_is_never_a_pass(closing: str, said: str):
    """Nothing is passed over in silence, and what offends elsewhere still fails."""
    ours = Envelopes(FORMAT, derive_key(PASSWORD, SALT, FORMAT))
    with scratch.database(LOCKED_UP) as url, psycopg.connect(url, autocommit=True) as owner:
        for n in range(1, 4):
            owner.execute("INSERT INTO people VALUES (%s, %s)", (n, ours.seal("x")))
        role = f"reader_{owner.info.backend_pid}"
        owner.execute(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON people, notes TO {role}")
        owner.execute(closing.format(role=role))
        limited = url.replace("//readiness@", f"//{role}@")
        alone = ciphertexts.stored(target(limited))
        both = ciphertexts.stored(target(limited, columns=["people.mother", "notes.note"]))
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert said in alone.records[0]["problem"]
    found = ciphertexts_conform.assess([alone], ciphertexts_conform.criteria(min_iterations=1))
    assert found.status is Status.NOT_MEASURED
    assert judged(both)[0] is Status.FAIL


def test_views_of_evidence_that_is_missing_are_empty_tables():
    closed = target("postgresql://nobody@127.0.0.1:1/x")
    evidence = ciphertexts.stored(closed)
    assert evidence.problem
    assert evidence.problem.reason is Reason.UNREACHABLE
    trial = cipher_code.round_trip(closed)
    views = [ciphertexts.by_column, ciphertexts.unsealed, ciphertexts.reuse]
    views += [cipher_code.cases, cipher_code.refusals]
    for view in views:
        assert view(trial if "cipher_code" in view.__module__ else evidence).empty
    assert not ciphertexts.composition(evidence).data


# The service's own code ---------------------------------------------------------------------------


def service(**changed: object) -> Target:
    code = {
        "interpreter": "${PYTHON}",
        "path": [str(CIPHERS)],
        "module": "specimen_ciphers",
        "derive_key": "Sound.derive_key",
        "encrypt": "Sound.encrypt",
        "decrypt": "Sound.decrypt",
    }
    section = {"columns": ["a.b"], "key": PASSWORD, "salt": SALT, "iterations": 1_000}
    raw = {"name": "t", "encryption": {**section, "code": {**code, **changed}}}
    variables = {"PYTHON": sys.executable, "DATABASE": "postgresql://u:s3cret-pass@h/db"}
    return validated(Target, raw, "test", variables, specimen=True).allowing({"active"})


def test_the_service_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch):
    """Its code gets PATH and what the parameters give it; what it prints stays out."""
    monkeypatch.setenv("AUDITORS_SECRET", "not for the target")
    (tmp_path / "curious.py").write_text(
        "import os, sys\n"
        "from specimen_ciphers import Sound\n"
        "print('noise'); print('{}', file=sys.__stdout__)\n"
        "assert 'AUDITORS_SECRET' not in os.environ, 'leaked'\n"
        "assert os.environ['MODE'] == 'test'\n"
    )
    trial = cipher_code.round_trip(
        service(path=[str(tmp_path), str(CIPHERS)], module="curious", environment={"MODE": "test"})
    )
    assert trial.problem is None
    assert round_trip.assess([trial], round_trip.criteria()).status is Status.PASS
    assert not list(tmp_path.glob("__pycache__"))


def test_what_it_was_given_is_not_repeated_when_it_fails(tmp_path: Path):
    (tmp_path / "broken.py").write_text(
        "import os\nraise RuntimeError('cannot reach ' + os.environ['DATABASE_URL'])\n"
    )
    trial = cipher_code.round_trip(
        service(path=[str(tmp_path)], module="broken", environment={"DATABASE_URL": "${DATABASE}"})
    )
    assert trial.problem
    assert trial.problem.reason is Reason.UNREACHABLE
    assert "[DATABASE_URL]" in trial.problem.message
    assert "s3cret-pass" not in trial.to_json()


def test_the_evidence_of_a_round_trip_holds_no_key():
    trial = cipher_code.round_trip(service())
    text = json.dumps(trial.records) + json.dumps(trial.facts)
    for said in ("begins like a ciphertext: ENC4:", "prefix ENC4:", '"format": "ENC4:"'):
        text = text.replace(said, "")
    assert "ENC4:" not in text
    assert PASSWORD not in text
    assert {r["group"] for r in trial.records} == {
        "derivation",
        "round trip",
        "two encryptions",
        "refusal",
    }


@settings(max_examples=30)
@given(
    drawn=st.lists(st.binary(min_size=12, max_size=12), max_size=60),
    again=st.lists(st.integers(0, 59), max_size=5),
    in_memory=st.sampled_from([1, 7, 1_000]),
)
def test_every_nonce_that_stands_twice_is_found(
    drawn: list[bytes], again: list[int], in_memory: int
):
    """Whether they fit into memory or wait on disk; what differs in a byte has another digest."""
    given = drawn + [drawn[place] for place in again if place < len(drawn)]
    twice = {nonce for nonce in given if given.count(nonce) > 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonces, "IN_MEMORY", in_memory)
        kept = nonces.Nonces()
        for nonce in given:
            kept.add(nonces.digests([nonce]).tobytes())
        assert len(kept) == len(given)
        assert kept.repeated() == set(nonces.digests(sorted(twice)).tolist())
    near = [bytes(12)] + [bytes(n) + b"\x01" + bytes(11 - n) for n in range(12)]
    assert len(set(nonces.digests(near).tolist())) == 13
