"""The backup rehearsal on real servers: roles, moving rows, several workers, what it leaves."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from readiness import postgresql, scratch
from readiness.checks.operations.backup import Backup, backup_restores
from readiness.evidence import Evidence
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.sources import backup, backup_file, contents
from readiness.sources.database import session
from readiness.target import Target
from readiness.variables import redact

DUMP = ["pg_dump", "--format=custom", "--file={file}"]
RESTORE = ["pg_restore", "--exit-on-error", "--dbname={database}", "{file}"]
ROWS = """
CREATE TABLE letters (id int PRIMARY KEY, text text, more json);
INSERT INTO letters SELECT n, 'letter ' || n, '{}' FROM generate_series(1, 3000) n;
"""


def rehearse(url: str, dump=DUMP, restore=RESTORE, permit=("passive", "write"), **more) -> Evidence:
    section = {"dump": dump, "restore": restore, "source_url": "${THE_URL}", **more}
    raw = {"name": "t", "backup": section}
    target = validated(Target, raw, "test", {"THE_URL": url}, specimen=True)
    return backup.rehearsal(target.allowing(permit))


def judged(evidence: Evidence, **criteria):
    return backup_restores.assess([evidence], Backup(**criteria))


def shell(script: str) -> list[str]:
    return ["sh", "-euc", script, "sh", "{file}"]


@pytest.fixture(scope="module")
def elsewhere():
    """A server of the target's own, with roles and a database that belongs to one of them."""
    with postgresql.temporary() as server:
        with psycopg.connect(server.url(), autocommit=True) as admin:
            admin.execute("CREATE ROLE shop_owner LOGIN; CREATE ROLE shop_reader LOGIN")
            admin.execute("CREATE DATABASE shop OWNER shop_owner")
        with psycopg.connect(server.url("shop"), autocommit=True) as owner:
            owner.execute(ROWS)
            owner.execute("ALTER TABLE letters OWNER TO shop_owner")
            owner.execute("GRANT SELECT ON letters TO shop_reader")
        yield server


def test_owners_and_grants_are_restored_and_leave_no_role_behind(elsewhere):
    # Without --no-owner: a server that does not know shop_owner would end the restore.
    evidence = rehearse(elsewhere.url("shop"))
    assert judged(evidence).status is Status.PASS, judged(evidence).observed
    with psycopg.connect(scratch.server().url()) as admin:
        found = admin.execute("SELECT FROM pg_roles WHERE rolname LIKE 'shop_%'").fetchall()
    assert found == []


def test_a_role_that_may_not_read_everything_is_no_pass(elsewhere):
    with psycopg.connect(elsewhere.url("shop"), autocommit=True) as owner:
        owner.execute("CREATE TABLE hidden (i int); INSERT INTO hidden VALUES (1)")
    asked = elsewhere.url("shop", "shop_reader")
    own_way = rehearse(asked, dump=[], restore=[])
    script = rehearse(asked)
    assert judged(own_way).reason is Reason.INCONCLUSIVE
    assert "hidden" in judged(own_way).observed
    assert judged(script).status is Status.FAIL


@contextmanager
def changing(url: str, statement: str):
    """Someone who keeps writing while the block runs."""
    ended = threading.Event()

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as writer:
            n = 0
            while not ended.is_set():
                n += 1
                writer.execute(statement, (n,))
                time.sleep(0.01)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


def test_rows_that_change_meanwhile_are_told_apart_from_rows_that_are_lost():
    touch = "UPDATE letters SET text = text || '.' WHERE id = %s %% 20"
    slow = [
        "sh",
        "-euc",
        'sleep 0.3; pg_dump --format=custom --file="$1"; sleep 0.3',
        "sh",
        "{file}",
    ]
    with scratch.database(ROWS) as url, changing(url, touch):
        sound = rehearse(url, dump=slow)
        lossy = rehearse(
            url,
            dump=slow,
            restore=shell(
                'pg_restore --dbname="$PGDATABASE" "$1"; '
                'psql --quiet --command "DELETE FROM letters WHERE id > 2990"'
            ),
        )
    (record,) = sound.records
    assert record["rows_touched"] > 0
    assert judged(sound).status is Status.PASS, judged(sound).observed
    assert "nobody touched" in judged(sound).observed
    assert judged(lossy).status is Status.FAIL
    assert "10 are lost" in judged(lossy).observed


def test_a_growing_table_hides_no_change_to_the_rows_that_were_there():
    grow = "INSERT INTO letters (id, text) VALUES (10000 + %s, 'new')"
    with scratch.database(ROWS) as url, changing(url, grow):
        evidence = rehearse(
            url,
            dump=shell('sleep 0.2; pg_dump --format=custom --file="$1"; sleep 0.2'),
            restore=shell(
                'pg_restore --dbname="$PGDATABASE" "$1"; psql --quiet --command '
                "\"UPDATE letters SET text = ''\""
            ),
        )
    assert judged(evidence).status is Status.FAIL  # the rows that nobody touched differ


def test_a_restore_that_hangs_is_ended_with_all_it_started():
    mark = f"sleep 7{os.getpid()}"
    with scratch.database(ROWS) as url:
        evidence = rehearse(url, restore=shell(f"{mark} & {mark}"), timeout_s=1)
    assert judged(evidence).status is Status.FAIL
    assert "did not end within 1 s" in judged(evidence).observed
    assert mark not in subprocess.run(["ps", "-ef"], capture_output=True, text=True).stdout


def test_the_scripts_see_no_secret_of_ours_and_leave_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGNING_KEY_OF_THE_AUDITOR", "not for the target")
    seen = tmp_path / "seen"
    script = f'env > {seen}; ls -ld "$(dirname "$1")" >> {seen}; echo "$1" >> {seen}; '
    with scratch.database(ROWS) as url:
        evidence = rehearse(
            url,
            dump=shell(script + 'pg_dump --format=custom --file="$1"; ls -l "$1" >> ' + str(seen)),
            environment={"BACKUP_OPTION": "x"},
        )
    assert judged(evidence).status is Status.PASS
    said = seen.read_text()
    assert "SIGNING_KEY_OF_THE_AUDITOR" not in said
    assert "BACKUP_OPTION=x" in said
    assert "drwx------" in said
    assert "-rw-------" in said
    (place,) = [
        line for line in said.splitlines() if line.endswith("/backup") and "-rw" not in line
    ]
    assert not Path(place).parent.exists()
    with psycopg.connect(scratch.server().url()) as admin:
        left = admin.execute("SELECT FROM pg_database WHERE datname LIKE 'restored_%'").fetchall()
    assert left == []


def test_no_password_in_evidence_or_arguments(elsewhere, tmp_path):
    password = "Gr3y-heron-by-the-w4ter"
    arguments = tmp_path / "arguments"
    url = elsewhere.url("shop", "shop_owner").replace("shop_owner@", f"shop_owner:{password}@")
    leaks = shell(f'ps -ef > {arguments}; echo "error: $DATABASE_URL" >&2; exit 1')
    evidence = rehearse(url, dump=leaks)
    assert judged(evidence).status is Status.FAIL
    assert password not in evidence.to_json()
    assert password not in redact(judged(evidence).observed)
    assert password not in arguments.read_text()


def test_a_script_that_is_gone_fails_and_a_program_that_is_gone_is_not_measured():
    with scratch.database(ROWS) as url:
        gone = rehearse(url, dump=["/no/such/backup.sh", "{file}"])
        missing = rehearse(url, dump=["no-such-program-here", "{file}"])
    assert judged(gone).status is Status.FAIL
    assert judged(missing).reason is Reason.TOOL_MISSING


def test_recovery_time_and_age_stand_against_their_objectives(tmp_path):
    kept = tmp_path / "shop.dump"
    kept.write_bytes(b"x" * 5000)
    with scratch.database(ROWS) as url:
        evidence = rehearse(url, stored=[f"{tmp_path}/*.dump"])
        assert judged(evidence).status is Status.PASS
        assert judged(evidence, max_restore_s=0.001).status is Status.FAIL
        long_ago = time.time() - 30 * 3600
        os.utime(kept, (long_ago, long_ago))
        old = rehearse(url, stored=[f"{tmp_path}/*.dump"])
    assert "30 h old" in judged(old).observed
    assert judged(old).status is Status.FAIL
    assert judged(old, max_age_hours=48).status is Status.PASS


def test_a_newer_server_than_our_programs_is_not_measured(monkeypatch):
    real = postgresql.installation()

    class Older(postgresql.Installation):
        version = "9.6"

    older = Older(real.bin, real.origin)
    with scratch.database(ROWS) as url:
        monkeypatch.setattr(postgresql, "installation", lambda: older)
        evidence = rehearse(url)
    assert judged(evidence).reason is Reason.TOOL_MISSING


@pytest.mark.parametrize(
    ("content", "format_", "wrong"),
    [
        (b"", None, "empty"),
        (b"PGDMP nonsense", "custom", "cannot read"),
        (b"-- PostgreSQL database dump\nCREATE TABLE", "plain", "cut off"),
        (
            b"-- PostgreSQL database dump\n"
            + b"--\n" * 300
            + b"-- PostgreSQL database dump complete",
            "plain",
            None,
        ),
        (gzip.compress(b"x" * 50_000, mtime=0)[:-20], "gzip", "to its end"),
        (gzip.compress(b"", mtime=0), "gzip of unknown", "nothing is in it"),
        (b"age-encryption.org/v1 ...", "unknown", None),
    ],
)
def test_files_are_told_by_what_they_hold(tmp_path, content, format_, wrong):
    file = tmp_path / "backup"
    file.write_bytes(content)
    said = backup_file.describe(file, postgresql.installation())
    assert said["format"] == format_
    assert said["problem"] is None if wrong is None else wrong in said["problem"]


def test_a_directory_dump_is_found_and_listed():
    with scratch.database(ROWS) as url:
        evidence = rehearse(
            url, dump=["pg_dump", "--format=directory", "--file={file}"], restore=RESTORE
        )
    assert judged(evidence).status is Status.PASS
    assert evidence.facts["file"]["format"] == "directory"
    assert evidence.facts["file"]["tables"] == 1


def checksum(url: str) -> dict[str, tuple[int, str]]:
    target = validated(Target, {"name": "t", "database": {"url": url}}, "t", {}, specimen=True)
    with session(target) as database:
        contents.pin(database)
        found = {str(t): contents.rows(database, t) for t in contents.tables(database)}
    return {name: (rows.count, rows.checksum) for name, rows in found.items()}


def test_checksums_know_the_rows_and_not_their_order():
    values = ["(1, 'a')", "(2, 'b')", "(2, 'b')", "(NULL, '')", "(3, NULL)"]
    made = "CREATE TABLE t (n int, s text); INSERT INTO t VALUES "
    with (
        scratch.database(made + ", ".join(values)) as one,
        scratch.database(made + ", ".join(reversed(values))) as other,
        scratch.database(made + "(1, 'a'), (3, NULL), (NULL, ''), (1, 'a'), (2, 'b')") as pairs,
    ):
        assert checksum(one) == checksum(other)
        assert checksum(one) != checksum(pairs)


def test_every_type_has_a_checksum():
    script = """
    CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN name AS text;
    CREATE TABLE plain (a uuid, b jsonb, c numeric, d timestamptz, e int[], f inet, g mood, h name);
    CREATE TABLE odd (a json, b xml, c point, d tsvector, e bytea, f interval, g money);
    CREATE TABLE nothing (); CREATE TABLE "a ""quoted"" name" ("a b" int);
    CREATE TABLE parted (n int) PARTITION BY RANGE (n);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
    INSERT INTO plain VALUES (gen_random_uuid(), '{}', 1.50, now(), '{1}', '::1', 'a', 'x');
    INSERT INTO odd VALUES ('{}', '<a/>', '(1,2)', 'a', '\\x00', '1 day', 5);
    INSERT INTO nothing DEFAULT VALUES; INSERT INTO "a ""quoted"" name" VALUES (1);
    INSERT INTO parted VALUES (1), (2);
    """
    with scratch.database(script) as url:
        found = checksum(url)
    assert {name: count for name, (count, _) in found.items()} == {
        "public.plain": 1,
        "public.odd": 1,
        "public.nothing": 1,
        'public.a "quoted" name': 1,
        "public.parted_1": 2,
    }


def test_the_evidence_holds_no_row():
    with scratch.database("CREATE TABLE t (s text); INSERT INTO t VALUES ('zanzibar-41')") as url:
        evidence = rehearse(url)
    assert judged(evidence).status is Status.PASS
    assert "zanzibar-41" not in evidence.to_json()
