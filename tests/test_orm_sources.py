"""Where models come from (SQLAlchemy old and new, Django, a command), and what their statements
meet on a copy of the live tables."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from readiness import scratch
from readiness.evidence import Evidence
from readiness.finding import Reason
from readiness.parameters import validated
from readiness.sources import catalogue, drift
from readiness.target import Target

LIVE = """
CREATE TABLE users (
    id uuid PRIMARY KEY, name varchar(20) NOT NULL, points integer NOT NULL, doc text NOT NULL,
    mail text NOT NULL, price numeric(11, 1) NOT NULL, extra integer NOT NULL, secret varchar(60)
);
CREATE TABLE notes (id serial PRIMARY KEY, title varchar(30) NOT NULL UNIQUE);
"""
MODELS = """
from typing import Optional
from sqlalchemy import BigInteger, Column, Integer, Numeric, String, Text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.orm import declarative_base

Base = declarative_base()

class User(Base):
    __tablename__ = "users"
    id = Column(String(36), primary_key=True)
    name = Column(String(100), nullable=False, unique=True)
    gone = Column(Text, nullable=False)
    points = Column(BigInteger, nullable=False)
    doc = Column(JSONB, nullable=False)
    mail = Column(Text)
    price = Column(Numeric(10, 2), nullable=False)
    secret = Column(String(60))

class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)
    title = Column(String(30), nullable=False, unique=True)

def save(session):
    session.execute(insert(User).on_conflict_do_update(index_elements=["name"], set_={}))
"""
# Breaking differences, and how the server's answer to the ORM's statement begins.
ANSWERS = {
    ("users", "doc"): "42883: operator does not exist",
    ("users", "extra"): '23502: null value in column "extra"',
    ("users", "gone"): '42703: column "gone" does not exist',
    ("users", "id"): "42883: operator does not exist: uuid = character varying",
    ("users", "mail"): '23502: null value in column "mail"',
    ("users", "name"): "22001: value too long",
    ("users", "points"): "22003: integer out of range",
    ("users", "price"): "99999999.99 was sent, 100000000.0 is stored",
    ("users", "users_name_key"): "42P10: there is no unique",
}


def target(folder: Path, url: str, **orm: Any) -> Target:
    raw = {
        "name": "tried",
        "database": {"url": url},
        "orm": {"path": [str(folder)], **orm},
        "encryption": {"columns": ["users.secret"], "key": "${K}", "salt": "${K}"},
    }
    return validated(Target, raw, "test", {"K": "unused"}, specimen=True)


def both(of: Target) -> tuple[Evidence, Evidence]:
    sides = catalogue.live(of), catalogue.orm(of)
    assert [side.problem for side in sides] == [None, None]
    return sides


def proofs(of: Target) -> dict[tuple[str, str], str]:
    return {
        (d["table"], d["object"]): d["answer"]
        for d in drift.between(*both(of))
        if d["class"] == "breaking"
    }


def assert_proved(of: Target) -> None:
    found = proofs(of)
    assert found.keys() == ANSWERS.keys()
    for key, answer in ANSWERS.items():
        assert found[key].startswith(answer), (key, found[key])


def test_every_breaking_difference_is_proved_by_the_statement_that_fails(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    with scratch.database(LIVE) as url:
        of = target(tmp_path, url, interpreter=sys.executable, metadata="models:Base")
        assert_proved(of)
        room = [d for d in drift.between(*both(of)) if "ciphertext" in d["reason"]]
    assert [(d["class"], d["object"]) for d in room] == [("risky", "secret")]
    assert "only 11 bytes" in room[0]["reason"]  # ENC4: and 55 characters of base64, less 28 bytes


@pytest.mark.soak
def test_the_same_models_under_sqlalchemy_1_4(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(MODELS)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "-q", "install", "sqlalchemy<2"], check=True)
    with scratch.database(LIVE) as url:
        of = target(tmp_path, url, interpreter=str(python), metadata="models:Base")
        assert_proved(of)
        assert catalogue.orm(of).tools["SQLAlchemy"].startswith("1.4.")


DJANGO = {
    "settings.py": """
        INSTALLED_APPS = ["shop"]
        DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
        DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "HOST": "not.reached"}}
    """,
    "shop/__init__.py": "",
    "shop/models.py": """
        from django.db import models
        class Tag(models.Model):
            name = models.CharField(max_length=20, unique=True)
        class Item(models.Model):
            title = models.CharField(max_length=40)
            made = models.DateTimeField(auto_now_add=True)
            price = models.DecimalField(max_digits=8, decimal_places=2, null=True)
            tags = models.ManyToManyField(Tag)
            parent = models.ForeignKey("self", models.CASCADE, null=True)
    """,
}


def test_django_models_are_asked_without_touching_their_own_database(tmp_path: Path) -> None:
    import textwrap

    for name, text in DJANGO.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(textwrap.dedent(text))
    with scratch.database() as url:
        of = target(tmp_path, url, interpreter=sys.executable, django="settings")
        asked = catalogue.orm(of)
    assert asked.problem is None, asked.problem
    tables = {r["table"] for r in asked.records if r["kind"] == "table"}
    assert tables == {"shop_tag", "shop_item", "shop_item_tags"}
    columns = {
        r["name"]: r for r in asked.records if r["kind"] == "column" and r["table"] == "shop_item"
    }
    assert columns["made"]["client_default"]  # auto_now_add
    assert columns["title"]["client_default"]  # an empty text is sent
    assert not columns["price"]["client_default"]
    assert columns["id"]["omitted"]
    assert asked.tools["Django"]
    script = drift.repair_script(drift.compare([], asked.records))
    with scratch.database() as url:
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            for repair in script.split("\n\n"):
                connection.execute(repair.encode())
        live = catalogue.live(target(tmp_path, url, interpreter=sys.executable, django="settings"))
    assert drift.between(live, asked) == []


def test_a_command_that_prints_ddl_stands_for_models(tmp_path: Path) -> None:
    ddl = tmp_path / "schema.sql"
    ddl.write_text("\\restrict x\nCREATE TABLE notes (id serial PRIMARY KEY, title text);\n")
    with scratch.database(LIVE) as url:
        sides = both(target(tmp_path, url, command=["cat", str(ddl)]))
    found = {(d["class"], d["table"], d["object"]) for d in drift.between(*sides)}
    assert ("breaking", "notes", "title") in found  # varchar(30) under text


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["false"], Reason.UNREACHABLE),
        (["true"], Reason.NO_SAMPLES),
        (["no-such-program-here"], Reason.TOOL_MISSING),
        (["echo", "CREATE TABLE broken ("], Reason.INCONCLUSIVE),
    ],
)
def test_a_command_that_gives_no_ddl_is_not_measured(
    tmp_path: Path, command: list[str], reason: Reason
) -> None:
    with scratch.database() as url:
        problem = catalogue.orm(target(tmp_path, url, command=command)).problem
    assert problem
    assert problem.reason is reason


def test_an_extension_that_is_not_here_is_named(tmp_path: Path) -> None:
    with scratch.database() as url:
        ddl = "CREATE TABLE places (at geometry)"
        problem = catalogue.orm(target(tmp_path, url, command=["echo", ddl])).problem
    assert problem
    assert problem.reason is Reason.TOOL_MISSING
    assert "postgis" in problem.message
