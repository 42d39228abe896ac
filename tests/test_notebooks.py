"""Notebooks in git: prose first, short cells, no definitions, no outputs."""

import ast
import json
import subprocess
import sys

import pytest
from readiness import policy
from readiness.documents import ROOT
from readiness.execution import conclusion
from readiness.finding import AREAS

NAMES = [*AREAS, "assessment", "history"]
LONGEST_CELL = 12  # lines


def cells(name, kind=None):
    content = json.loads((ROOT / "notebooks" / f"{name}.ipynb").read_text())
    return [c for c in content["cells"] if kind in (None, c["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def test_there_are_eight():
    assert sorted(p.stem for p in (ROOT / "notebooks").glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_that_ran_is_in_git(name):
    for cell in cells(name, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
    command = [
        sys.executable,
        "-m",
        "nbstripout",
        "--verify",
        "--keep-id",
        f"notebooks/{name}.ipynb",
    ]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == 0


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_short_and_define_nothing(name):
    for cell in cells(name, "code"):
        assert len(source(cell).splitlines()) <= LONGEST_CELL, source(cell)
        defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        assert not any(isinstance(node, defined) for node in ast.walk(ast.parse(source(cell))))


@pytest.mark.parametrize("name", NAMES)
def test_prose_comes_first(name):
    assert cells(name)[0]["cell_type"] == "markdown"
    words = sum(len(source(c).split()) for c in cells(name, "markdown"))
    assert words >= 100


@pytest.mark.parametrize("name", AREAS)
def test_an_area_declares_its_parameters_and_concludes(name):
    tagged = [c for c in cells(name, "code") if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    names = [node.targets[0].id for node in ast.parse(source(tagged[0])).body]
    assert names == ["environment", "target", "permit", "criteria"]
    assert "audit.conclude()" in source(cells(name, "code")[-1])


@pytest.mark.parametrize("name", NAMES)
def test_cell_ids_do_not_change_by_themselves(name):
    ids = [c["id"] for c in cells(name)]
    assert len(set(ids)) == len(ids)
    assert all(i.startswith(name.replace("_", "-")) or i.startswith(name) for i in ids)


@pytest.mark.slow
@pytest.mark.parametrize("name", AREAS)
def test_it_runs_alone_by_papermill_and_passes_nothing_where_nothing_is(name, tmp_path):
    parameters = tmp_path / "nothing.yaml"
    parameters.write_text("environment: nothing\ntarget: {name: nothing}\npermit: [passive]\n")
    output = tmp_path / "out.ipynb"
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-f", str(parameters)]
    command += [str(ROOT / "notebooks" / f"{name}.ipynb"), str(output)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-800:]
    result = conclusion(json.loads(output.read_text()))
    statuses = {finding["check"]: finding["status"] for finding in result["findings"]}
    assert set(statuses) == set(policy.load().expected(name))
    assert set(statuses.values()) == {"NOT_MEASURED"}, statuses
