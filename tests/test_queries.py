"""Plans are found, read and never cost the target anything; slow-query settings are understood."""

from __future__ import annotations

import psycopg
import pytest
from conftest import missing
from readiness import postgresql, scratch
from readiness.check import catalogue
from readiness.checks.performance.slow_log import milliseconds
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.sources import indexes, queries, slow_log
from readiness.sources.plans import reading
from readiness.target import Target

CHECKS = catalogue("performance")
ORDERS = """
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL, "Größe" text, placed timestamptz);
INSERT INTO orders SELECT n, n % 5000, 'm', now() FROM generate_series(1, 60000) n;
ANALYZE orders;
"""


def target(url, **asked):
    raw = {"name": "shop", "database": {"url": url}, "queries": asked}
    made = validated(Target, raw, "here", specimen=True)
    return made.allowing(["passive", "active"])


def judged(name, evidence):
    return CHECKS[name].assess([evidence], CHECKS[name].criteria())


def statement(sql, *values):
    return {"name": "asked", "sql": sql, "values": list(values)}


@pytest.fixture(scope="module")
def orders():
    with scratch.database(ORDERS) as url:
        yield url


def remark(orders, sql, *values):
    found = queries.plans(target(orders, statements=[statement(sql, *values)]))
    assert found.problem is None, found.problem
    return found.records[0]


def test_the_index_that_is_proposed_would_be_used(orders):
    sql = "SELECT * FROM orders WHERE placed > $1 AND customer = $2"
    seen = remark(orders, sql, "2000-01-01", 17)
    (scan,) = [one for one in seen["remarks"] if one["kind"] == "sequential scan"]
    assert scan["index"] == "CREATE INDEX ON public.orders (customer, placed)"
    with psycopg.connect(orders) as connection:
        connection.execute(scan["index"])
        connection.execute("ANALYZE orders")
        (plan,) = connection.execute("EXPLAIN " + sql.replace("$1", "'2000-01-01'").replace(
            "$2", "17")).fetchone()  # fmt: skip
        assert "Index" in plan or "Bitmap" in plan
        connection.rollback()


@pytest.mark.parametrize("values", [{"values": [17]}, {}], ids=["values given", "likely values"])
def test_the_index_that_is_proposed_is_tried_where_that_costs_nothing(values):
    with scratch.database(ORDERS) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            try:
                connection.execute("CREATE EXTENSION hypopg")
            except psycopg.Error:
                missing("the extension hypopg")
        asked = {"name": "asked", "sql": "SELECT * FROM orders WHERE customer = $1", **values}
        evidence = queries.plans(target(url, statements=[asked]))
        (scan,) = evidence.records[0]["remarks"]
        assert 0.9 < scan["cheaper_by"] < 1
        assert "(tried: 9" in queries.table(evidence)["would help"].iloc[0]
        with psycopg.connect(url) as connection:
            built = connection.execute("SELECT count(*) FROM pg_index i JOIN pg_class c ON "
                "c.oid = i.indrelid WHERE c.relname = 'orders'").fetchone()  # fmt: skip
        assert built == (1,)  # the key's


def test_an_index_is_not_tried_without_the_extension(orders):
    seen = remark(orders, "SELECT * FROM orders WHERE customer = $1", 17)
    assert seen["remarks"][0]["cheaper_by"] is None


def test_a_column_with_an_odd_name_is_proposed_as_it_must_be_written(orders):
    seen = remark(orders, 'SELECT * FROM orders WHERE "Größe" = $1', "xxl")
    assert 'orders ("Größe")' in seen["remarks"][0]["index"]


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE orders SET customer = 1 WHERE id = $1",
        "DELETE FROM orders WHERE id = $1",
        "WITH gone AS (DELETE FROM orders WHERE id = $1 RETURNING *) SELECT * FROM gone",
        "SELECT * FROM orders WHERE id = $1 FOR UPDATE",
    ],
)
def test_what_writes_is_never_executed(orders, sql):
    seen = remark(orders, sql, 3)
    assert seen["executed"] is False
    with psycopg.connect(orders) as connection:
        assert connection.execute("SELECT count(*), sum(customer) FROM orders").fetchone() == (
            60000,
            149970000,
        )


def test_a_query_that_never_ends_is_given_up(orders):
    found = queries.plans(
        target(orders, timeout_s=0.3, statements=[statement("SELECT pg_sleep(20)")])
    )
    assert "statement_timeout" in found.records[0]["problem"]
    answer = judged("PERF-QUERIES", found)
    assert (answer.status, answer.reason) == (Status.NOT_MEASURED, Reason.INCONCLUSIVE)


def test_what_the_server_remembers_is_explained():
    installed = postgresql.installation()
    settings = {"shared_preload_libraries": "pg_stat_statements"}
    try:
        server = postgresql.temporary(settings)
        with server as running, psycopg.connect(running.url("postgres"), autocommit=True) as db:
            db.execute("CREATE EXTENSION pg_stat_statements")
            db.execute("CREATE ROLE service LOGIN SUPERUSER")
            db.execute(ORDERS)
            with psycopg.connect(running.url("postgres"), user="service", autocommit=True) as own:
                for customer in range(5):
                    own.execute("SELECT * FROM orders WHERE customer = %s LIMIT 5", (customer,))
                    own.execute(f"SELECT count(*) FROM orders WHERE customer = {customer}")
                own.execute("UPDATE orders SET customer = customer WHERE id = 7")
            found = queries.plans(target(running.url("postgres")))
    except postgresql.PostgresqlError as broke:
        pytest.skip(f"{installed} has no pg_stat_statements: {broke}")
    assert found.facts["from"] == "pg_stat_statements", found
    seen = {record["query"]: record for record in found.records}
    counting = seen["SELECT count(*) FROM orders WHERE customer = $1"]
    assert counting["executed"]  # with a value from the planner's statistics
    assert counting["calls"] == 5
    assert counting["remarks"][0]["kind"] == "sequential scan"
    update = next(record for query, record in seen.items() if query.startswith("UPDATE"))
    assert update["executed"] is False
    assert judged("PERF-QUERIES", found).status is Status.FAIL


def test_a_role_that_may_not_read_is_told_what_it_needs(orders):
    with psycopg.connect(orders, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS nobody_much")
        connection.execute("CREATE ROLE nobody_much LOGIN")
    url = psycopg.conninfo.make_conninfo(orders, user="nobody_much")
    parts = psycopg.conninfo.conninfo_to_dict(url)
    as_url = f"postgresql://nobody_much@/{parts['dbname']}?host={parts['host']}"
    found = queries.plans(target(as_url, statements=[statement("SELECT * FROM orders")]))
    assert "grant it" in found.records[0]["problem"]
    assert judged("PERF-QUERIES", found).status is Status.NOT_MEASURED


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        ("(customer = 17)", ["customer"]),
        ("((placed > '2000-01-01'::timestamp) AND (customer = 17))", ["customer", "placed"]),
        ("((name)::text = 'x'::text)", ["name"]),
        ("(deleted_at IS NULL)", ["deleted_at"]),
        ("(lower(name) = 'x'::text)", []),
    ],
)
def test_filtered_columns(condition, columns):
    assert reading.filtered_columns(condition) == columns


def test_a_misestimate_and_a_spill_are_read_from_a_plan():
    plan = {"Node Type": "Sort", "Plan Rows": 10, "Actual Rows": 5000, "Actual Loops": 1}
    plan |= {"Sort Space Type": "Disk", "Sort Space Used": 900}
    kinds = [remark["kind"] for remark in reading.remarks(plan, {}, 10_000)]
    assert kinds == ["misestimate", "spill"]


@pytest.mark.parametrize(
    ("said", "ms"),
    [("500", 500), ("'2s'", 2000), ("1min", 60000), ("-1", -1), ("0", 0), ("soon", -1)],
)
def test_milliseconds(said, ms):
    assert milliseconds(said) == ms


def test_the_log_tells_what_it_caught_and_no_statement(orders, tmp_path):
    log = tmp_path / "server.log"
    log.write_text("LOG:  duration: 1234.5 ms  statement: SELECT 'a secret'\nLOG:  other\n")
    found = slow_log.settings(target(orders, logs=[str(tmp_path / "*.log")]))
    assert found.facts["log"]["slowest_ms"] == [1234.5]
    assert "a secret" not in found.to_json()


def test_an_index_that_begins_with_the_key_serves_it_in_any_order():
    script = """
    CREATE TABLE a (x int, y int, PRIMARY KEY (x, y));
    CREATE TABLE b (id int, y int, x int, z int, FOREIGN KEY (x, y) REFERENCES a (x, y));
    CREATE TABLE c (id int, y int, x int, z int, FOREIGN KEY (x, y) REFERENCES a (x, y));
    CREATE INDEX ON b (y, x, z);
    CREATE INDEX ON c (z, x, y);
    """
    with scratch.database(script) as url:
        found = indexes.look(target(url))
    keys = {r["table"]: r["indexed"] for r in found.records if r["kind"] == "foreign key"}
    assert keys == {"public.b": True, "public.c": False}
