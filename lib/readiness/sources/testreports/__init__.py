"""Test reports as test runners write them: JUnit XML and Playwright JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

# From worst to best; a test that is reported several times counts with its worst outcome.
OUTCOMES = ("error", "failed", "flaky", "passed", "expected failure", "skipped")
RAN = ("error", "failed", "flaky", "passed")
PASSED = ("flaky", "passed")
COMMIT_NAMES = {
    "commit", "gitcommit", "gitcommitid", "gitsha", "gitrevision", "sha", "revision", "vcsrevision",
    "scmrevision", "buildrevision", "githubsha", "cicommitsha", "sourceversion",
}  # fmt: skip


class Unreadable(ValueError):
    """What is wrong with a report, without a word of its content."""


@dataclass(frozen=True)
class Case:
    test: str
    outcome: str
    seconds: float = 0.0
    attempts: int = 1


@dataclass
class Report:
    """One report; ``lost`` says how it holds less than it announces."""

    form: str
    cases: list[Case] = field(default_factory=list)
    commit: str | None = None
    started: datetime | None = None
    lost: str | None = None


def moment(text: str) -> datetime | None:
    """A time as reports write it; without a zone it is taken for UTC."""
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def is_commit_name(name: str) -> bool:
    """Whether a property of this name holds the commit, however it is punctuated."""
    return "".join(c for c in name.lower() if c.isalnum()) in COMMIT_NAMES
