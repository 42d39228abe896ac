"""Secrets in the repository: in its files, in its whole history, and in the built front end.

A finding is a place, a rule and a fingerprint. The value is never written: not to evidence, a log,
a notebook or a message.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..evidence import Collected, Evidence, source
from ..target import Target, need
from ..variables import Secret, keep_secret
from .program import own_environment
from .repository_files import LARGEST, Listing, allowed, git, listing
from .secret_rules import (
    Hit,
    assignments_in,
    build_arguments_in,
    is_placeholder,
    looks_live,
    tokens_in,
)

LOCKS = re.compile(
    r"(^|/)(package-lock\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|uv\.lock|Cargo\.lock|go\.sum|"
    r"Gemfile\.lock|composer\.lock|requirements[^/]*\.lock)$|(^|/)(locales?|i18n|translations)/|\.(svg|map|po)$"
)
TEMPLATE = re.compile(r"\.(example|sample|template|dist)$|\.env\.(example|sample|template|dist)")
ENVIRONMENT = re.compile(r"(^|/)\.env(\.[\w-]+)?$")
PUBLIC_NAME = re.compile(
    r"(?im)^\s*(?:export\s+|ARG\s+|ENV\s+)?(?P<name>(?:VITE|REACT_APP|NEXT_PUBLIC|VUE_APP|GATSBY|"
    r"NUXT_PUBLIC|EXPO_PUBLIC)_\w*(?:SECRET|PASSWORD|PRIVATE|SERVICE_ROLE)\w*)[ =](?P<value>\S*)"
)
HISTORY_SECONDS = 60
HISTORY_BYTES = 400_000_000
MOST_READ_IN_FULL = 4000  # files, by detect-secrets, which takes a millisecond for a line or so
SHORTEST_KNOWN = 12  # characters of a secret of the parameters that is looked for
WITHOUT = ("Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector")


@source("passive")
def found(target: Target) -> Collected:
    """One row for each secret: where it stands, by which rule, its fingerprint.

    ``facts`` say what was looked at and what was not: files too large or binary, a history that is
    cut off or took too long, folders of the built front end that are not there.
    """
    repository = need(target.repository, "target.repository")
    listed = listing(target)
    known = _known(target)
    rows = _Rows([(a.rule, a.file) for a in repository.secret_allowances])
    skipped = 0
    for path in listed.paths:
        if LOCKS.search(path):
            continue
        text = listed.text(path)
        if text is None:
            skipped += 1
            continue
        for hit in _in_file(path, text, known):
            rows.add("tree", path, hit)
    for path, hit in _by_detect_secrets(listed):
        rows.add("tree", path, hit)
    for path, rule in _environment_files(listed):
        rows.add("tree", path, Hit(1, rule, path))
    assets = [_assets(listed, folder, known, rows) for folder in repository.assets]
    history = _history(listed, known, rows)
    facts = {
        "files": len(listed.paths) - skipped,
        "skipped": skipped,
        "cut": listed.cut,
        "assets": dict(zip(repository.assets, assets, strict=True)),
        "history": history,
        "known_values": len(known),
    }
    return Collected(rows.records, facts)


class _Rows:
    """Findings without their values, each secret and place once."""

    def __init__(self, allowances: list[tuple[str, str]]) -> None:
        self.records: list[dict[str, Any]] = []
        self._allowances = allowances
        self._seen: set[tuple[str, int, str]] = set()
        self.values: set[str] = set()

    def add(self, where: str, path: str, hit: Hit, commit: str | None = None) -> None:
        again = where == "history" or hit.rule.startswith("detect-secrets")
        if again and hit.value in self.values:
            return
        if (path, hit.line, hit.value) in self._seen:
            return
        self._seen.add((path, hit.line, hit.value))
        self.values.add(hit.value)
        # The line of code that holds it may come up in a message elsewhere.
        keep_secret(hit.value, f"secret found in {path}") if hit.value != path else None
        row: dict[str, Any] = {"where": where, "file": path, "line": hit.line, "rule": hit.rule}
        meant = allowed(hit.rule, path, self._allowances)
        row |= {"fingerprint": hit.fingerprint, "commit": commit, "allowed": meant}
        self.records.append(row)


def _known(target: Target) -> list[str]:
    """The values of the parameters' own secrets: wherever one stands, it is one."""
    values: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, Secret):
            values.update(value._environment()[name] for name in value.names())
        elif isinstance(value, BaseModel):
            for name in type(value).model_fields:
                walk(getattr(value, name))
        elif isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, list | tuple):
            for one in value:
                walk(one)

    walk(target)
    return [v for v in values if len(v) >= SHORTEST_KNOWN and not is_placeholder(v)]


def _in_file(path: str, text: str, known: list[str]) -> Iterator[Hit]:
    yield from tokens_in(text)
    yield from _known_in(text, known)
    yield from build_arguments_in(path, text)
    yield from assignments_in(path, text)
    for match in PUBLIC_NAME.finditer(text):
        value = match["value"].strip("\"'")
        if value and not is_placeholder(value):
            line = text.count("\n", 0, match.start()) + 1
            yield Hit(line, "secret that is built into the front end", value)


def _known_in(text: str, known: list[str]) -> Iterator[Hit]:
    for value in known:
        if (at := text.find(value)) >= 0:
            yield Hit(text.count("\n", 0, at) + 1, "secret of this environment", value)


def _by_detect_secrets(listed: Listing) -> Iterator[tuple[str, Hit]]:
    """What detect-secrets finds besides: entropy alone left out, keywords only if they look so."""
    from detect_secrets.core import scan
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.settings import transient_settings

    classes: dict[str, Any] = get_mapping_from_secret_type_to_class()
    names = [plugin.__name__ for plugin in classes.values()]
    plugins = [{"name": name} for name in names if name not in WITHOUT]
    with transient_settings({"plugins_used": plugins, "filters_used": []}):
        for path in listed.paths[:MOST_READ_IN_FULL]:
            if LOCKS.search(path) or listed.text(path) is None:
                continue
            for secret in scan.scan_file(str(listed.folder / path)):
                value = secret.secret_value or ""
                if secret.type in ("Secret Keyword", "Basic Auth Credentials", "Private Key"):
                    if not looks_live(value) or re.search(r"[\s(){}\[\]$]", value):
                        continue
                elif is_placeholder(value):
                    continue
                yield path, Hit(secret.line_number, f"detect-secrets: {secret.type}", value)


def _environment_files(listed: Listing) -> Iterator[tuple[str, str]]:
    """Files of variables that are committed, or that the next commit would take along."""
    tracked = git(listed.folder, "ls-files", "-z", "--cached") if listed.from_git else None
    tracked_paths = set((tracked or "").split("\0"))
    for path in listed.paths:
        if ENVIRONMENT.search(path) and not TEMPLATE.search(path):
            if path in tracked_paths:
                yield path, "committed .env"
            elif listed.from_git:
                yield path, ".env that is not ignored"


def _assets(listed: Listing, name: str, known: list[str], rows: _Rows) -> int | None:
    """How many files of a built front end were read, ignored by git or not; None: not there."""
    folder = listed.folder / name
    if not folder.is_dir():
        return None
    count = 0
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file() or file.stat().st_size > 10 * LARGEST:
            continue
        text = file.read_bytes().decode("utf-8", errors="replace")
        path = file.relative_to(listed.folder).as_posix()
        count += 1
        for hit in (*tokens_in(text), *_known_in(text, known)):
            rows.add("built front end", path, hit)
    return count


def _history(listed: Listing, known: list[str], rows: _Rows) -> dict[str, Any]:
    """Read what every commit added, as far as time and size allow."""
    said: dict[str, Any] = {"commits": 0, "bytes": 0, "incomplete": None}
    if not listed.from_git:
        return said | {"incomplete": "it is no git repository"}
    if (git(listed.folder, "rev-parse", "--is-shallow-repository") or "").strip() == "true":
        said["incomplete"] = "the clone is shallow: fetch its whole history"
    command = ["git", "-c", "safe.directory=*", "-c", "core.quotePath=false"]
    command += ["-C", str(listed.folder), "log", "--all", "-p", "-U0", "--no-color", "--no-renames"]
    command += [
        "--no-textconv",
        "--no-ext-diff",
        "--relative",
        "--full-history",
        "-m",
        "--diff-filter=AM",
    ]
    command += ["--format=commit %h", "--", "."]
    until = time.monotonic() + HISTORY_SECONDS
    environment = own_environment(Path("/")) | {"GIT_CONFIG_NOSYSTEM": "1"}
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    try:
        assert process.stdout
        commit, path, line = "", "", 0
        while raw := process.stdout.readline(2 * LARGEST):
            said["bytes"] += len(raw)
            if time.monotonic() > until or said["bytes"] > HISTORY_BYTES:
                said["incomplete"] = f"after {said['commits']} commits time or size was used up"
                break
            text = raw.decode("utf-8", errors="replace").rstrip("\n")
            if text.startswith("commit "):
                commit, said["commits"] = text[7:], said["commits"] + 1
            elif text.startswith("+++ "):
                path = text[6:] if text.startswith("+++ b/") else ""
            elif text.startswith("@@"):
                numbers = re.findall(r"\+(\d+)", text)
                line = int(numbers[0]) if numbers else 0
            elif text.startswith("+"):
                _added(text[1:], path, line, commit, known, rows)
                line += 1
    finally:
        process.kill()
        process.wait()
    if not said["commits"]:
        said["incomplete"] = said["incomplete"] or "git shows no commit"
    return said


def _added(text: str, path: str, line: int, commit: str, known: list[str], rows: _Rows) -> None:
    if not path or LOCKS.search(path) or len(text) < 8:
        return
    hits = [*tokens_in(text, line), *build_arguments_in(path, text), *assignments_in(path, text)]
    for value in known:
        if value in text:
            hits.append(Hit(line, "secret of this environment", value))
    for hit in hits:
        rows.add("history", path, Hit(line, hit.rule, hit.value), commit)


def secrets_table(found: Evidence) -> Any:
    """A data frame: one row a finding: where, which rule, the secret's fingerprint."""
    import pandas as pd

    columns = ["where", "file", "line", "rule", "fingerprint", "commit", "allowed"]
    return pd.DataFrame(found.records, columns=columns)
