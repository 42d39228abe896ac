"""The manifest of a run: the digest and size of every file, and what differs from it.

The one part of a run that changes as people sign are the sign-off blocks of ``assessment.html``:
the manifest holds the digest of the page with those blocks empty. So signers do not invalidate each
other and no byte escapes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .report.render import empty_sign_off

SCHEMA = "readiness/manifest/v1"
MANIFEST, ATTESTATION, PAGE = "manifest.json", "attestation.json", "assessment.html"


def write_manifest(run: Path) -> None:
    """Write ``manifest.json`` over every other file of the run."""
    files = {name: _entry(run, name) for name in _files(run)}
    content = {"schema": SCHEMA, "run": run.name.removeprefix("."), "files": files}
    (run / MANIFEST).write_bytes(canonical(content))


def changed_files(run: Path) -> list[str]:
    """Every file that is missing, added or changed against the manifest."""
    try:
        content = (run / MANIFEST).read_bytes()
        manifest = json.loads(content)
        listed: dict[str, Any] = manifest["files"]
        if content != canonical(manifest) or manifest["schema"] != SCHEMA:
            return [f"{MANIFEST}: changed"]
    except FileNotFoundError:
        return [f"{MANIFEST}: missing"]
    except (OSError, ValueError, KeyError, TypeError):
        return [f"{MANIFEST}: cannot be read"]
    present = set(_files(run))
    problems = [f"{name}: missing" for name in sorted(set(listed) - present)]
    problems += [f"{name}: added" for name in sorted(present - set(listed))]
    for name in sorted(present & set(listed)):
        if _entry(run, name) != listed[name]:
            problems.append(f"{name}: changed")
    return problems


def _files(run: Path) -> list[str]:
    """Every file below the run but the manifest and the attestation, also hidden ones."""
    names = (str(p.relative_to(run)) for p in run.rglob("*") if p.is_file() or p.is_symlink())
    return sorted(name for name in names if name not in (MANIFEST, ATTESTATION))


def _entry(run: Path, name: str) -> dict[str, Any]:
    path = run / name
    if path.is_symlink():
        return {"sha256": "a symbolic link", "size": 0}
    content = path.read_bytes()
    if name == PAGE:
        text = content.decode("utf-8", errors="surrogateescape")
        content = empty_sign_off(text).encode("utf-8", errors="surrogateescape")
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def canonical(content: object) -> bytes:
    """The one way this tool writes a JSON file that is signed or checked byte by byte."""
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
