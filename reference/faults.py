"""Faults as data: each YAML file in `faults/` spoils the running demo in exactly one way.

    shows: one sentence
    flips: [ids of the checks that an audit should see turn]
    repair: true                        # optional: turns a check to PASS instead of to FAIL
    environment: {NPS_FLAW: name}       # variables of the API, which is started anew
    sql: ...                            # run by the superuser; needs `undo`
    undo: ...                           # run last, when the API is itself again
    ciphertexts:                        # values for %(name)s in `sql`
      name: {text, key: configured|other, iterations, cut_tag, nonce_of: SELECT ...}
    files:                              # changes to a copy of the repository
      - {path, content | append | replace: {old, new} | remove: true}
    reports:                            # changes to a copy of the reports
      - {path, content | replace: {pattern, with} | days_ago}
    rerun: [unit | integration]         # suites to run again in the changed copy

This module reads the files and prepares what they ask for; `stack.py` applies it and takes it back.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import yaml
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FOLDER = Path(__file__).resolve().parent / "faults"
UNCOPIED = ("__pycache__", ".pytest_cache", ".state")
OPERATIONS = ("content", "append", "replace", "remove", "days_ago")


class FaultError(RuntimeError):
    """A fault that is unknown, ill-formed, or does not fit the sources any more."""


@dataclass(frozen=True)
class Fault:
    """One way to spoil the stack, or, as a repair, to mend it."""

    name: str
    shows: str
    flips: tuple[str, ...]
    repair: bool = False
    environment: dict[str, str] = field(default_factory=dict)
    sql: str | None = None
    undo: str | None = None
    ciphertexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: tuple[dict[str, Any], ...] = ()
    reports: tuple[dict[str, Any], ...] = ()
    rerun: tuple[str, ...] = ()

    @property
    def restarts(self) -> bool:
        """Whether the API has to be started anew for it."""
        served = ("api/", "frontend/")
        return bool(self.environment) or any(f["path"].startswith(served) for f in self.files)

    @property
    def cheap(self) -> bool:
        """Whether setting it takes no more than a moment."""
        return not self.restarts and not self.rerun and not self.reports


def load(name: str) -> Fault:
    """Read one fault; an unknown key in it is an error."""
    path = FOLDER / f"{name}.yaml"
    if not path.is_file():
        raise FaultError(f"no fault {name!r}; there are: {', '.join(names())}")
    given = yaml.safe_load(path.read_text())
    lists = {k: tuple(given[k]) for k in ("flips", "files", "reports", "rerun") if k in given}
    try:
        fault = Fault(name=name, **{**given, **lists})
    except TypeError as error:
        raise FaultError(f"{path.name}: {error}") from None
    if fault.sql and not fault.undo:
        raise FaultError(f"{path.name}: sql needs an undo")
    for change in (*fault.files, *fault.reports):
        if len(change) != 2 or len(change.keys() & {"path", *OPERATIONS}) != 2:
            raise FaultError(f"{path.name}: a path and one operation, of {OPERATIONS}")
    return fault


def names() -> list[str]:
    """Every fault there is."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def seal(recipe: dict[str, Any], password: str, salt: str, database: psycopg.Connection) -> str:
    """A ciphertext that is wrong in the way that the recipe asks for.

    Written here and not borrowed from the service: it must not have the service's own opinion.
    """
    key = hashlib.pbkdf2_hmac(
        "sha256",
        (
            password if recipe.get("key", "configured") == "configured" else "another" + password
        ).encode(),
        salt.encode()[:32].ljust(32, b"\0"),
        recipe.get("iterations", 600_000),
        32,
    )
    nonce = os.urandom(12)
    if "nonce_of" in recipe:
        row = database.execute(recipe["nonce_of"]).fetchone()
        if row is None:
            raise FaultError("no row to take a nonce from")
        nonce = b64decode(row[0].removeprefix("ENC4:"))[:12]
    sealed = nonce + AESGCM(key).encrypt(nonce, recipe["text"].encode(), None)
    return "ENC4:" + b64encode(sealed[: len(sealed) - recipe.get("cut_tag", 0)]).decode()


def run_sql(statements: str, values: dict[str, str], database: psycopg.Connection) -> None:
    """Run statements in one transaction. Only with values do percent signs mean anything."""
    with database.transaction():
        for statement in (s.strip() for s in statements.split(";\n")):
            if statement:
                database.execute(statement, values or None)  # type: ignore[arg-type]


def copy_repository(source: Path, target: Path) -> Path:
    """Copy the target's repository, with its history if there is one; return its folder."""
    shutil.rmtree(target, ignore_errors=True)
    git = ["git", "-C", str(source)]
    top = subprocess.run([*git, "rev-parse", "--show-toplevel"], capture_output=True, text=True)
    folder = target / source.name
    if top.returncode == 0:
        clone = ["git", "clone", "--quiet", "--shared", "--no-checkout"]
        folder = target / source.relative_to(top.stdout.strip())
        cloned = subprocess.run([*clone, top.stdout.strip(), str(target)], capture_output=True)
        if cloned.returncode:
            shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*UNCOPIED))
    if (target / ".git").exists():
        subprocess.run(["git", "-C", str(target), "reset", "--quiet"], check=True)
    return folder


def change(folder: Path, changes: tuple[dict[str, Any], ...]) -> None:
    """Apply changes to the files of a copy. One that changes nothing is an error."""
    for wanted in changes:
        path = folder / wanted["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        if "content" in wanted:
            path.write_text(wanted["content"])
        elif "append" in wanted:
            path.write_text(path.read_text() + wanted["append"])
        elif "remove" in wanted:
            path.unlink()
        elif "days_ago" in wanted:
            then = time.time() - wanted["days_ago"] * 86_400
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(then))
            path.write_text(re.sub(r'timestamp="[^"]{19}', f'timestamp="{stamp}', path.read_text()))
            os.utime(path, (then, then))
        else:
            before = path.read_text()
            how = wanted["replace"]
            if "pattern" in how:
                after = re.sub(how["pattern"], how["with"], before, flags=re.DOTALL)
            else:
                after = before.replace(how["old"], how["new"], 1)
            if after == before:
                raise FaultError(f"{wanted['path']} holds nothing of {how}")
            path.write_text(after)
