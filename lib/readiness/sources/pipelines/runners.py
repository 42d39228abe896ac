"""Which commands run tests, also when they stand behind ``make``, ``npm`` or a script."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..shell import SHELLS, Command, commands
from . import Repository
from .makefile import recipe

DEEPEST = 3  # from a step to a target to a script ...
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")
# Programs that are test runners, whatever follows.
RUNNERS = {
    "pytest", "py.test", "tox", "nox", "nosetests", "nose2", "trial", "behave", "robot", "ward",
    "stestr", "ctest", "bats", "rspec", "phpunit", "pest", "vitest", "jest", "mocha", "ava",
    "karma", "jasmine", "cucumber-js", "gotestsum", "newman",
}  # fmt: skip
# Programs that run tests when one of these words follows.
SUBCOMMANDS = {
    "playwright": {"test"}, "cypress": {"run"}, "go": {"test"}, "cargo": {"test", "nextest"},
    "dotnet": {"test"}, "rake": {"test", "spec"}, "rails": {"test"}, "composer": {"test"},
    "mix": {"test"}, "bazel": {"test"}, "bazelisk": {"test"}, "sbt": {"test"}, "swift": {"test"},
    "flutter": {"test"}, "dart": {"test"}, "deno": {"test"}, "bun": {"test"}, "hatch": {"test"},
    "lein": {"test"}, "stack": {"test"}, "cabal": {"test"}, "meson": {"test"}, "ninja": {"test"},
    "nx": {"test", "run-many", "affected"}, "turbo": {"test"}, "lerna": {"test"}, "ng": {"test"},
    "react-scripts": {"test"}, "just": {"test"}, "task": {"test"}, "invoke": {"test"},
    "inv": {"test"}, "manage.py": {"test"}, "node": {"--test"}, "tsx": {"--test"},
    "mvn": {"test", "verify", "package", "install", "integration-test", "deploy"},
    "mvnw": {"test", "verify", "package", "install", "integration-test", "deploy"},
    "gradle": {"test", "check", "build"}, "gradlew": {"test", "check", "build"},
}  # fmt: skip
MODULES = RUNNERS | {"unittest", "nose", "tox", "nox", "robot"}
PACKAGE_MANAGERS = {"npm", "pnpm", "yarn", "bun"}
WRAPPERS = {
    "poetry": ["run"], "uv": ["run"], "pipenv": ["run"], "pdm": ["run"], "rye": ["run"],
    "hatch": ["run"], "conda": ["run"], "micromamba": ["run"], "bundle": ["exec"], "npx": [],
    "bunx": [], "pnpm": ["exec"], "yarn": ["exec"], "xvfb-run": [], "timeout": [],
    "coverage": ["run"], "dotenv": ["run"], "uvx": [], "pipx": ["run"],
}  # fmt: skip
WITH_VALUE = {"--with", "--group", "--extra", "--python", "-p", "-n", "--name", "-k", "--env"}
CONTAINERS = {"docker", "docker-compose", "podman", "kubectl", "nix", "nix-shell"}
ONLY_LOOKING = {"--collect-only", "--co", "--version", "--help", "-h", "--listTests", "--list",
                "--no-run", "-DskipTests", "-DskipTests=true", "-Dmaven.test.skip=true",
                "--fixtures"}  # fmt: skip
NAMED_TEST = re.compile(
    r"(^|[/_.:-])(unit|e2e|integration)?[-_]?tests?([-_./:]|$)|(^|/)check$", re.I
)


@dataclass(frozen=True)
class Run:
    """A command that runs tests; ``ignored`` says why its failure goes unnoticed."""

    what: str
    ignored: str | None = None


@dataclass(frozen=True)
class _Place:
    repository: Repository
    folder: str
    depth: int

    def at(self, folder: str) -> _Place:
        return _Place(self.repository, posixpath.normpath(folder or "."), self.depth)

    def deeper(self) -> _Place:
        return _Place(self.repository, self.folder, self.depth + 1)

    def path(self, name: str) -> str:
        return posixpath.normpath(posixpath.join(self.folder, name))


def runs_in(
    script: str,
    repository: Repository,
    folder: str = "",
    *,
    pipefail: bool = False,
    errexit: bool = True,
) -> list[Run]:
    """The commands of ``script`` that run tests; ``folder`` is where it is run."""
    place = _Place(repository, posixpath.normpath(folder or "."), 0)
    return _runs(script, place, pipefail, errexit)


def _runs(script: str, place: _Place, pipefail: bool, errexit: bool) -> list[Run]:
    found: list[Run] = []
    listed = commands(EXPRESSION.sub("x", script))
    for number, command in enumerate(listed):
        words = command.words
        if words[0] == "cd" and len(words) == 2:
            place = place.at(posixpath.join(place.folder, words[1]))
        elif words[0] == "set":
            options = " ".join(words[1:])
            pipefail = pipefail or bool(re.search(r"-\w*o\w* pipefail", options))
            if switched := re.match(r"([+-])\w*e", options):
                errexit = switched[1] == "-"
        elif run := _run(words, place):
            lost = _lost(command, listed[number + 1 :], pipefail, errexit)
            found.append(Run(run.what, run.ignored or lost))
    return found


def _lost(command: Command, later: list[Command], pipefail: bool, errexit: bool) -> str | None:
    """How the failure of a command goes unnoticed in its script."""
    if command.then == "||" and later and later[0].always_succeeds:
        return f"|| {' '.join(later[0].words[:2])}"
    if command.then == "|" and not pipefail:
        return "its result is lost in a pipe"
    handed_on = any(c.program == "exit" and "$" in "".join(c.words[1:]) for c in later)
    if not errexit and later and command.then == ";" and not handed_on:
        return "its result is lost: the script goes on after a failure"
    return None


def _run(words: Sequence[str], place: _Place) -> Run | None:
    """What a simple command tests, or None."""
    if not words or place.depth > DEEPEST or ONLY_LOOKING & set(words):
        return None
    program, rest = words[0].rsplit("/", 1)[-1], list(words[1:])
    if program in RUNNERS:
        return Run(program)
    if re.fullmatch(r"python[\d.]*|pypy[\d.]*", program):
        return _python(rest, place)
    if program in SHELLS:
        return _shell(rest, place)
    if program in ("make", "gmake"):
        return _make(rest, place)
    if program in WRAPPERS and (inner := _unwrapped(program, rest)):
        return _run(inner, place)
    if program in PACKAGE_MANAGERS:
        run = _package_script(program, rest, place)
        if run or program in ("yarn", "pnpm"):
            return run or _run([word for word in rest if not word.startswith("-")], place)
    if wanted := SUBCOMMANDS.get(program, set()) & set(rest):
        skipped = ("-x", "test") in pairwise(rest)
        return None if skipped else Run(f"{program} {sorted(wanted)[0]}")
    if program in CONTAINERS:
        inside = (_run(rest[n:], place.deeper()) for n in range(1, len(rest)))
        return next((run for run in inside if run), None)
    return _script(words[0], place) if "/" in words[0] else None


def _unwrapped(program: str, rest: list[str]) -> list[str]:
    """The command that a wrapper such as ``poetry run`` starts."""
    leading = WRAPPERS[program]
    if rest[: len(leading)] != leading:
        return []
    rest = rest[len(leading) :]
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if program == "coverage" and option == "-m":
            return ["python", "-m", *rest]
        if option in WITH_VALUE and rest:
            rest.pop(0)
    if program == "timeout" and rest:
        rest.pop(0)
    return rest


def _python(rest: list[str], place: _Place) -> Run | None:
    if "-m" in rest[:-1]:
        module, *more = rest[rest.index("-m") + 1 :]
        if module == "coverage" and more[:1] == ["run"]:
            return _run(["coverage", *more], place)
        return Run(f"python -m {module}") if module in MODULES else None
    scripts = [word for word in rest if word.endswith(".py")]
    if not scripts:
        return None
    if scripts[0].endswith("manage.py"):
        return Run("manage.py test") if "test" in rest else None
    there = place.repository.read(place.path(scripts[0])) is not None
    return Run(scripts[0]) if there and NAMED_TEST.search(scripts[0]) else None


def _shell(rest: list[str], place: _Place) -> Run | None:
    for number, word in enumerate(rest):
        if re.fullmatch(r"-\w*c", word) and number + 1 < len(rest):
            found = _runs(rest[number + 1], place.deeper(), False, "e" in word)
            return _best(found)
        if not word.startswith("-"):
            return _script(word, place)
    return None


def _script(name: str, place: _Place) -> Run | None:
    """A script of the repository, looked into."""
    text = place.repository.read(place.path(name))
    if text is None:
        return None
    first = text.partition("\n")[0]
    if not name.endswith((".sh", ".bash")) and not re.match(r"#!.*\b(ba|da|z)?sh\b", first):
        return Run(name) if NAMED_TEST.search(name) else None
    errexit = bool(re.match(r"#!.*sh\s+-\w*e", first))
    found = _best(_runs(text, place.deeper(), False, errexit))
    return Run(f"{name} ({found.what})", found.ignored) if found else _by_name(name, text)


def _make(rest: list[str], place: _Place) -> Run | None:
    folder = rest[rest.index("-C") + 1] if "-C" in rest[:-1] else ""
    place = place.at(posixpath.join(place.folder, folder)).deeper()
    text = next(
        (t for n in ("GNUmakefile", "makefile", "Makefile")
         if (t := place.repository.read(place.path(n))) is not None), None
    )  # fmt: skip
    if text is None:
        return None
    for target in [w for w in rest if not w.startswith("-") and "=" not in w and w != folder]:
        lines = recipe(text, target)
        bare = [line.lstrip("@-+ ") for line in lines]
        found = [
            Run(
                run.what,
                run.ignored or ("make goes on after a failure" if "-" in line[:2] else None),
            )
            for line, command in zip(lines, bare, strict=True)
            for run in _runs(command, place, False, True)
        ]
        if run := _best(found):
            return Run(f"make {target} ({run.what})", run.ignored)
        if run := _by_name(target, "\n".join(bare)):
            return Run(f"make {target}", run.ignored)
    return None


def _package_script(program: str, rest: list[str], place: _Place) -> Run | None:
    """``npm test`` and its kin: the script in package.json, looked into."""
    folder, workspace, words = "", False, []
    given = iter(rest)
    for word in given:
        name, _, value = word.partition("=")
        if name in ("--prefix", "-C", "--cwd", "--dir"):
            folder = value or next(given, "")
        elif name in ("--workspace", "-w", "--workspaces", "--filter", "-F", "-r", "--recursive"):
            workspace = True
            if name in ("-w", "--filter", "-F") and not value:
                next(given, "")
        elif not word.startswith("-"):
            words.append(word)
    words = words[1:] if words[:1] in (["run"], ["run-script"]) else words
    name = {"t": "test", "tst": "test"}.get(words[0], words[0]) if words else ""
    if workspace:
        return Run(f"{program} {name}") if NAMED_TEST.search(name) else None
    text = place.repository.read(place.path(posixpath.join(folder, "package.json")))
    try:
        script = json.loads(text or "{}")["scripts"][name]
    except (ValueError, KeyError, TypeError):
        return None
    inner = place.at(posixpath.join(place.folder, folder)).deeper()
    if found := _best(_runs(str(script), inner, False, True)):
        return Run(f"{program} {name} ({found.what})", found.ignored)
    run = _by_name(name, str(script))
    return Run(f"{program} {name}", run.ignored) if run else None


def _best(found: list[Run]) -> Run | None:
    """The first run that counts, else the first."""
    return next((run for run in found if not run.ignored), found[0] if found else None)


def _by_name(name: str, text: str) -> Run | None:
    """What is called a test and does something, though with a runner that is not known here."""
    at_work = [c for c in commands(text) if not c.always_succeeds and c.program != "exit"]
    return Run(name) if at_work and NAMED_TEST.search(name) else None
