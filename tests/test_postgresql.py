"""Private PostgreSQL servers, from the system and from the wheel."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from readiness import postgresql, scratch


@pytest.fixture(params=["system", "wheel"])
def origin(request, monkeypatch):
    monkeypatch.setenv("READINESS_POSTGRESQL", request.param)
    postgresql.installation.cache_clear()
    try:
        postgresql.installation()
    except postgresql.PostgresqlError:
        if os.environ.get("CI"):
            raise
        pytest.skip("needs the program initdb: install the package postgresql")
    yield request.param
    postgresql.installation.cache_clear()


def test_it_serves_from_any_folder_and_leaves_nothing(origin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with postgresql.temporary() as server:
        assert server.installation.origin == origin
        assert origin in str(server.installation)
        with psycopg.connect(server.url()) as connection:
            (owner,) = connection.execute("select current_user").fetchone()
            (where,) = connection.execute("show listen_addresses").fetchone()
        assert (owner, where) == (postgresql.OWNER, "")
        assert server.folder.stat().st_mode & 0o077 == 0
        pid = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    assert not server.folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_it_is_gone_when_its_process_is_killed(origin):
    script = (
        "import time\nfrom readiness import postgresql\n"
        "with postgresql.temporary() as s:\n print(s.folder, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as run:
        folder = Path(run.stdout.readline().strip())
        assert (folder / "data").exists()
        run.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can drop to another user")
def test_programs_that_the_other_user_cannot_reach_are_copied(tmp_path, monkeypatch):
    monkeypatch.setenv("READINESS_POSTGRESQL", "wheel")
    postgresql.installation.cache_clear()
    bin = postgresql.installation().bin
    package = bin.parents[1]
    hidden = tmp_path / "root-only"
    hidden.mkdir(mode=0o700)
    for part in (bin.parent, package.with_name(f"{package.name}.libs")):
        copy = hidden / part.relative_to(package.parent)
        copy.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", str(part), str(copy)], check=True, timeout=60)
    moved = postgresql.Installation(hidden / bin.relative_to(package.parent), "wheel")
    monkeypatch.setattr(postgresql, "installation", lambda: moved)
    with postgresql.temporary() as server, psycopg.connect(server.url()) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_nothing_to_be_found_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgresql, "DEBIAN", tmp_path)
    postgresql.installation.cache_clear()
    with pytest.raises(postgresql.PostgresqlError, match="install the package postgresql"):
        postgresql.installation("system")
    postgresql.installation.cache_clear()


def test_a_scratch_database_is_empty_whatever_was_in_the_one_before():
    for _ in range(2):
        with scratch.database("create table t (a int)") as url:
            with psycopg.connect(url) as connection:
                assert connection.execute("select count(*) from t").fetchone() == (0,)
            with scratch.database() as other, psycopg.connect(other) as connection:
                assert connection.execute("select to_regclass('t')").fetchone() == (None,)
