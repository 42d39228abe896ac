"""The session on the target's database: it cannot write, does not wait, and gives nothing away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

import psycopg
import pytest
from readiness import loopback, postgresql, scratch
from readiness.checks.data_integrity import constraints as constraint_checks
from readiness.evidence import Evidence
from readiness.finding import NotMeasured, Reason, Status
from readiness.parameters import validated
from readiness.sources import catalogue, constraints, database
from readiness.target import Target

PASSWORD = "s%cr/t p@ssw:rd-4711"


def target(url: str, **more: object) -> Target:
    raw = {"name": "tried", "database": {"url": url, **more}}
    return validated(Target, raw, "test", {}, specimen=True)


def everything(evidence: Evidence) -> str:
    return evidence.to_json()


@pytest.fixture(scope="module")
def over_tcp() -> Iterator[int]:
    """A server that asks for a password, on a free loopback port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {"listen_addresses": "127.0.0.1", "port": str(port)}
    with postgresql.temporary(settings) as server:
        rules = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (server.folder / "data/pg_hba.conf").write_text(rules)
        with psycopg.connect(f"{server.url()}&port={port}", autocommit=True) as admin:
            admin.execute("SELECT pg_reload_conf()")
            admin.execute(f"CREATE ROLE auditor LOGIN PASSWORD '{PASSWORD}'")
            admin.execute(f"CREATE ROLE owner SUPERUSER LOGIN PASSWORD '{PASSWORD}'")
        yield port


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO kept VALUES (2)",
        "UPDATE kept SET x = 3",
        "DELETE FROM kept",
        "TRUNCATE kept",
        "CREATE TABLE made (x int)",
        "DROP TABLE kept",
        "SELECT nextval('counter')",
        "SELECT x FROM kept FOR UPDATE",
        "COPY kept FROM PROGRAM 'echo 2'",
        "GRANT SELECT ON kept TO PUBLIC",
    ],
)
def test_a_session_cannot_write(statement: str) -> None:
    with scratch.database("CREATE TABLE kept AS SELECT 1 AS x; CREATE SEQUENCE counter") as url:
        with database.session(target(url)) as session:
            session.connection.execute("SET search_path TO public")
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                session.connection.execute(statement)
        with psycopg.connect(url) as after:
            assert after.execute("SELECT x FROM kept").fetchall() == [(1,)]


def test_without_proof_that_it_is_read_only_nothing_is_read() -> None:
    with scratch.database() as url, psycopg.connect(url, autocommit=True) as writable:
        with pytest.raises(NotMeasured, match="write was accepted") as said:
            database._prove_read_only(writable)
        assert said.value.reason is Reason.NOT_PERMITTED
        left = writable.execute("SELECT nspname FROM pg_namespace WHERE nspname ~ 'readiness'")
        assert left.fetchall() == []


def test_it_says_who_it_is_and_what_it_could_do() -> None:
    script = "CREATE TABLE a (x int); CREATE TABLE b (x int)"
    with scratch.database(script) as url:
        evidence = database.access(target(url))
        assert evidence.problem is None
        row = evidence.records[0]
        assert (row["superuser"], row["tables"], row["readable"]) == (True, 2, 2)
        assert row["writable"] == 2
        assert row["read_only"] is True


def test_a_refused_login_names_the_role_and_not_the_password(over_tcp: int) -> None:
    for wrong in (PASSWORD + "x", "short"):
        url = f"postgresql://auditor:{quote(wrong, safe='')}@127.0.0.1:{over_tcp}/postgres"
        evidence = database.access(target(url))
        assert evidence.problem
        assert evidence.problem.reason is Reason.UNREACHABLE
        assert "login was refused" in evidence.problem.message
        assert "auditor" in evidence.problem.message
        assert wrong not in everything(evidence)
        assert quote(wrong, safe="") not in everything(evidence)


def test_a_password_with_every_kind_of_sign_logs_in(over_tcp: int) -> None:
    url = f"postgresql+psycopg://auditor:{quote(PASSWORD, safe='')}@127.0.0.1:{over_tcp}/postgres"
    evidence = database.access(target(url))
    assert evidence.problem is None
    assert evidence.records[0]["role"] == "auditor"
    assert PASSWORD not in everything(evidence)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://app:hunter2222@127.0.0.1:3306/app",
        "sqlite:////tmp/hunter2222.db",
        "postgresql://app:hunter2222@127.0.0.1:port/app",
        "postgresql://app:hunter%zz2222@127.0.0.1/app",
        "postgresql://app:hunter 2222@127.0.0.1/app?no_such_option=1",
        "host=127.0.0.1 password=hunter2222",
        "postgresql://app:hunter2222@no-such-host.invalid/app",
        "postgresql://app:hunter2222@127.0.0.1:1/app",
    ],
)
def test_what_cannot_be_reached_is_said_without_the_url(url: str) -> None:
    evidence = database.access(target(url, connect_timeout_s=2))
    assert evidence.problem
    assert evidence.problem.status is Status.NOT_MEASURED
    assert evidence.problem.reason is Reason.UNREACHABLE
    assert "2222" not in everything(evidence)


@contextmanager
def answering(content: bytes) -> Iterator[int]:
    """A port that sends ``content`` to whoever connects."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(100)
                    connection.sendall(content)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    "content",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"J\0\0\0\x0a8.0.36\0",  # MySQL's greeting
        b"-ERR unknown command\r\n",  # Redis
        b"",
    ],
)
def test_what_is_not_postgresql_is_told_as_such(content: bytes) -> None:
    with answering(content) as port:
        url = f"postgresql://app:hunter2222@127.0.0.1:{port}/app"
        evidence = catalogue.live(target(url, connect_timeout_s=2))
    assert evidence.problem
    assert evidence.problem.reason is Reason.UNREACHABLE
    assert "hunter2222" not in everything(evidence)


def test_a_server_that_never_answers_costs_the_connect_timeout_and_no_more() -> None:
    with loopback.serve(lambda request: loopback.Response()) as url:
        started = time.monotonic()
        evidence = database.access(target(url.replace("http", "postgresql"), connect_timeout_s=2))
    assert evidence.problem
    assert evidence.problem.reason is Reason.UNREACHABLE
    assert time.monotonic() - started < 5


def test_a_query_that_takes_too_long_is_stopped_by_the_server() -> None:
    with scratch.database() as url:
        started = time.monotonic()
        with (
            pytest.raises(NotMeasured, match="statement_timeout_s") as said,
            database.session(target(url, statement_timeout_s=0.3)) as session,
        ):
            session.rows("SELECT pg_sleep(30)")
        assert said.value.reason is Reason.INCONCLUSIVE
        assert time.monotonic() - started < 5


def test_a_lock_is_not_waited_for() -> None:
    script = """
        CREATE TABLE parents (id int PRIMARY KEY);
        CREATE TABLE children (parent_id int REFERENCES parents);
    """
    with scratch.database(script) as url, psycopg.connect(url) as migration:
        migration.execute("LOCK TABLE children IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        evidence = constraints.kept(target(url, lock_timeout_s=0.2))
        assert time.monotonic() - started < 5
    judged = constraint_checks.hold.assess([evidence], constraint_checks.hold.criteria())
    assert judged.status is Status.NOT_MEASURED
    assert "lock" in judged.observed


LIMITED = """
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (parent_id int REFERENCES parents);
ALTER TABLE children DISABLE TRIGGER ALL;
INSERT INTO children VALUES (1);
ALTER TABLE children ENABLE TRIGGER ALL;
"""


@pytest.mark.parametrize(
    "rights",
    [
        "GRANT SELECT ON parents TO auditor",
        "GRANT pg_read_all_data TO auditor; ALTER TABLE children ENABLE ROW LEVEL SECURITY",
    ],
    ids=["no right to a table", "rows hidden by row security"],
)
def test_rows_that_cannot_be_seen_are_not_measured_and_never_clean(
    over_tcp: int, rights: str
) -> None:
    place = f"127.0.0.1:{over_tcp}"
    owner = f"postgresql://owner:{quote(PASSWORD, safe='')}@{place}"
    with psycopg.connect(f"{owner}/postgres", autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS limited")
        admin.execute("CREATE DATABASE limited")
    with psycopg.connect(f"{owner}/limited", autocommit=True) as admin:
        admin.execute(LIMITED)
        admin.execute(rights)
    auditor = f"postgresql://auditor:{quote(PASSWORD, safe='')}@{place}/limited"
    evidence = constraints.kept(target(auditor))
    judged = constraint_checks.hold.assess([evidence], constraint_checks.hold.criteria())
    assert judged.status is Status.NOT_MEASURED
    assert judged.reason is Reason.INCONCLUSIVE
    assert "pg_read_all_data" in judged.observed


def test_names_in_the_targets_schemas_shadow_nothing() -> None:
    script = """
        CREATE TABLE pg_class (oid oid, relname name);
        CREATE TABLE pg_constraint (nothing int);
        CREATE FUNCTION format_type(oid, integer) RETURNS text LANGUAGE sql AS 'SELECT ''lies''';
    """
    with scratch.database(script) as url:
        evidence = catalogue.live(target(url))
    assert evidence.problem is None
    types = {r["type"] for r in evidence.records if r["kind"] == "column"}
    assert types == {"oid", "name", "integer"}


def test_a_connection_that_breaks_midway_is_unreachable() -> None:
    def lose_it(url: str) -> None:
        with (
            database.session(target(url)) as session,
            psycopg.connect(url, autocommit=True) as admin,
        ):
            number = session.rows("SELECT pg_backend_pid() AS number")[0]["number"]
            admin.execute("SELECT pg_terminate_backend(%s)", [number])
            session.rows("SELECT 1")

    with scratch.database() as url:
        with pytest.raises(NotMeasured) as said:
            lose_it(url)
        assert said.value.reason is Reason.UNREACHABLE
