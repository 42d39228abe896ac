"""pyproject.toml, requirements.lock and environment.yml say the same thing."""

import re
import tomllib

import pytest
import yaml
from lock_plainly import plainly
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from readiness.documents import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = {
    canonicalize_name(name): version
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^]]*\])?==([^\s;]+)", LOCK, re.M)
}
WANTED = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
]
FIXED_BY_THE_BRIEF = {
    "jupyterlab",
    "papermill",
    "pandas",
    "sqlalchemy",
    "psycopg",
    "cryptography",
    "plotly",
    "nbconvert",
}


@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_the_lock_holds_what_the_project_asks_for(wanted):
    assert wanted.specifier.contains(LOCKED[canonicalize_name(wanted.name)])


def test_every_locked_package_is_hashed_and_no_index_is_named():
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.strip())
    assert all("--hash=sha256:" in block for block in blocks)
    assert len(blocks) > 100
    assert not re.search(r"index|https?://|@ ", LOCK)


def test_pip_finds_every_package_pinned_with_its_extras_and_without():
    assert plainly(LOCK) == LOCK


def test_the_brief_is_kept():
    names = {Requirement(text).name for text in PROJECT["dependencies"]}
    assert names >= FIXED_BY_THE_BRIEF


def test_conda_users_get_the_same_lock():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())
    plain = [d for d in conda["dependencies"] if isinstance(d, str)]
    names = {re.split(r"[<>=]", d)[0] for d in plain}
    assert {"python", "postgresql", "nodejs", "pip"} == names
    python = next(d for d in plain if d.startswith("python"))
    assert python.removeprefix("python") == PROJECT["requires-python"]
    (pip,) = [d["pip"] for d in conda["dependencies"] if isinstance(d, dict)]
    assert pip == ["--require-hashes -r requirements.lock"]
