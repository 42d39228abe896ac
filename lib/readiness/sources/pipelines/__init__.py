"""Pipelines of a repository: what runs when something is pushed, read and never run.

Each format has a reader that turns a file into jobs with steps; ``runners`` then says which of the
steps' commands run tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Step:
    """One script of a job."""

    script: str = ""
    folder: str = ""  # where it runs, below the repository
    off: str | None = None  # why it does not run on a push
    ignored: str | None = None  # why its failure does not fail the job
    pipefail: bool = False
    errexit: bool = True
    runs: str | None = None  # what it runs, where there is no script to read


@dataclass
class Job:
    name: str
    on_push: bool | None  # None: decided outside of the repository
    triggers: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    off: str | None = None
    unseen: list[str] = field(default_factory=list)  # parts of it that are kept elsewhere


@dataclass(frozen=True)
class Repository:
    """The files of a repository, read within its bounds."""

    root: Path
    largest: int = 500_000  # bytes of one file

    def read(self, name: str) -> str | None:
        """A file's text; None when it is not there, not text, too large, or outside."""
        try:
            path = (self.root / name).resolve()
            if not path.is_relative_to(self.root.resolve()) or path.stat().st_size > self.largest:
                return None
            return path.read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
