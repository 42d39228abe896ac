"""The reference stack at its seams: it comes up sound, can be spoilt and mended, leaves nothing.

One stack for the whole module; its state is a folder of its own, so that a demo that runs on this
machine is left alone.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from readiness import postgresql

REFERENCE = Path(__file__).resolve().parents[1] / "reference"


def _load():
    spec = importlib.util.spec_from_file_location("reference_stack", REFERENCE / "stack.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


reference = _load()
faults = reference.faults


@pytest.fixture(scope="module")
def stack():
    state = Path(tempfile.mkdtemp(prefix="rr-", dir="/tmp"))
    try:
        with ThreadPoolExecutor() as pool:  # twice at once, and still one stack
            first, second = pool.map(reference.up, [state, state])
        assert first.record == second.record
        yield first
    finally:
        reference.down(state)
        Path(f"{state}.lock").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def known(stack):
    return reference.environment(stack.state)


@pytest.fixture(scope="module")
def scratch():
    with postgresql.temporary() as server:
        yield server


@pytest.fixture(scope="module")
def one_connection_each(stack):
    """A client held open to each worker, by the instance that it answers as."""
    clients = {}
    for _ in range(60):
        client = httpx.Client(base_url=stack.url, timeout=10)
        instance = client.get("/api/health").headers["X-Instance"]
        if clients.setdefault(instance, client) is not client:
            client.close()
        if len(clients) == reference.WORKERS:
            break
    yield clients
    for client in clients.values():
        client.close()


def login(known, name="USER", client=httpx):
    body = {key: known[f"NPS_{name}_{key.upper()}"] for key in ("username", "password")}
    url = known["NPS_BASE_URL"] + "/api/auth/login" if client is httpx else "/api/auth/login"
    answer = client.post(url, json=body)
    assert answer.status_code == 200
    return answer.json()


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def schema(url):
    """What pg_dump says of a schema, without what differs by chance."""
    program = postgresql.installation().bin / "pg_dump"
    command = [str(program), "--schema-only", "--no-owner", "--no-privileges", f"--dbname={url}"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line for line in text.splitlines() if "restrict" not in line]


# Up -----------------------------------------------------------------------------------------------


def test_up_again_leaves_it_alone(stack):
    before = stack.record
    reference.up(stack.state)
    assert stack.record == before


def test_both_workers_answer(one_connection_each):
    assert len(one_connection_each) == reference.WORKERS


def test_secrets_are_private_and_random(stack, known):
    assert (stack.state / "secrets.json").stat().st_mode & 0o077 == 0
    example = (REFERENCE / ".env.example").read_text()
    assert [v for n, v in known.items() if ("KEY" in n or "PASSWORD" in n) and v in example] == []
    assert known["NPS_ENCRYPTION_KEY"] not in str(reference._new_secrets())


def test_a_placeholder_secret_stops_the_start(stack):
    placeholders = {"NPS_JWT_SECRET": "change-me-jwt-secret"}
    script = "from app.config import settings; settings().check()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**stack._api_environment(), **placeholders},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "NPS_JWT_SECRET" in done.stderr
    assert "change-me" not in done.stderr


# What must hold across workers --------------------------------------------------------------------


def test_logout_holds_in_both_workers(known, one_connection_each):
    first, second = one_connection_each.values()
    tokens = login(known, client=first)
    for client in (first, second):
        assert client.get("/api/users/me", headers=bearer(tokens)).status_code == 200
    assert first.post("/api/auth/logout", headers=bearer(tokens)).status_code == 204
    for client in (first, second):
        assert client.get("/api/users/me", headers=bearer(tokens)).status_code == 401


def test_the_lock_holds_in_both_workers(one_connection_each):
    first, second = one_connection_each.values()
    guess = {"username": "ghost", "password": "guess"}
    assert [first.post("/api/auth/login", json=guess).status_code for _ in range(5)] == [401] * 5
    for client in (first, second):
        answer = client.post("/api/auth/login", json=guess)
        assert answer.status_code == 423
        assert int(answer.headers["Retry-After"]) > 0


def test_the_rate_limit_counts_over_both_workers(stack, known, one_connection_each):
    first, second = one_connection_each.values()
    mine, other = login(known, "READONLY"), login(known, "MODERATOR")
    me = first.get("/api/users/me", headers=bearer(mine)).json()["id"]
    with stack.superuser() as database:  # as if this user had called nearly 30,000 times
        row = f"user:{me}"
        database.execute("UPDATE rate_counters SET hits = 29998 WHERE bucket = %s", [row])
    answers = [
        client.get("/api/users/me", headers=bearer(mine)) for client in (first, second, first)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert "content-security-policy" in answers[-1].headers
    assert second.get("/api/users/me", headers=bearer(other)).status_code == 200
    # Neither a made-up token nor a forwarding header buys a fresh allowance.
    seen = [
        int(
            first.get(
                "/api/users/me",
                headers={"Authorization": f"Bearer made-up-{n}", "X-Forwarded-For": f"10.0.0.{n}"},
            ).headers["X-RateLimit-Remaining"]
        )
        for n in range(3)
    ]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 3


def test_the_application_cannot_change_the_audit_log(stack):
    with psycopg.connect(stack.database_url("nps_app"), autocommit=True) as connection:
        assert connection.execute("SELECT count(*) FROM oracle_audit_log").fetchone()[0] > 0
        for statement in (
            "UPDATE oracle_audit_log SET action = ''",
            "DELETE FROM oracle_audit_log",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_the_audit_role_cannot_write(known):
    with psycopg.connect(known["NPS_DATABASE_URL"], autocommit=True) as connection:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("DELETE FROM findings")
        connection.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM findings")


def test_the_database_asks_for_a_password(known):
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(known["NPS_DATABASE_URL"].replace("nps_audit:", "nps_audit:x"))


def test_stored_values_are_what_the_specification_says(known):
    salt = known["NPS_ENCRYPTION_SALT"].encode()[:32].ljust(32, b"\0")
    password = known["NPS_ENCRYPTION_KEY"].encode()
    cipher = AESGCM(hashlib.pbkdf2_hmac("sha256", password, salt, 600_000, 32))
    with psycopg.connect(known["NPS_DATABASE_URL"]) as connection:
        query = "SELECT {0} FROM {1} WHERE {0} IS NOT NULL"
        columns = {
            "oracle_users": ["mother_name", "mother_name_persian"],
            "oracle_readings": ["question", "question_persian", "ai_interpretation"],
            "findings": ["private_key_enc", "seed_phrase_enc"],
        }
        values = [
            row[0]
            for table, names in columns.items()
            for name in names
            for row in connection.execute(query.format(name, table))
        ]
    assert len(values) > 300
    assert all(value.startswith("ENC4:") for value in values)
    raw = [b64decode(value[5:], validate=True) for value in values]
    texts = {cipher.decrypt(r[:12], r[12:], None).decode() for r in raw}
    assert len({r[:12] for r in raw}) == len(raw)
    assert any("\u0600" <= letter <= "\u06ff" for text in texts for letter in text)
    assert any(ord(letter) > 0xFFFF for text in texts for letter in text)


# The schema ---------------------------------------------------------------------------------------


def test_init_sql_equals_the_models_and_the_live_database(stack, scratch):
    with psycopg.connect(scratch.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE by_file")
        connection.execute("CREATE DATABASE by_models")
    script = (REFERENCE / "database/init.sql").read_bytes()
    for _ in range(2):  # the second time changes nothing
        with psycopg.connect(scratch.url("by_file"), autocommit=True) as connection:
            connection.execute(script)
    create = (
        "import sys, app.main; from app.database import Base; from sqlalchemy import create_engine;"
        "Base.metadata.create_all(create_engine(sys.argv[1]))"
    )
    url = scratch.url("by_models").replace("postgresql:", "postgresql+psycopg:")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(REFERENCE / "api")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    subprocess.run([sys.executable, "-c", create, url], env=environment, check=True)
    live = f"{stack._server().url(reference.DATABASE)}&port={stack.record['database_port']}"
    by_file, by_models = schema(scratch.url("by_file")), schema(scratch.url("by_models"))
    assert sum("CREATE" in line for line in by_file) > 15
    assert by_file == by_models
    assert set(by_file) - set(schema(live)) == set()


@pytest.mark.parametrize(
    "spoilt", [None, "backup-empty", "backup-missing-table", "restore-drops-rows"]
)
def test_backup_and_restore(stack, known, scratch, spoilt):
    if spoilt:
        reference.set_fault(spoilt, stack.state)
    try:
        repository = Path(reference.environment(stack.state)["NPS_REPO"])
        name = "restored_" + (spoilt or "sound").replace("-", "_")
        with psycopg.connect(scratch.url(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        file = stack.state / f"{name}.dump"
        path = f"{postgresql.installation().bin}:{os.environ['PATH']}"
        subprocess.run(
            [repository / "scripts/backup.sh", file],
            env={"PATH": path, "DATABASE_URL": known["NPS_BACKUP_DATABASE_URL"]},
            check=True,
        )
        restored = subprocess.run(
            [repository / "scripts/restore.sh", file],
            env={"PATH": path, "RESTORE_DATABASE_URL": scratch.url(name)},
            capture_output=True,
        )
    finally:
        reference.clear_fault(stack.state)
    if spoilt == "backup-empty":
        assert file.stat().st_size == 0
        assert restored.returncode != 0
        return
    assert restored.returncode == 0, restored.stderr

    def counts(url):
        with psycopg.connect(url) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            return {
                t: connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for (t,) in tables
            }

    assert (counts(scratch.url(name)) == counts(known["NPS_DATABASE_URL"])) is (spoilt is None)


# Faults -------------------------------------------------------------------------------------------


def test_every_fault_is_well_formed():
    assert len(faults.names()) >= 45
    for name in faults.names():
        fault = faults.load(name)
        assert fault.shows.endswith(".")
        assert fault.flips


def test_an_unknown_fault_is_told(stack):
    with pytest.raises(faults.FaultError, match="no fault 'nonsense'"):
        reference.set_fault("nonsense", stack.state)


@pytest.mark.parametrize("name", [n for n in faults.names() if faults.load(n).cheap])
def test_a_cheap_fault_changes_something_and_is_undone(stack, name):
    def everything():
        url = f"{stack._server().url(reference.DATABASE)}&port={stack.record['database_port']}"
        program = str(postgresql.installation().bin / "pg_dump")
        dump = subprocess.run([program, "--dbname", url], capture_output=True, check=True).stdout
        with stack.superuser() as database:
            roles = database.execute("SELECT * FROM pg_db_role_setting ORDER BY 1, 2").fetchall()
        lines = sorted(line for line in dump.splitlines() if b"restrict" not in line)
        return (
            roles,
            lines,
            sorted(
                (str(path.relative_to(stack.repository)), path.read_bytes())
                for path in stack.repository.rglob("*")
                if path.is_file()
                and "__pycache__" not in path.parts
                and ".pytest_cache" not in path.parts
            ),
        )

    before = everything()
    with reference.fault(name, stack.state):
        assert reference.status(stack.state)["fault"] == name
        assert everything() != before
    assert everything() == before
    assert reference.status(stack.state)["fault"] is None


def test_one_flaw_is_switched_on_and_off(stack):
    with reference.fault("headers-missing-on-404", stack.state):
        assert "content-security-policy" not in httpx.get(stack.url + "/nowhere").headers
        assert "content-security-policy" in httpx.get(stack.url + "/").headers
    assert "content-security-policy" in httpx.get(stack.url + "/nowhere").headers


def test_faults_of_reports_are_told_from_the_reports(stack, tmp_path):
    """On a report of one made-up run: the real suites take longer than this module may."""
    report = tmp_path / "unit.xml"
    suite = tmp_path / "test_one.py"
    suite.write_text(
        "def test_one(record_testsuite_property):\n    record_testsuite_property('commit', 'c')\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--rootdir={tmp_path}",
    ]
    command += ["-c", str(REFERENCE / "tests/pytest.ini"), f"--junitxml={report}", str(suite)]
    subprocess.run(command, check=True, capture_output=True)
    sound = report.read_text()
    assert sound.count("<testcase") == 1
    expected = {
        "unit-report-stale": lambda text: "timestamp=" in text and text != sound,
        "unit-report-empty": lambda text: 'tests="0"' in text and "<testcase" not in text,
        "unit-report-other-commit": lambda text: 'value="0123456789abcdef' in text,
    }
    for name, holds in expected.items():
        report.write_text(sound)
        faults.change(tmp_path, faults.load(name).reports)
        assert holds(report.read_text()), name


# Dependencies that fail, and the end --------------------------------------------------------------


def test_readiness_tells_that_the_database_is_gone(stack):
    stack.stop_database()
    try:
        answer = httpx.get(stack.url + "/api/readiness", timeout=20)
        assert answer.status_code == 503
        assert answer.json() == {"status": "unavailable", "checks": {"database": "failed"}}
        assert httpx.get(stack.url + "/api/health").status_code == 200
        assert httpx.get(stack.url + "/api/users/me").status_code == 503
    finally:
        stack.start_database()
    assert httpx.get(stack.url + "/api/readiness", timeout=20).status_code == 200


def test_logs_are_json_and_hold_no_secret(stack, known):
    log = (stack.state / "api.log").read_text()
    lines = [json.loads(line) for line in log.splitlines()]
    assert all({"time", "level", "message", "request_id"} <= line.keys() for line in lines)
    secrets = [v for n, v in known.items() if "KEY" in n or "PASSWORD" in n]
    assert [secret for secret in secrets if secret in log] == []


def test_down_leaves_no_process_and_no_file(stack):
    """Last, as it takes the module's stack away."""
    assert len(processes_in(stack.state)) > reference.WORKERS
    reference.down(stack.state)
    assert processes_in(stack.state) == []
    assert not stack.state.exists()
    reference.down(stack.state)  # nothing to do
    assert reference.status(stack.state)["up"] is False
    with pytest.raises(reference.StackError, match="not up"):
        reference.environment(stack.state)


def processes_in(state):
    """Living processes that work in the folder or name it."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            if str(state) in command or str(state) in str((folder / "cwd").readlink()):
                found.append(command)
        except OSError:
            continue
    return found
