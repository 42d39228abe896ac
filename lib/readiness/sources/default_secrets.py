"""Secrets that everybody knows: from tutorials and templates, and from the target's own files.

A value is tried and then forgotten; evidence names it by its place in a list, or by its variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from ..target import Repository

SHIPPED = (
    "secret",
    "changeme",
    "change-me",
    "change_me",
    "changeit",
    "changethis",
    "please-change-me",
    "default",
    "password",
    "admin",
    "test",
    "dev",
    "development",
    "supersecret",
    "super-secret",
    "super-secret-key",
    "super_secret_key",
    "my-secret-key",
    "mysecretkey",
    "secret-key",
    "secret_key",
    "secretkey",
    "jwt-secret",
    "jwt_secret",
    "dev-secret-key",
    "your-secret-key",
    "your_secret_key",
    "your-secret-key-here",
    "your-jwt-secret",
    "your-256-bit-secret",  # the example of jwt.io, and its longer successor
    "a-string-secret-at-least-256-bits-long",
    "keyboard cat",  # the example of express-session
    "shhhhh",  # the example of jsonwebtoken
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",  # FastAPI's tutorial
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",  # Flask's tutorial
)
SENSITIVE = re.compile(r"secret|key|token|pass|pwd|salt|credential|auth|jwt|sign", re.I)
LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$")
DEFAULT = re.compile(r"\$\{(\w+):?-([^}]+)\}")
SHORTEST = 3
LARGEST_FILE = 1_000_000  # bytes
MOST_OF_A_FILE = 60


@dataclass(frozen=True)
class Default:
    """A known secret and where it is known from, which is all that may be told of it."""

    name: str
    value: str


def shipped(further: list[str]) -> Iterator[Default]:
    """The list of this version, and what the parameters add to it."""
    for number, value in enumerate(SHIPPED, 1):
        yield Default(f"known default no. {number}", value)
    for number, value in enumerate(further, 1):
        yield Default(f"target.http.authentication.default_secrets no. {number}", value)


def of_repository(
    repository: Repository | None, files: list[str], missing: list[str]
) -> Iterator[Default]:
    """Placeholders of the target's own files, and the defaults of its compose files.

    A file that cannot be read is named in ``missing``.
    """
    if repository is None:
        missing += files
        return
    compose = repository.compose.files if repository.compose else []
    for name in [*files, *compose]:
        path = repository.folder / name
        try:
            text = path.read_text(encoding="utf-8", errors="replace")[:LARGEST_FILE]
        except OSError:
            missing.append(name)
            continue
        found = _assignments(text) if name in files else DEFAULT.findall(text)
        yield from _worth_trying(name, found)


def _assignments(text: str) -> list[tuple[str, str]]:
    """The variables of an environment file, without quotes and comments."""
    found = []
    for line in text.splitlines():
        if match := LINE.match(line):
            name, value = match.groups()
            quoted = re.match(r"""(["'])(.*?)\1""", value)
            found.append((name, quoted[2] if quoted else re.split(r"\s+#", value)[0]))
    return found


def _worth_trying(file: str, found: list[tuple[str, str]]) -> Iterator[Default]:
    seen: set[str] = set()
    for name, value in found[: MOST_OF_A_FILE * 4]:
        if "://" in value:
            value = _password(value)
        elif not SENSITIVE.search(name):
            continue
        usable = len(value) >= SHORTEST and "${" not in value and value.isprintable()
        if usable and value not in seen and len(seen) < MOST_OF_A_FILE:
            seen.add(value)
            yield Default(f"{file}: {name}", value)


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:
        return ""
