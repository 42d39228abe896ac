"""Contents between two runs: what may change, what may not, and what is no comparison."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL
from readiness import audit, scratch
from readiness.checks.data_integrity.checksums import contents_agree
from readiness.evidence import Evidence
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.sources import checksums, contents
from readiness.sources.database import session
from readiness.target import Target

TABLES = """
CREATE TABLE books (id int PRIMARY KEY, t text);
INSERT INTO books SELECT n, 'x' || n FROM generate_series(1, 20) n;
CREATE TABLE log (id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY, t text);
INSERT INTO log (t) SELECT 'x' FROM generate_series(1, 20);
CREATE TABLE pairs (a text); INSERT INTO pairs VALUES ('x'), ('y');
"""
KEPT = {"immutable": ["books"], "append_only": ["public.lo?"]}
# What happens between two runs -> what is said of it; None: nothing is wrong.
BETWEEN = {
    "": None,
    "INSERT INTO log (t) VALUES ('new'); UPDATE pairs SET a = 'z'": None,
    "VACUUM FULL books": None,
    "UPDATE books SET t = 'X' WHERE id = 7": "books: declared immutable, and changed",
    "INSERT INTO books VALUES (99, 'x')": "books: declared immutable, and changed, 1 more",
    "UPDATE log SET t = 'y' WHERE id = 3": "log: declared append-only",
    "UPDATE log SET t = 'y' WHERE id = 3; INSERT INTO log (t) VALUES ('a')": "log: declared append",
    "DELETE FROM log WHERE id = 20; INSERT INTO log (t) VALUES ('x')": "log: declared append-only",
    "TRUNCATE pairs": "pairs: emptied: it had 2 rows",
    "DROP TABLE pairs": "pairs: gone: it had 2 rows",
}


def of(url: str, **section: object) -> Target:
    raw = {"name": "t", "database": {"url": url}, "checksums": {**KEPT, **section}}
    return validated(Target, raw, "test", {}, specimen=True)


def kept_as_a_run(evidence: Evidence, folder: Path) -> Path:
    """What the audit leaves of this evidence, as far as the next run looks at it."""
    run = folder / "20260216T120000Z"
    content = evidence.to_json().encode()
    path = "evidence/DAT-CHECKSUMS/tables.json"
    (run / path).parent.mkdir(parents=True)
    (run / path).write_bytes(content)
    file = {"path": path, "sha256": hashlib.sha256(content).hexdigest()}
    findings = [{"check": "DAT-CHECKSUMS", "evidence": [file]}]
    (run / "findings.json").write_text(json.dumps({"findings": findings}))
    return run


def judged(evidence: Evidence):
    assert evidence.problem is None, evidence.problem
    return contents_agree.assess([evidence], contents_agree.criteria())


@pytest.mark.parametrize("statements", BETWEEN)
def test_between_two_runs(statements: str, tmp_path: Path):
    with scratch.database(TABLES) as url:
        first = checksums.of_tables(of(url))
        run = kept_as_a_run(first, tmp_path)
        with psycopg.connect(url, autocommit=True) as database:
            if statements:
                database.execute(statements)
        found = judged(checksums.of_tables(of(url, previous=str(run))))
    assert judged(first).reason is Reason.NO_SAMPLES
    wrong = BETWEEN[statements]
    assert found.status is (Status.FAIL if wrong else Status.PASS), found.observed
    assert (wrong or "compared with run 20260216T120000Z") in found.observed
    assert len(found.offenders) == bool(wrong)


def test_a_previous_run_that_was_changed_is_no_comparison(tmp_path: Path, monkeypatch):
    with scratch.database(TABLES) as url:
        run = kept_as_a_run(checksums.of_tables(of(url)), tmp_path)
        monkeypatch.setenv(audit.PREVIOUS_VARIABLE, str(run))
        by_variable = checksums.of_tables(of(url))
        path = run / "evidence/DAT-CHECKSUMS/tables.json"
        path.write_text(path.read_text().replace("books", "cooks"))
        changed = checksums.of_tables(of(url))
    assert by_variable.facts["previous"] == run.name
    assert judged(by_variable).status is Status.PASS
    assert (judged(changed).status, judged(changed).reason) == (
        Status.NOT_MEASURED,
        Reason.NO_SAMPLES,
    )
    assert "was changed" in judged(changed).observed


KINDS_OF_TABLE = {
    "empty": "CREATE TABLE t (a int)",
    "NULLs": "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, NULL), (NULL, 'x'), "
    "(NULL, NULL)",
    "no columns": "CREATE TABLE t (); INSERT INTO t DEFAULT VALUES",
    "equal rows": "CREATE TABLE t (a text); INSERT INTO t SELECT 'x' FROM generate_series(1, 4)",
    "no hash": "CREATE TABLE t (a json, p point); INSERT INTO t SELECT '{}', point(n, n) "
    "FROM generate_series(1, 300) n",
    "many": "CREATE TABLE t (a int, b text); INSERT INTO t SELECT n, n FROM "
    "generate_series(1, 3000) n",
}


@pytest.mark.parametrize("statements", KINDS_OF_TABLE.values(), ids=KINDS_OF_TABLE)
def test_in_buckets_or_in_one_the_checksum_is_the_same(statements: str):
    with scratch.database(statements) as url, session(of(url)) as database:
        (table,) = contents.tables(database)
        parted = contents.rows(database, table)
        whole = contents.rows(database, table, buckets=False)
        fewer = contents.rows(database, table, SQL("ctid > '(0,2)'"), buckets=False)
    assert (whole.problem, whole.count, whole.checksum) == (None, parted.count, parted.checksum)
    assert whole.count < 3 or fewer.checksum != whole.checksum  # two equal rows do not cancel


def test_nothing_is_sorted_to_be_added_up():
    """The server once sorted the whole table by the hash of its rows, on disk."""
    statements = (
        "CREATE TABLE t AS SELECT n, n::text AS b FROM generate_series(1, 50000) n; ANALYZE t"
    )
    with scratch.database(statements) as url, session(of(url)) as database:
        (table,) = contents.tables(database)
        database.rows("SELECT set_config('work_mem', '64kB', false)")  # as if it were much larger
        for query in (contents.AS_ONE, contents.IN_BUCKETS):
            asked = query.format(
                hash=contents._hash(table), table=SQL("public.t"), where=SQL("true")
            )
            plan = str(database.rows(SQL("EXPLAIN {}").format(asked)))
            assert "Seq Scan" in plan
            assert "Sort" not in plan


def test_both_modules_name_the_variable_alike():
    assert audit.PREVIOUS_VARIABLE == checksums.PREVIOUS_VARIABLE


def test_a_table_that_may_not_be_read_is_never_a_pass(tmp_path: Path):
    with scratch.database(TABLES) as url, psycopg.connect(url, autocommit=True) as owner:
        run = kept_as_a_run(checksums.of_tables(of(url)), tmp_path)
        role = f"reader_{owner.info.backend_pid}"
        owner.execute(f"CREATE ROLE {role} LOGIN; GRANT SELECT ON log, pairs TO {role}")
        limited = of(url.replace("//readiness@", f"//{role}@"), previous=str(run))
        found = judged(checksums.of_tables(limited))
        owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert (found.status, found.reason) == (Status.NOT_MEASURED, Reason.INCONCLUSIVE)
    assert "books: the audit's role may not" in found.observed
