"""Schemas: what differs is found and classed rightly, what does not differ is never told of."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness import postgresql, scratch
from readiness.check import Criteria
from readiness.checks.data_integrity import schema
from readiness.checks.deployment import init_sql as init_sql_checks
from readiness.documents import ROOT
from readiness.evidence import Evidence
from readiness.finding import Reason, Severity, Status
from readiness.parameters import validated
from readiness.sources import catalogue, drift, init_sql
from readiness.sources.drift.expressions import plain, same_default
from readiness.sources.drift.types import compare_types
from readiness.sources.sql_script import split
from readiness.target import Target

BASE = """
CREATE TABLE people (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tags text[], price numeric(10, 2)
);
CREATE TABLE visits (id serial PRIMARY KEY, person_id uuid NOT NULL REFERENCES people);
"""


@pytest.fixture(scope="module")
def wanted() -> Iterator[tuple[psycopg.Connection[Any], list[dict[str, Any]]]]:
    """A connection to the base schema, and its catalogue."""
    with scratch.database(BASE) as url, psycopg.connect(url, autocommit=True) as connection:
        yield connection, catalogue.read(connection, ["public"])


def drifted(connection: psycopg.Connection[Any], change: str) -> list[dict[str, Any]]:
    """The catalogue after a change, which is taken back."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL search_path TO public")
        connection.execute(change.encode())
        return catalogue.read(connection, ["public"])


def test_what_only_the_database_has_matters_when_the_script_claims_to_be_all(wanted: Any) -> None:
    connection, base = wanted
    change = "CREATE TABLE drafts (id int); ALTER TABLE people ADD nick text"
    live = drifted(connection, change)
    assert {d["class"] for d in drift.compare(live, base)} == {"cosmetic"}
    assert {d["class"] for d in drift.compare(live, base, whole=True)} == {"risky"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("'0'::numeric", "0", True),
        ("(0)::numeric", "'0'", True),
        ("now()", "CURRENT_TIMESTAMP", True),
        ("'user'::character varying", "'user'::text", True),
        ("'{}'::text[]", "'{}'::character varying[]", True),
        ("'a::b'::text", "'a'::text", False),
        ("'User'::text", "'user'::text", False),
        ("true", "false", False),
        (None, "NULL", False),
        ("'it''s'::text", "'its'::text", False),
        ("(1 + 2) * 3", "1 + (2 * 3)", False),
    ],
)
def test_defaults_are_compared_by_meaning(one: str, other: str, same: bool) -> None:
    assert same_default(one, other) is same
    assert same_default(other, one) is same


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", '"b c"', "'x'", "'it''s (::text'", "1", "now()"]),
    lambda inner: st.one_of(
        inner.map(lambda e: f"({e})"),
        inner.map(lambda e: f"({e})::text"),
        st.tuples(inner, inner).map(" + ".join),
        st.tuples(inner, inner).map(lambda pair: f"coalesce({pair[0]}, {pair[1]})"),
    ),
)


@given(EXPRESSIONS)
def test_an_expression_in_plain_form_stays_as_it_is(text: str) -> None:
    assert plain(plain(text)) == plain(text)


TYPES = ["text", "character varying(20)", "integer", "bigint", "numeric(10,2)", "real", "uuid"]
TYPES += ["timestamp with time zone", "timestamp without time zone", "date", "json", "jsonb"]
TYPES += ["boolean", "bytea", "text[]", "integer[]", "inet", "public.mood", "double precision"]


@given(st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_two_types_are_either_the_same_or_have_a_class_and_a_reason(one: str, other: str) -> None:
    verdict = compare_types(one, other)
    assert (verdict is None) == (one == other)
    if verdict:
        assert verdict[0] in drift.CLASSES
        assert verdict[1]


PIECES = [
    "CREATE TABLE a (x text DEFAULT 'a;b')",
    "INSERT INTO a VALUES (E'it\\'s; so', \"odd;name\")",
    "SELECT 1 /* a; /* nested; */ b; */ + 2",
    "SELECT 1 -- to the end; of the line\n + 2",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ SELECT 1; SELECT 2; $body$",
    "DO $$ BEGIN PERFORM 1; IF true THEN NULL; END IF; END $$",
    "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
    "CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2)",
    "SELECT '$$;', $_1$a;$_1$, $1",
    "BEGIN",
    "COMMIT",
]


@given(st.lists(st.sampled_from(PIECES)), st.sampled_from([";", ";\n", " ;\n-- a; b\n\n", ";;"]))
@settings(deadline=None)
def test_a_script_is_split_where_its_statements_end(pieces: list[str], end: str) -> None:
    text = "".join(piece + end for piece in pieces)
    found = split(text).statements
    assert [s.text.rstrip() for s in found] == pieces
    for statement in found:
        line = text.splitlines()[statement.line - 1]
        assert statement.text.splitlines()[0] in line


@pytest.mark.parametrize("text", ["SELECT 'never closed; SELECT 1;", "SELECT $$a; b;", "/* a; b;"])
def test_a_quote_that_never_ends_makes_the_rest_one_statement(text: str) -> None:
    assert len(split(text).statements) <= 1


def target(folder: Path, **more: Any) -> Target:
    return validated(Target, {"name": "tried", **more}, "test", {}, specimen=True)


def asked(folder: Path, models: str, **more: Any) -> Evidence:
    """The catalogue of a models file."""
    (folder / "models.py").write_text(models)
    orm = {"interpreter": sys.executable, "path": [str(folder)], "metadata": "models:metadata"}
    return catalogue.orm(target(folder, orm={**orm, **more}))


MODELS = """
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("users", metadata, Column("id", Integer, primary_key=True))
"""


def test_an_application_that_prints_and_starts_threads_is_understood(tmp_path: Path) -> None:
    noise = """
import sys, threading, time
print('{"statements": ["DROP TABLE users"]}' * 10_000)
print("garbage", file=sys.stderr)
threading.Thread(target=time.sleep, args=(60,)).start()
"""
    started = time.monotonic()
    evidence = asked(tmp_path, noise + MODELS)
    assert evidence.problem is None
    assert evidence.facts["counts"]["table"] == 1
    assert time.monotonic() - started < 30


def test_an_application_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    hang = f"""
import os, subprocess, time
child = subprocess.Popen(["sleep", "600"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    evidence = asked(tmp_path, hang, timeout_s=2)
    assert evidence.problem
    assert evidence.problem.reason is Reason.UNREACHABLE
    assert "within 2 s" in evidence.problem.message
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        state = Path(f"/proc/{child}/stat")
        if not state.exists() or state.read_text().split()[2] == "Z":
            break
        time.sleep(0.1)
    else:
        pytest.fail("the child of the application is still there")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ("import no_such_module", "ModuleNotFoundError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("import os; os._exit(0)", "gave no metadata"),
        ("metadata = 42", "int"),
        ("class metadata: pass", "type"),
        ("def broken(:", "SyntaxError"),
    ],
)
def test_models_that_cannot_be_had_are_not_measured(tmp_path: Path, models: str, said: str) -> None:
    evidence = asked(tmp_path, models)
    assert evidence.problem
    assert evidence.problem.status is Status.NOT_MEASURED
    assert evidence.problem.reason is Reason.UNREACHABLE
    assert said in evidence.problem.message


def test_an_interpreter_that_is_not_there_is_a_missing_tool(tmp_path: Path) -> None:
    evidence = asked(tmp_path, MODELS, interpreter=str(tmp_path / "bin/python"))
    assert evidence.problem
    assert evidence.problem.reason is Reason.TOOL_MISSING


def test_the_application_sees_its_own_environment_and_gives_nothing_of_it_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDIT_SECRET", "of-the-audit-4711")
    monkeypatch.setenv("APP_DATABASE", "postgresql://app:of-the-app-4712@db/app")
    models = """
import os
raise RuntimeError(f"cannot use {os.environ.get('AUDIT_SECRET')} {os.environ['DATABASE_URL']}")
"""
    (tmp_path / "models.py").write_text(models)
    raw = {
        "name": "tried",
        "orm": {
            "interpreter": sys.executable,
            "path": [str(tmp_path)],
            "metadata": "models:metadata",
            "environment": {"DATABASE_URL": "${APP_DATABASE}"},
        },
    }
    evidence = catalogue.orm(validated(Target, raw, "test"))
    assert evidence.problem
    assert "cannot use None [DATABASE_URL]" in evidence.problem.message
    assert "4711" not in evidence.to_json()
    assert "4712" not in evidence.to_json()
    assert os.environ["AUDIT_SECRET"]


def test_asking_the_models_leaves_no_file_behind(tmp_path: Path) -> None:
    assert asked(tmp_path, MODELS).problem is None
    assert [path.name for path in tmp_path.iterdir()] == ["models.py"]


def loaded(folder: Path, script: str, **more: Any) -> Evidence:
    (folder / "init.sql").write_text(script)
    repository = {"path": str(folder), "init_sql": "init.sql", **more}
    return init_sql.loading(target(folder, repository=repository))


def test_a_syntax_error_is_told_by_its_line_and_not_by_its_statements(tmp_path: Path) -> None:
    script = "CREATE TABLE IF NOT EXISTS a (x int);\n" * 400
    script += "CREATE TABLE b (\n  x int,\n  y int,\n  z itn itn\n);\n"
    evidence = loaded(tmp_path, script)
    judged = init_sql_checks.loads_twice.assess([evidence], Criteria())
    assert judged.status is Status.FAIL
    assert 'syntax error at or near "itn" at line 404' in judged.observed


def test_what_a_script_says_stays_out_of_the_evidence(tmp_path: Path) -> None:
    script = """
        CREATE TABLE accounts (name text, secret int);
        INSERT INTO accounts VALUES ('root', 'hunter2222');
        CREATE ROLE app LOGIN PASSWORD 'hunter2222' NONSENSE 'hunter2222';
    """
    evidence = loaded(tmp_path, script)
    assert [bool(r["error"]) for r in evidence.records] == [False, True, True]
    assert "hunter2222" not in evidence.to_json()


def test_roles_of_a_script_never_reach_the_scratch_server(tmp_path: Path) -> None:
    evidence = loaded(tmp_path, "CREATE ROLE left_behind; CREATE TABLE a (x int);")
    assert evidence.problem is None
    with psycopg.connect(scratch.server().url()) as admin:
        roles = {name for (name,) in admin.execute("SELECT rolname FROM pg_roles")}
    assert postgresql.OWNER in roles
    assert "left_behind" not in roles


def test_a_second_load_that_fails_weighs_less_than_a_first(tmp_path: Path) -> None:
    judge = init_sql_checks.loads_twice
    again = judge.assess([loaded(tmp_path, "CREATE TABLE a (x int);")], Criteria())
    first = judge.assess([loaded(tmp_path, "CREATE TABEL a (x int);")], Criteria())
    assert (again.status, again.severity) == (Status.FAIL, Severity.MEDIUM)
    assert (first.status, first.severity) == (Status.FAIL, None)


def test_the_reference_schema_is_the_same_on_all_three_sides() -> None:
    script = (ROOT / "reference/database/init.sql").read_text()
    with scratch.database(script) as url:
        raw = {
            "name": "reference",
            "database": {"url": url},
            "repository": {"path": str(ROOT / "reference"), "init_sql": "database/init.sql"},
            "orm": {
                "interpreter": sys.executable,
                "path": [str(ROOT / "reference/api")],
                "imports": ["app.models"],
                "metadata": "app.database:Base",
            },
        }
        reference = validated(Target, raw, "test", {}, specimen=True)
        live, orm, script_side = (
            source(reference) for source in (catalogue.live, catalogue.orm, catalogue.init_sql)
        )
    assert drift.compare(live.records, orm.records) == []
    assert drift.compare(live.records, script_side.records, whole=True) == []
    judged = schema.live_matches_orm.assess([live, orm], Criteria())
    assert judged.status is Status.PASS
    assert judged.samples > 100


def test_the_figure_shows_every_difference_where_it_sits(wanted: Any) -> None:
    connection, base = wanted
    change = "ALTER TABLE people DROP tags, ALTER price SET DEFAULT 0; DROP TABLE visits"
    live = Evidence("catalogue.live", None, 0, drifted(connection, change), {}, {})  # type: ignore
    wants = Evidence("catalogue.orm", None, 0, base, {}, {})  # type: ignore
    drawn = drift.figure(live, wants)
    counted = {
        (table, bar.name): count
        for bar in drawn.data
        for table, count in zip(bar.y, bar.x, strict=True)
        if count
    }
    assert counted == {
        ("visits", "breaking"): 1,
        ("people", "breaking"): 1,
        ("people", "cosmetic"): 1,
    }
    assert len(drift.differences(live, wants)) == 3
    assert list(drift.differences(live, wants, ["cosmetic"])["object"]) == ["price"]
    assert "No difference" in drift.figure(wants, wants)
