"""Which migration tool a repository has, as its files tell."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

NUMBERED = re.compile(r"^V?(\d+)(?:[_.-].*)?\.sql$", re.IGNORECASE)
UNDO = re.compile(r"(?i)[_.-](rollback|down|undo|revert)\.sql$")
SKIPPED = {".git", "node_modules", ".venv", "venv", "site-packages", "__pycache__", "dist"}
DEPTH = 6
MOST = 50_000  # files looked at
# What is recognised by the name of a file, and cannot be replayed without parameters or at all.
SIGNS = {
    "alembic.ini": "Alembic",
    "manage.py": "Django",
    "flyway.conf": "Flyway",
    "flyway.toml": "Flyway",
    "liquibase.properties": "Liquibase",
    "schema.prisma": "Prisma",
    "knexfile.js": "Knex",
    "knexfile.ts": "Knex",
    "atlas.hcl": "Atlas",
    "dbmate.env": "dbmate",
    "sqitch.plan": "Sqitch",
    "ormconfig.json": "TypeORM",
}


@dataclass(frozen=True)
class Found:
    """``folder`` of numbered SQL files, ``signs`` of other tools, and how many files were seen."""

    folder: Path | None
    signs: dict[str, str]  # path below the repository -> tool
    files: int


def search(repository: Path) -> Found:
    """Look for a migration tool below ``repository``; bounded in depth and number of files."""
    folder: Path | None = None
    signs: dict[str, str] = {}
    files = 0
    for path in _files(repository):
        files += 1
        if tool := SIGNS.get(path.name):
            signs[str(path.relative_to(repository))] = tool
        in_place = "migrat" in path.parent.name.lower()
        if folder is None and in_place and NUMBERED.match(path.name):
            folder = path.parent
    return Found(folder, signs, files)


def _files(repository: Path) -> Iterator[Path]:
    seen = 0
    for at, folders, names in os.walk(repository):
        depth = len(Path(at).relative_to(repository).parts)
        keep = depth < DEPTH
        folders[:] = sorted(f for f in folders if keep and f not in SKIPPED)
        for name in sorted(names):
            seen += 1
            if seen > MOST:
                return
            yield Path(at, name)
