"""What stands in clear, in a real database: none overlooked, and nothing of it in the evidence."""

from __future__ import annotations

import binascii
import json
import string
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.sql import SQL, Identifier
from psycopg.types.json import Jsonb
from readiness import loopback, scratch
from readiness.checks.data_integrity.plaintext import sensitive_values
from readiness.evidence import Evidence, Problem
from readiness.finding import Reason, Status, now
from readiness.parameters import validated
from readiness.sources import canary, plaintext, sealed, sieve
from readiness.sources.envelope import EnvelopeError, Envelopes, Kind, base58_holds
from readiness.sources.keys import derive_key
from readiness.sources.sealed import IN_CLEAR
from readiness.target import Encryption, Target

SECTION = {"key": "a password for tests", "salt": "salt for tests", "iterations": 10}
NAMES = ["Maryam", "شیرین", "Zoë 🌙", "+98 912 345 6789", "a@example.org", "ENC4:hello", " "]


def target(url: str, *columns: str) -> Target:
    raw = {"name": "t", "database": {"url": url}, "encryption": {**SECTION, "columns": columns}}
    return validated(Target, raw, "test", {}, specimen=True)


def envelopes() -> Envelopes:
    form = validated(Encryption, {**SECTION, "columns": ["a.b"]}, "test", {}, specimen=True)
    return Envelopes(form, derive_key(SECTION["key"], SECTION["salt"], form))


def judged(columns: Evidence, canaries: Evidence, **criteria: object):
    nothing = evidence_of([], hits=[], left_out=[])
    return sensitive_values.assess(
        [columns, nothing, canaries], sensitive_values.criteria(**criteria)
    )


def test_every_planted_value_is_found_and_none_is_shown():
    """Among 20,000 ciphertexts, in three column types; the evidence has place and shape only."""
    ours = envelopes()
    with scratch.database(
        "CREATE TABLE a (id int PRIMARY KEY, t text, v varchar(400), b bytea)"
    ) as url:
        with psycopg.connect(url) as database, database.cursor() as cursor:
            with cursor.copy("COPY a FROM STDIN") as copy:
                for n in range(7_000):
                    row = [ours.seal(f"{n}") for _ in range(3)]
                    copy.write_row((n, row[0], row[1], row[2].encode()))
            for n, name in enumerate(NAMES):
                cursor.execute("UPDATE a SET t = %s WHERE id = %s", (name, n * 900))
                cursor.execute("UPDATE a SET v = %s WHERE id = %s", (name, n * 900 + 1))
                cursor.execute("UPDATE a SET b = %s WHERE id = %s", (name.encode(), n * 900 + 2))
        asked = target(url, "a.t", "a.v", "a.b")
        columns, canaries = plaintext.sensitive_columns(asked), plaintext.canaries(asked)
    found = {(v["column"], v["row"]) for v in columns.facts["clear"]}
    planted = {
        (f"public.a.{column}", f"id={n * 900 + shift}")
        for shift, column in enumerate("tvb")
        for n in range(len(NAMES))
    }
    assert found == planted
    assert judged(columns, canaries).status is Status.FAIL
    text = columns.to_json() + plaintext.in_clear(columns).to_json(force_ascii=False)
    assert not [n for n in NAMES if len(n) > 3 and n in text]
    assert "+99 999 999 9999" in text


@given(st.text(min_size=1))
def test_the_shape_of_a_value_keeps_no_letter_and_no_digit(value: str):
    shape = sealed.outline(value.encode(errors="replace"))["shape"]
    assert set(shape) <= {"x", "9", " ", *string.punctuation}


@pytest.mark.parametrize(
    ("key", "holds"),
    [
        (b"5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", True),
        (b"KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617", True),
        (b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", True),
        (b"KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98618", False),
        (b"not base58 at all", False),
        (b"", False),
    ],
)
def test_keys_are_known_by_their_checksum(key: bytes, holds: bool):
    """Keys and the address are the published examples of Bitcoin's documentation."""
    assert base58_holds(key) is holds


# Canaries -----------------------------------------------------------------------------------------


@given(
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
    encode=st.sampled_from([b64encode, urlsafe_b64encode, binascii.hexlify, bytes]),
)
def test_a_canary_is_known_wherever_it_is_embedded(before: bytes, after: bytes, encode):
    value = canary.token()
    around = [bytes(b % 26 + 65 for b in part) for part in (before, after)]
    stored = encode(around[0] + value.encode() + around[1]).decode().lower()
    assert any(form in stored for form in canary.forms(value))


def test_two_canaries_share_no_form():
    values = [canary.token() for _ in range(200)]
    forms = [form for value in values for form in canary.forms(value)]
    assert len(set(forms)) == len(forms)
    assert min(map(len, forms)) >= 24


SERVICE = """
CREATE TABLE people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mother text);
CREATE TABLE history (at timestamptz DEFAULT now(), what jsonb);
CREATE TABLE locked (note text);
"""


@pytest.fixture
def api():
    """A loopback service on a scratch database whose audit role may not read everything."""
    ours = envelopes()
    with scratch.database(SERVICE) as url, psycopg.connect(url, autocommit=True) as owner:
        role = f"audit_{owner.info.backend_pid}"
        owner.execute(f"CREATE ROLE {role} LOGIN; GRANT pg_read_all_data TO {role}")
        copies = []

        def answer(request: loopback.Request) -> loopback.Response:
            with psycopg.connect(url, autocommit=True) as database:
                if request.method == "DELETE":
                    database.execute("DELETE FROM people WHERE id = %s", (request.path[8:],))
                    return loopback.Response(204)
                mother = json.loads(request.body)["mother"]
                row = database.execute(
                    "INSERT INTO people (mother) VALUES (%s) RETURNING id", (ours.seal(mother),)
                ).fetchone()
                for copy in copies:
                    copy(database, mother)
                return loopback.Response(201, body=json.dumps({"id": row[0]}).encode())

        with loopback.serve(answer) as base_url:
            raw = {
                "name": "t",
                "database": {"url": url.replace("//readiness@", f"//{role}@")},
                "encryption": {**SECTION, "columns": ["people.mother"]},
                "http": {
                    "base_url": base_url,
                    "roles": {"writer": {"credential": "a key for tests"}},
                    "canaries": [
                        {
                            "operation": "POST /people",
                            "json": {},
                            "fields": ["mother"],
                            "as_role": "writer",
                            "remove": "DELETE /people/{id}",
                        }
                    ],
                },
            }
            made = validated(Target, raw, "test", {}, specimen=True)
            yield made.allowing({"passive", "active"}), copies, owner, role
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_canaries_leave_no_row_behind_and_no_value_in_the_evidence(api):
    asked, copies, owner, _ = api
    seen = []
    copies.append(lambda database, mother: seen.append(mother))
    evidence = plaintext.canaries(asked)
    columns = plaintext.sensitive_columns(asked)
    assert judged(columns, evidence).status is Status.PASS
    assert owner.execute("SELECT count(*) FROM people").fetchone() == (0,)
    assert evidence.facts["left"] == []
    assert seen
    assert seen[0] not in evidence.to_json()


def test_a_table_that_the_audit_may_not_read_keeps_it_from_passing(api):
    asked, _, owner, role = api
    owner.execute(f"REVOKE pg_read_all_data FROM {role}; GRANT SELECT ON people, history TO {role}")
    found = judged(plaintext.sensitive_columns(asked), plaintext.canaries(asked))
    assert found.status is Status.NOT_MEASURED
    assert "public.locked" in found.observed


def test_a_copy_that_outlives_its_row_is_found_and_reported(api):
    asked, copies, _, _ = api
    copies.append(
        lambda database, mother: database.execute(
            "INSERT INTO history (what) VALUES (%s)", (Jsonb({"body": {"mother": [mother]}}),)
        )
    )
    evidence = plaintext.canaries(asked)
    assert [hit["column"] for hit in evidence.facts["hits"]] == ["public.history.what"]
    assert len(evidence.facts["left"]) == 1
    found = judged(plaintext.sensitive_columns(asked), evidence)
    assert found.status is Status.FAIL
    assert "public.history.what" in found.observed


def test_canaries_are_not_written_where_that_is_not_permitted(api):
    asked, _, owner, _ = api
    evidence = plaintext.canaries(asked.allowing({"passive"}))
    assert evidence.facts["state"] == "not permitted"
    assert evidence.facts.get("requests") is None
    assert owner.execute("SELECT count(*) FROM people").fetchone() == (0,)


def test_what_was_written_is_removed_when_the_search_fails(api):
    """A database that goes away in the middle costs the finding, not the service's cleanliness."""
    asked, copies, owner, _ = api

    def cut(database, mother):
        database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'readiness-audit'"
        )

    copies.append(cut)
    evidence = plaintext.canaries(asked)
    assert evidence.problem
    assert evidence.problem.reason is Reason.UNREACHABLE
    assert owner.execute("SELECT count(*) FROM people").fetchone() == (0,)


# What the answer may claim ------------------------------------------------------------------------


def evidence_of(records: list, **facts: object) -> Evidence:
    return Evidence("test", now(), 0.0, records, facts, {})


SOUND = {"column": "a.b", "rows": 2, "null": 0, "empty": 0, "envelopes": 2, "closed": 0}
SOUND |= {"legacy": 0, "clear": 0}
NO_CANARY = {"hits": [], "searched": 0, "not_searched": [], "left": [], "files": []}


@pytest.mark.parametrize("state", ["not permitted", "no service"])
def test_without_a_canary_only_the_columns_are_claimed(state: str):
    columns = evidence_of([SOUND], clear=[])
    without = evidence_of([], state=state, **NO_CANARY)
    found = judged(columns, without)
    assert found.status is Status.PASS
    assert "no canary was written" in found.observed
    assert "written through the API" not in found.expected
    assert judged(columns, without, canary_required=True).status is Status.NOT_MEASURED


def test_a_value_in_clear_fails_whatever_became_of_the_canary():
    """Losing the canary's evidence never helps."""
    clear = [{"column": "a.b", "row": "id=1", "kind": "no envelope", "length": 3, "shape": "xxx"}]
    columns = evidence_of([{**SOUND, "clear": 1}], clear=clear)
    lost = {"state": "failed", "reason": "unreachable", "message": "gone"}
    assert judged(columns, evidence_of([], **NO_CANARY | lost)).status is Status.FAIL
    sound = evidence_of([SOUND], clear=[])
    found = judged(sound, evidence_of([], **NO_CANARY | lost))
    assert (found.status, found.reason) == (Status.NOT_MEASURED, Reason.UNREACHABLE)


def test_views_of_evidence_that_is_missing_are_empty_tables():
    gone = evidence_of([])
    gone.problem = Problem(Status.NOT_MEASURED, Reason.UNREACHABLE, "no database")
    views = [plaintext.by_column, plaintext.in_clear, plaintext.canary_table]
    for view in [*views, plaintext.canary_hits]:
        assert view(gone).empty


def test_a_canary_is_found_in_logs_and_packed_backups(tmp_path):
    """As text, escaped, as UTF-16; plain, gzipped and in an archive of pg_dump."""
    import gzip
    import subprocess

    from readiness.sources import files
    from readiness.target import Plaintext

    value = canary.token()
    forms = canary.forms(value)
    assert set(forms.values()) >= {"as it is", "hexadecimal", "base64", "UTF-16", "URL-encoded"}
    (tmp_path / "old.log").write_text(value)
    began = (tmp_path / "old.log").stat().st_mtime + 0.01
    import os

    os.utime(tmp_path / "old.log", (began - 100, began - 100))
    began -= 0.02
    (tmp_path / "a.log").write_text("x" * 1_048_570 + value)  # across two pieces
    (tmp_path / "b.log").write_bytes(("y" + value).encode("utf-16"))
    (tmp_path / "c.log").write_text("q=" + "".join(f"%{ord(c):02X}" for c in value))
    with gzip.open(tmp_path / "d.sql.gz", "wt") as packed:
        packed.write(f"INSERT {value}")
    (tmp_path / "e.log").write_text("nothing")
    from readiness import postgresql

    with scratch.database(f"CREATE TABLE t AS SELECT '{value}'::text AS a") as url:
        dump = postgresql.installation().bin / "pg_dump"
        subprocess.run([dump, "-Fc", "-f", tmp_path / "f.dump", url], check=True)
    patterns = {"logs": [f"{tmp_path}/*.log", f"{tmp_path}/none"], "backups": [f"{tmp_path}/*.*p*"]}
    patterns["backups"].append(f"{tmp_path}/d.*")
    said: list = []
    declared = validated(Plaintext, patterns, "test", {}, specimen=True)
    hits = list(files.search(declared, set(forms), began, said))
    assert {hit["file"] for hit in hits} == {"a.log", "b.log", "c.log", "d.sql.gz", "f.dump"}
    assert [row["why"] for row in said if not row["searched"]] == ["there is no such file"]


FORMATS = [{}, {"prefix": "v1%_l:", "encoding": "base64url"}, {"prefix": "", "encoding": "hex"}]
FORMATS += [{"prefix": "", "nonce_bytes": 8, "tag_bytes": 4}]
TEXTS = ["Maryam Rostami, born at Shiraz, is my mother", "نام مادرم مریم است و در شیراز زاده شد"]
TEXTS += [
    "お母さんの名前はマリアムです、テヘランの生まれ",
    "Zoë 🌙 " * 5,
    "é" * 20,
    "\tline\r\n" * 4,
]
KEYS = ["5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "c0ffee" * 10]


@pytest.mark.parametrize("described", FORMATS)
def test_what_the_server_calls_sealed_is_no_text(described: dict[str, Any]):
    """Its conditions against the envelopes themselves, on whatever may be taken for one."""
    raw = {**SECTION, **described, "columns": ["a.b"]}
    form = validated(Encryption, raw, "test", {}, specimen=True)
    ours = Envelopes(form, derive_key(SECTION["key"], SECTION["salt"], form))
    good = [ours.seal("x" * n) for n in range(40)]
    texts = [ours.pack(text.encode()) for text in TEXTS]
    texts += [ours.pack(b"a" * n) for n in range(12, 60)] + [form.prefix + key for key in KEYS]
    odd = [value + end for value in good for end in ("=", "==", "A", " ", "\n", "!")]
    odd += [value.rstrip("=") for value in [*good, *texts]] + [value[:-1] for value in good]
    odd += [value[: len(form.prefix) + n] for value in good[:3] for n in range(20)]
    values = [value for value in [*good, *texts, *odd] if value]
    query = SQL("SELECT v, {} FROM t").format(sieve.sealed(Identifier("v"), ours))
    with scratch.database("CREATE TABLE t (v text)") as url, psycopg.connect(url) as database:
        database.execute("INSERT INTO t SELECT unnest(%s::text[])", (values,))
        answers = dict(database.execute(query).fetchall())
    wrong = [value for value, sure in answers.items() if sure and kind_of(ours, value) in IN_CLEAR]
    assert not wrong
    unsure = [value for value in good if not answers[value]]  # letters of base58 only, by chance
    assert len(unsure) < len(good) / 4


def kind_of(ours: Envelopes, value: str) -> Kind:
    try:
        ours.open(value)
    except EnvelopeError as closed:
        return closed.kind
    return Kind.SEALED
