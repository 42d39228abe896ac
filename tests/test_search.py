"""The search of everything: all that is planted is found, and nothing else."""

from __future__ import annotations

import time

import psycopg
import pytest
from planted import NOISE, plant
from psycopg.types.json import Jsonb
from readiness import scratch
from readiness.checks.security.plaintext import nothing_in_clear
from readiness.evidence import Evidence
from readiness.finding import Reason, Severity, Status
from readiness.parameters import validated
from readiness.sources import plaintext
from readiness.sources.detectors import KINDS
from readiness.sources.finds import FIELD
from readiness.target import Target
from readiness.target.plaintext import KindName

SECTION = {"key": "a password for tests", "salt": "salt for tests", "iterations": 10}


def of(url: str, **more: object) -> Target:
    raw = {
        "name": "t",
        "database": {"url": url},
        "encryption": {**SECTION, "columns": ["p.mother_name"]},
    }
    return validated(Target, {**raw, **more}, "test", {}, specimen=True)


def places(found: Evidence) -> dict[tuple[str, str], str]:
    return {(hit["column"], hit["row"]): hit["kind"] for hit in found.facts["hits"]}


@pytest.mark.parametrize(
    "rows", [100_000, pytest.param(5_000_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
)
def test_fifty_planted_values_are_found_and_nothing_else_is(rows: int):
    with scratch.database(NOISE.replace("{rows}", str(rows))) as url:
        with psycopg.connect(url) as database:
            planted = plant(database, rows)
        with psycopg.connect(url, autocommit=True) as database:
            database.execute("VACUUM ANALYZE")
        started = time.perf_counter()
        found = plaintext.elsewhere(of(url, database={"url": url, "statement_timeout_s": 1200}))
        print(f"{rows} rows in {time.perf_counter() - started:.1f} s")
    assert found.problem is None, found.problem
    assert len(planted) >= 50
    missed = {place: kind for place, kind in planted.items() if places(found).get(place) != kind}
    false = {place: kind for place, kind in places(found).items() if place not in planted}
    assert not missed, missed
    assert not false, false
    text = found.to_json()
    assert "Maryam" not in text
    assert "hunter2" not in text
    assert "4111111111111111" not in text


def test_the_parameters_know_every_kind():
    assert {*KindName.__args__} == {*(kind.name for kind in KINDS), FIELD}


PEOPLE = """
CREATE TABLE people (id int PRIMARY KEY, mail text, note text);
INSERT INTO people SELECT n, 'p' || n || '@mail.ir', 'nothing' FROM generate_series(1, 3000) n;
"""


def test_personal_data_is_a_medium_failure_until_it_is_declared():
    with scratch.database(PEOPLE) as url:
        undeclared = judged(of(url, encryption=[]))
        allowed = {"allowed": {"people.mail": ["e-mail address"]}}
        declared = judged(of(url, encryption=[], plaintext=allowed))
        with psycopg.connect(url) as database:
            sql = "UPDATE people SET mail = 'xoxb-123456789012-abcdefGHIJ' WHERE id = 2999"
            database.execute(sql)
        hidden = judged(of(url, encryption=[]))
        also = judged(of(url, encryption=[], plaintext=allowed))
    assert (undeclared.status, undeclared.severity) == (Status.FAIL, Severity.MEDIUM)
    assert declared.status is Status.PASS
    assert "public.people.mail left out" in declared.observed
    for found in (hidden, also):
        assert (found.status, found.severity) == (Status.FAIL, None)
        assert "credential of a provider in public.people.mail" in found.observed


def judged(target: Target):
    evidence = [plaintext.sensitive_columns(target), plaintext.elsewhere(target)]
    assert not any(one.problem for one in evidence), [one.problem for one in evidence]
    return nothing_in_clear.assess(evidence, nothing_in_clear.criteria())


def test_a_table_that_may_not_be_read_is_said_and_never_a_pass():
    with scratch.database(PEOPLE) as url, psycopg.connect(url, autocommit=True) as owner:
        role = f"reader_{owner.info.backend_pid}"
        owner.execute(f"CREATE ROLE {role} LOGIN; CREATE TABLE open (t text)")
        owner.execute(f"INSERT INTO open VALUES ('x'); GRANT SELECT ON open TO {role}")
        found = judged(of(url.replace("//readiness@", f"//{role}@"), encryption=[]))
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert (found.status, found.reason) == (Status.NOT_MEASURED, Reason.INCONCLUSIVE)
    assert "public.people: the audit's role may not" in found.observed


def test_a_timeout_says_which_share_was_read():
    """The whole takes too long; its pieces do not, as far as they go."""
    slow = """CREATE TABLE big AS SELECT n AS id, repeat(md5(n::text), 60) AS t
              FROM generate_series(1, 40000) n"""
    with scratch.database(slow) as url:
        limits = {"url": url, "statement_timeout_s": 0.15}
        found = plaintext.elsewhere(of(url, database=limits, encryption=[]))
    (record,) = found.records
    assert "% of it was read" in record["problem"]
    assert "statement_timeout_s" in record["problem"]


def test_an_empty_database_is_no_pass():
    with scratch.database("CREATE TABLE t (a text)") as url:
        found = judged(of(url, encryption=[]))
    assert (found.status, found.reason) == (Status.NOT_MEASURED, Reason.NO_SAMPLES)


@pytest.mark.parametrize(
    "text", ["53676429-3834-4582-aa35-d309b82d99ce", "order 4111-1111-1111-1111-x"]
)
def test_digits_within_an_identifier_are_no_card(text: str):
    kind = next(kind for kind in KINDS if kind.name == "card number")
    assert kind.proof("4111 1111 1111 1111 is one")
    assert kind.proof(text) is None


def test_what_stands_behind_a_line_end_in_a_document_is_found():
    """JSON writes the line end as two characters, the second a letter; bytes as four."""
    secrets = {
        "private key (WIF)": "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
        "card number": "4111111111111111",
        "phone number": "+98 912 345 6789",
        "credential of a provider": "xoxb-" + "123456789012-abcdefGHIJ",
        "seed phrase (BIP-39)": "\n".join(["abandon"] * 11 + ["about"]),
    }
    with scratch.database("CREATE TABLE t (id int PRIMARY KEY, doc jsonb, raw bytea)") as url:
        with psycopg.connect(url) as database:
            for n, secret in enumerate(secrets.values()):
                note = f"kept:\n{secret}\n"
                database.execute(
                    "INSERT INTO t VALUES (%s, %s, %s)", (n, Jsonb({"n": note}), note.encode())
                )
        found = places(plaintext.elsewhere(of(url, encryption=[])))
    wanted = {
        (f"public.t.{column}", f"id={n}"): kind
        for n, kind in enumerate(secrets)
        for column in ("doc", "raw")
    }
    assert found == wanted
