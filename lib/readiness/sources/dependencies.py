"""Known vulnerabilities of what the target is built from: pip-audit and npm audit over its locks.

A package that was skipped, a version that nothing pins, or an advisory service that did not answer
is counted and told; none of them is a clean bill.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Dependencies, Target, need
from .program import Done, run
from .repository_files import TESTS, Listing, listing

TIMEOUT_S = 300
KEPT = 20_000_000  # bytes of a report
SERVICE_TIMEOUT_S = 10
PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*==\s*([\w.!+-]+)")
LOCKS = ("poetry.lock", "uv.lock", "pdm.lock", "pylock.toml", "Pipfile.lock")
REQUIREMENTS = re.compile(r"(^|/)requirements[^/]*\.(txt|lock)$|(^|/)constraints\.txt$")
UNKNOWN = "unknown"  # severity: pip-audit tells none


@source("passive")
def advisories(target: Target) -> Collected:
    """One row for each manifest, with the packages that were looked up and what is known of them.

    ``gap`` says why a manifest was not looked up, or not in full; ``skipped`` counts packages.
    """
    repository = need(target.repository, "target.repository")
    wanted = repository.dependencies
    listed = listing(target)
    python = wanted.python or [p for p in listed.paths if _is_python(p) and not TESTS.search(p)]
    npm = wanted.npm or [
        str(Path(p).parent)
        for p in listed.paths
        if Path(p).name == "package-lock.json" and not TESTS.search(p)
    ]
    records = [_python(listed, path, wanted) for path in python]
    records += [_npm(listed, folder, wanted) for folder in npm]
    records += list(_unlocked(listed, python, npm))
    if not records:
        raise NotMeasured(Reason.NO_SAMPLES, "there is no manifest of Python or npm packages")
    return Collected(records, {"others": _others(listed)})


def _is_python(path: str) -> bool:
    return Path(path).name in LOCKS or REQUIREMENTS.search(path) is not None


def _row(manifest: str, kind: str) -> dict[str, Any]:
    row: dict[str, Any] = {"manifest": manifest, "kind": kind, "packages": 0, "skipped": 0}
    return row | {"vulnerable": [], "gap": None, "reason": None}


def _unlocked(listed: Listing, python: list[str], npm: list[str]) -> Iterator[dict[str, Any]]:
    """Projects whose packages nothing pins: which versions they run is not known."""
    locked = {str(Path(p).parent) for p in python} | set(npm)
    for path in listed.paths:
        name, folder = Path(path).name, str(Path(path).parent)
        if TESTS.search(path) or folder in locked:
            continue
        text = listed.text(path) or "" if name in ("pyproject.toml", "package.json") else ""
        if re.search(r"(?m)^dependencies\s*=\s*\[\s*[\"'\n]", text) or '"dependencies"' in text:
            row = _row(path, "python" if name == "pyproject.toml" else "npm")
            why = "no lock file: nothing says which versions are run"
            yield row | {"gap": why, "reason": Reason.INCONCLUSIVE}


def _others(listed: Listing) -> list[str]:
    """Manifests of other ecosystems, which are not looked at."""
    names = {"Cargo.lock", "go.sum", "Gemfile.lock", "composer.lock", "pom.xml", "build.gradle"}
    return [p for p in listed.paths if Path(p).name in names]


def _python(listed: Listing, path: str, wanted: Dependencies) -> dict[str, Any]:
    row = _row(path, "python")
    text = listed.text(path)
    if text is None:
        return row | {"gap": "is not there", "reason": Reason.NO_PARAMETER}
    try:
        pins, unpinned = _pins(path, text)
    except (ValueError, TypeError, KeyError):
        return row | {"gap": "cannot be read", "reason": Reason.INCONCLUSIVE}
    row |= {"packages": len(pins), "skipped": unpinned}
    if not pins:
        return row | {"gap": "pins nothing", "reason": Reason.INCONCLUSIVE}
    own = Path(sys.executable).with_name("pip-audit")
    with tempfile.TemporaryDirectory(prefix="readiness-pip-audit-") as folder:
        pinned, report = Path(folder, "requirements.txt"), Path(folder, "report.json")
        pinned.write_text("".join(f"{n}=={v}\n" for n, v in pins.items()), encoding="utf-8")
        command = [str(own) if own.is_file() else "pip-audit", "--strict", "--no-deps"]
        command += ["--disable-pip", "--format", "json", "--progress-spinner", "off"]
        command += ["--timeout", str(SERVICE_TIMEOUT_S), "--output", str(report)]
        command += ["--cache-dir", str(Path(folder, "cache")), "-r", str(pinned)]
        if wanted.osv_url:
            command += ["--vulnerability-service", "osv", "--osv-url", wanted.osv_url.value()]
        try:
            done = run(command, environment={}, timeout_s=TIMEOUT_S, folder=Path(folder))
        except NotMeasured as gap:
            return row | {"gap": str(gap), "reason": gap.reason}
        return row | _read_pip_audit(report, done, len(pins), unpinned)


def _pins(path: str, text: str) -> tuple[dict[str, str], int]:
    """Packages with their versions, and how many have none that is fixed."""
    name = Path(path).name
    if name == "Pipfile.lock":
        packages = json.loads(text)["default"]
        return {n: p["version"].lstrip("=") for n, p in packages.items() if "version" in p}, 0
    if name in LOCKS:
        content = tomllib.loads(text)
        found = content.get("package") or content.get("packages") or []
        # What lies in the repository itself, as the project does in its own lock, is nobody's.
        pins = {p["name"]: p["version"] for p in found if "version" in p and not _is_own(p)}
        return pins, 0
    pins, unpinned = {}, 0
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if not line or line.startswith(("#", "-", "--")):
            unpinned += line.startswith(("-e", "--editable"))
        elif match := PINNED.match(line):
            pins[match[1]] = match[2]
        else:
            unpinned += 1
    return pins, unpinned


def _is_own(package: dict[str, Any]) -> bool:
    origin = package.get("source")
    return isinstance(origin, dict) and bool({"editable", "virtual", "directory"} & set(origin))


def _read_pip_audit(report: Path, done: Done, wanted: int, unpinned: int) -> dict[str, Any]:
    said = done.errors.strip().splitlines()
    try:
        content = json.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        why = next((line for line in reversed(said) if "ERROR" in line or "Error" in line), "")
        ended = "took too long" if done.returncode is None else f"ended with {done.returncode}"
        gap = f"pip-audit {ended}, so no advisory was looked up in full"
        told = re.sub(r"https?://\S+", "the advisory service", why)[:200]
        return {"gap": f"{gap}: {told}" if told else gap, "reason": Reason.UNREACHABLE}
    packages = content.get("dependencies", [])
    skipped = [p for p in packages if "skip_reason" in p]
    vulnerable = [
        {
            "package": f"{p['name']} {p['version']}",
            "advisory": v["id"],
            "severity": UNKNOWN,
            "fixed_in": ", ".join(v.get("fix_versions", [])),
        }
        for p in packages
        for v in p.get("vulns", [])
    ]
    looked_up = len(packages) - len(skipped)
    missing = wanted - looked_up + unpinned
    lost = f"{missing} packages were not looked up" if missing > 0 else None
    return {
        "packages": looked_up,
        "skipped": max(missing, 0),
        "vulnerable": vulnerable,
        "gap": lost,
        "reason": Reason.INCONCLUSIVE if lost else None,
    }


def _npm(listed: Listing, name: str, wanted: Dependencies) -> dict[str, Any]:
    row = _row(f"{name}/package-lock.json".removeprefix("./"), "npm")
    with tempfile.TemporaryDirectory(prefix="readiness-npm-") as folder:
        try:  # a copy without the .npmrc of the target, which may send its questions elsewhere
            for file in ("package.json", "package-lock.json"):
                shutil.copyfile(listed.folder / name / file, Path(folder, file))
        except OSError:
            return row | {"gap": "package.json or its lock is missing", "reason": Reason.NO_SAMPLES}
        command = ["npm", "audit", "--json", "--package-lock-only", "--ignore-scripts"]
        command += ["--fetch-retries", "0", "--fetch-timeout", str(SERVICE_TIMEOUT_S * 1000)]
        if wanted.npm_registry:
            command += ["--registry", wanted.npm_registry.value()]
        try:
            done = run(command, environment={}, timeout_s=TIMEOUT_S, folder=Path(folder), kept=KEPT)
        except NotMeasured as gap:
            return row | {"gap": str(gap), "reason": gap.reason}
    try:
        content = json.loads(done.output)
        counts = content["metadata"]["dependencies"]["total"]
        found = content["vulnerabilities"]
    except (ValueError, KeyError, TypeError):
        silent = "npm audit got no answer from the advisory service"
        return row | {"gap": silent, "reason": Reason.UNREACHABLE}
    vulnerable = [
        {
            "package": package,
            "advisory": str(via.get("url") or via.get("source")),
            "severity": str(via.get("severity", one.get("severity", UNKNOWN))),
            "fixed_in": "" if one.get("fixAvailable") is False else "a later version",
        }
        for package, one in found.items()
        for via in one.get("via", [])
        if isinstance(via, dict)
    ]
    return row | {"packages": counts, "vulnerable": vulnerable}


def manifests_table(advisories: Evidence) -> Any:
    """A data frame: one row a manifest: packages, those not looked up, vulnerabilities."""
    import pandas as pd

    rows = [
        {
            "manifest": r["manifest"],
            "packages": r["packages"],
            "not looked up": r["skipped"],
            "advisories": len(r["vulnerable"]),
            "note": r["gap"] or "",
        }
        for r in advisories.records
    ]
    return pd.DataFrame(rows)
