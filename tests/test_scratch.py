"""Scratch databases are given out again; each must be as if nobody had used it before."""

from __future__ import annotations

import subprocess

import psycopg
import pytest
from readiness import scratch

LEAVINGS = {
    "tables and what hangs on them": """
        CREATE TABLE x (id serial PRIMARY KEY, a text);
        CREATE TABLE y (id int REFERENCES x (id));
        CREATE VIEW v AS SELECT * FROM x;
        CREATE MATERIALIZED VIEW m AS SELECT * FROM v;
        CREATE SCHEMA s;
        CREATE TABLE s.t (id int REFERENCES x (id));
        CREATE TABLE p (a int) PARTITION BY RANGE (a);
        CREATE TABLE p1 PARTITION OF p DEFAULT;
        CREATE STATISTICS st ON id, a FROM x;
        CREATE TEMP TABLE gone (id int)""",
    "types, functions, operators": """
        CREATE TYPE e AS ENUM ('a');
        CREATE DOMAIN d AS text;
        CREATE TYPE c AS (a int);
        CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
        CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
        CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
        CREATE COLLATION plain FROM "C";
        CREATE TEXT SEARCH CONFIGURATION words (COPY = english)""",
    "a large object": "SELECT lo_from_bytea(0, 'x')",
    "a function in the system's schema": """
        CREATE FUNCTION pg_catalog.ours() RETURNS int LANGUAGE sql AS 'SELECT 1'""",
    "rights on the schema": "REVOKE ALL ON SCHEMA public FROM PUBLIC",
    "a comment on the schema": "COMMENT ON SCHEMA public IS 'x'",
    "default privileges": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
    "a publication": "CREATE PUBLICATION everything FOR ALL TABLES",
    "a setting": """DO $$ BEGIN EXECUTE format(
        'ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$""",
    "a script that fails halfway": "CREATE TABLE x (id int); SELECT 1 / 0",
}


def dump(url: str) -> str:
    """The whole database as statements, without what differs from dump to dump."""
    program = scratch.server().installation.bin / "pg_dump"
    command = [str(program), "--create", url]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    return "\n".join(
        line for line in said.splitlines() if "scratch_" not in line and line[:1] not in "\\-"
    )


@pytest.fixture(scope="module")
def new() -> str:
    with scratch.database() as url:
        return dump(url)


@pytest.mark.parametrize("script", LEAVINGS.values(), ids=LEAVINGS.keys())
def test_nothing_is_left_of_the_one_before(new: str, script: str):
    try:
        with scratch.database(script):
            pass
    except psycopg.Error:
        assert "1 / 0" in script
    with scratch.database() as url:
        assert dump(url) == new


def test_a_database_that_can_be_emptied_is_given_out_again():
    with scratch.database("CREATE TABLE x (id int)") as first:
        pass
    with scratch.database() as second:
        assert second == first


def test_a_connection_that_stays_open_is_no_hindrance():
    with scratch.database() as url:
        forgotten = psycopg.connect(url)
        forgotten.execute("CREATE TABLE x (id int)")
    with scratch.database() as again, psycopg.connect(again) as database:
        row = database.execute("SELECT count(*) FROM pg_class WHERE relname = 'x'").fetchone()
        assert row == (0,)
    forgotten.close()


def test_two_at_the_same_time_are_two():
    with scratch.database() as one, scratch.database() as other:
        assert one != other
