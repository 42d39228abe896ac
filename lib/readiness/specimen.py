"""Specimens: small targets that are known to be bad, good or out of reach.

A specimen is an HTTP service on loopback, a database on the scratch server, a folder of files, or
several of them. It is one YAML file in ``checks/<area>/specimens/<subject>/``:

    shows: one sentence: what is the matter here
    expect: {FAIL: [SEC-HEADERS-CSP]}          # also PASS:, NOT_MEASURED:
    http:                                      # answers of a loopback service, first match wins
      - {match: GET /, status: 200, headers: {X-A: "1"}, body: text}
    service: {module: tokens.py, flaw: none}   # or a Python file beside it, with
                                               # answer(request, options) -> Response; options
                                               # has the variables too, SPECIMEN_DATABASE_URL ...
    database: CREATE TABLE ...                 # SQL loaded into a scratch database
    replica: CREATE TABLE ...                  # and into a second one
    files: {docker-compose.yml: text}          # a folder with these files
    history: [{a.py: text}, {a.py: null}]      # commits in that folder before: written or removed
    target: {http: {base_url: "${SPECIMEN_URL}"}}   # params, as in a params file
    answers: [{check: SEC-X, status: PASS}]    # of the checks before, for one that sums them up
    permit: [passive, active]                  # default: everything
    when: tests                                # too slow for every run: tried by the tests only
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from . import loopback, scratch
from .documents import read_yaml
from .finding import Status
from .parameters import validated
from .target import Target

KEYS = {"shows", "expect", "when"}
KEYS |= {
    "http",
    "service",
    "database",
    "replica",
    "files",
    "history",
    "target",
    "answers",
    "permit",
}
EVERYTHING = ("passive", "active", "load", "write")


@dataclass(frozen=True)
class Specimen:
    path: Path
    shows: str
    expect: dict[str, list[str]]
    content: dict[str, Any]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def in_every_run(self) -> bool:
        return self.content.get("when") != "tests"

    def expected(self, check: str) -> Status | None:
        """The status that ``check`` must give here, or None when it is not for that check."""
        return next((Status(s) for s, ids in self.expect.items() if check in ids), None)

    @contextmanager
    def target(self) -> Iterator[Target]:
        """Bring the specimen to life and yield the target that it is."""
        content = self.content
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="readiness-specimen-"))
            variables = {
                "SPECIMEN_FOLDER": folder,
                "SPECIMEN_SOURCE": str(self.path.parent),
                "SPECIMEN_PYTHON": sys.executable,
                "SPECIMEN_CLOSED_URL": f"http://127.0.0.1:{_closed_port()}",
                "SPECIMEN_CLOSED_DATABASE_URL": f"postgresql://nobody@127.0.0.1:{_closed_port()}/x",
            }
            if "history" in content:
                _commit(Path(folder), [*content["history"], content.get("files", {})])
            _write(Path(folder), content.get("files", {}))
            for key in ("database", "replica"):
                if key in content:
                    url = stack.enter_context(scratch.database(content[key]))
                    variables[f"SPECIMEN_{key.upper()}_URL"] = url
            if answer := self._service(variables):
                variables["SPECIMEN_URL"] = stack.enter_context(loopback.serve(answer))
            raw = {"name": self.name, **content.get("target", {})}
            target = validated(Target, raw, self.path.name, {**variables}, specimen=True)
            if "answers" in content:
                target = target.answered_by(lambda: content["answers"])
            yield target.allowing(content.get("permit", EVERYTHING))

    def _service(
        self, variables: dict[str, str]
    ) -> Callable[[loopback.Request], loopback.Response] | None:
        if routes := self.content.get("http"):
            return loopback.routes(routes)
        if service := self.content.get("service"):
            options = {key: value for key, value in service.items() if key != "module"} | variables
            module = _module(self.path.parent / service["module"])
            return lambda request: module.answer(request, options)
        return None


def _write(folder: Path, files: dict[str, str | None]) -> None:
    for name, text in files.items():
        file = folder / name
        if text is None:
            file.unlink()
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _commit(folder: Path, commits: list[dict[str, str | None]]) -> None:
    """Make the folder a git repository with these changes, one commit each."""
    git = [
        "git",
        "-C",
        str(folder),
        "-c",
        "user.name=specimen",
        "-c",
        "user.email=specimen@invalid",
    ]
    git += ["-c", "commit.gpgSign=false", "-c", "core.hooksPath=/dev/null"]
    subprocess.run([*git, "init", "--quiet"], check=True, capture_output=True)
    for files in commits:
        _write(folder, files)
        subprocess.run([*git, "add", "--all"], check=True, capture_output=True)
        commit = ["commit", "--quiet", "--allow-empty", "--message", "change"]
        subprocess.run([*git, *commit], check=True, capture_output=True)


@cache
def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"specimen_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise TypeError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _closed_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@cache
def specimens_in(folder: Path) -> tuple[Specimen, ...]:
    """The specimens of one subject, in the order of their names."""
    found = []
    for path in sorted(folder.glob("*.yaml")):
        content = read_yaml(path)
        if unknown := set(content) - KEYS:
            raise TypeError(f"{path.name}: unknown key {', '.join(sorted(unknown))}")
        found.append(Specimen(path, content["shows"], content["expect"], content))
    return tuple(found)
