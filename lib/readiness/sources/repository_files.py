"""The files of the target's repository: which there are, of what kind, and what is left out.

With git the listing is git's own, what is ignored left out; without, every file below the folder.
What others wrote and shipped along (node_modules, virtual environments) is nobody's code here.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ..finding import NotMeasured, Reason
from ..target import Repository, Target, need
from .program import run

VENDORED = re.compile(
    r"(^|/)(\.git|node_modules|bower_components|\.?venv|env|site-packages|vendor|third_party|"
    r"__pycache__|\.tox|\.mypy_cache|\.state)(/|$)"
)
TESTS = re.compile(
    r"(^|/)(tests?|testing|__tests__|spec|specs|e2e|fixtures|conftest\.py)(/|$)|"
    r"(^|/)test_[^/]*\.py$|_test\.(py|go)$|\.(test|spec)\.[cm]?[jt]sx?$"
)
LANGUAGES = {
    ".py": "Python", ".go": "Go", ".rs": "Rust", ".java": "Java", ".kt": "Kotlin", ".rb": "Ruby",
    ".php": "PHP", ".cs": "C#", ".c": "C", ".cc": "C++", ".cpp": "C++", ".ex": "Elixir",
    ".js": "JavaScript", ".mjs": "JavaScript", ".cjs": "JavaScript", ".jsx": "JavaScript",
    ".ts": "TypeScript", ".tsx": "TypeScript", ".vue": "Vue", ".svelte": "Svelte",
    ".scala": "Scala", ".swift": "Swift", ".pl": "Perl", ".lua": "Lua",
}  # fmt: skip
MOST_FILES = 50_000
LARGEST = 2_000_000  # bytes of one file
GIT_TIMEOUT_S = 60


@dataclass(frozen=True)
class Listing:
    """Paths relative to ``folder``; ``from_git`` says whose listing it is."""

    folder: Path
    paths: list[str]
    from_git: bool
    cut: bool  # there were more than MOST_FILES

    def code(self, repository: Repository) -> list[str]:
        """What runs in production: the folders that the parameters name, else all but tests."""
        roots = [root.strip("/") for root in repository.code]
        return [
            path
            for path in self.paths
            if not TESTS.search(path)
            and (not roots or any(path == r or path.startswith(f"{r}/") for r in roots))
        ]

    def languages(self, paths: list[str]) -> dict[str, int]:
        """How many files there are in each programming language."""
        known = [LANGUAGES[s] for path in paths if (s := Path(path).suffix) in LANGUAGES]
        return dict(Counter(known).most_common())

    def text(self, path: str) -> str | None:
        """A file's text; None for what is no text, no plain file, or too large."""
        file = self.folder / path
        try:
            if file.is_symlink() or not file.is_file() or file.stat().st_size > LARGEST:
                return None
            content = file.read_bytes()
        except OSError:
            return None
        if b"\0" in content[:8000]:
            return None
        return content.decode("utf-8", errors="replace")


def git(folder: Path, *arguments: str, timeout_s: float = GIT_TIMEOUT_S) -> str | None:
    """What git says about a repository, hooks and configuration of others left aside; or None."""
    command = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false"]
    command += ["-c", "core.quotePath=false", "-C", str(folder), *arguments]
    try:
        done = run(
            command,
            environment={"GIT_CONFIG_NOSYSTEM": "1", "GIT_OPTIONAL_LOCKS": "0"},
            timeout_s=timeout_s,
            folder=folder,
            kept=20_000_000,
        )
    except NotMeasured:
        return None
    return done.output if done.returncode == 0 else None


def listing(target: Target) -> Listing:
    """List the repository's files; raises NotMeasured when there is no such folder."""
    repository = need(target.repository, "target.repository")
    folder = repository.folder
    if not folder.is_dir():
        raise NotMeasured(Reason.UNREACHABLE, "target.repository.path is no folder")
    listed = git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    found = listed.split("\0") if listed else sorted(_walked(folder))
    paths = [path for path in found if path and not VENDORED.search(path)]
    paths = list(dict.fromkeys(paths))
    if not paths:
        raise NotMeasured(Reason.NO_SAMPLES, "the repository holds no file")
    return Listing(folder, paths[:MOST_FILES], bool(listed), len(paths) > MOST_FILES)


def _walked(folder: Path) -> Iterator[str]:
    for root, folders, files in os.walk(folder):
        here = Path(root).relative_to(folder).as_posix()
        folders[:] = [f for f in folders if not VENDORED.search(f"{here}/{f}")]
        for name in files:
            yield name if here == "." else f"{here}/{name}"


def allowed(rule: str, path: str, allowances: list[tuple[str, str]]) -> bool:
    """Whether an allowance (rule, file) covers what was found; both with * and ?."""
    return any(fnmatch(rule, r) and fnmatch(path, f) for r, f in allowances)
