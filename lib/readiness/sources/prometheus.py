"""Prometheus' configuration: whether it holds, and what it would scrape."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ..target import Target, need
from .program import run

LARGEST_FILE = 1_000_000  # bytes
PROMTOOL_SECONDS = 30.0
KNOWN = {
    "global",
    "runtime",
    "rule_files",
    "scrape_configs",
    "scrape_config_files",
    "alerting",
    "remote_write",
    "remote_read",
    "storage",
    "tracing",
    "otlp",
}
ADDRESS = re.compile(r"^[^\s/]+$")  # host:port, without scheme or path


def configuration(target: Target, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The configuration file ``name`` of the repository, and the programs that read it.

    promtool judges its syntax where it is installed; its rule and secret files, which may stand
    elsewhere in production, are not asked for.
    """
    file = need(target.repository, "target.repository").folder / name
    read: dict[str, Any] = {"file": name, "problem": None, "jobs": [], "included": False}
    tools: dict[str, str] = {}
    try:
        text = file.read_text(encoding="utf-8")[:LARGEST_FILE]
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as broke:
        return read | {"problem": f"cannot be read: {getattr(broke, 'strerror', broke)}"}, tools
    except (yaml.YAMLError, ValueError) as broke:
        return read | {"problem": f"is no YAML: {' '.join(str(broke).split())[:200]}"}, tools
    read["problem"] = _problem(content)
    if not read["problem"]:
        read["jobs"] = [_job(job) for job in content.get("scrape_configs") or []]
        read["included"] = bool(content.get("scrape_config_files"))
    if promtool := shutil.which("promtool"):
        tools["promtool"], said = _promtool(promtool, file)
        read["problem"] = read["problem"] or said
    return read, tools


def _promtool(promtool: str, file: Path) -> tuple[str, str | None]:
    """promtool's version and what it has against the file."""
    with tempfile.TemporaryDirectory(prefix="readiness-promtool-") as folder:
        there = Path(folder)
        about = run([promtool, "--version"], environment={}, timeout_s=10, folder=there)
        command = [promtool, "check", "config", "--syntax-only", str(file.resolve())]
        done = run(command, environment={}, timeout_s=PROMTOOL_SECONDS, folder=there)
    version = (re.findall(r"version (\S+?),? ", about.output + about.errors) or ["unknown"])[0]
    if done.returncode == 0:
        return version, None
    said = [line for line in (done.errors + done.output).splitlines() if line.strip()]
    words = " ".join(" ".join(said).split()).replace(str(file.resolve()), file.name)
    return version, f"promtool: {words[:300] or 'no answer in time'}"


def _problem(content: Any) -> str | None:
    """What can be seen to be wrong without promtool."""
    if not isinstance(content, dict):
        return "is no mapping"
    if unknown := set(map(str, content)) - KNOWN:
        return f"has unknown keys: {', '.join(sorted(unknown))}"
    jobs = content.get("scrape_configs") or []
    if not isinstance(jobs, list) or not all(isinstance(job, dict) for job in jobs):
        return "scrape_configs is no list of jobs"
    names = [str(job.get("job_name") or "") for job in jobs]
    if "" in names:
        return "has a job without job_name"
    if twice := sorted({name for name in names if names.count(name) > 1}):
        return f"has two jobs called {', '.join(twice)}"
    for job in jobs:
        groups = job.get("static_configs") or []
        if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
            return f"job {job['job_name']}: static_configs is no list of groups"
        targets = [target for group in groups for target in group.get("targets") or []]
        if bad := [t for t in targets if not isinstance(t, str) or not ADDRESS.match(t)]:
            return f"job {job['job_name']}: {str(bad[0])[:80]!r} is no host:port"
    return None


def _job(job: dict[str, Any]) -> dict[str, Any]:
    groups = job.get("static_configs") or []
    discovery = [key for key in job if key.endswith("_sd_configs") and job[key]]
    return {
        "job": str(job["job_name"]),
        "path": str(job.get("metrics_path") or "/metrics"),
        "targets": [target for group in groups for target in group.get("targets") or []],
        "discovery": sorted(discovery),
    }
