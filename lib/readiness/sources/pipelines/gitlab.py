"""GitLab CI: jobs with their templates, rules and includes, as a push to a branch sees them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import Job, Repository, Step
from .documents import Reference, listed, mapping, parsed

FILE = ".gitlab-ci.yml"
SYSTEM = "GitLab CI"
RESERVED = {"stages", "variables", "include", "default", "workflow", "image", "services", "cache",
            "before_script", "after_script", "spec", "types"}  # fmt: skip
NOT_A_PUSH = {"tags", "merge_requests", "schedules", "triggers", "web", "api", "external",
              "pipelines", "chat", "external_pull_requests"}  # fmt: skip
MOST_FILES = 20


def jobs(repository: Repository, file: str, document: Mapping[str, Any]) -> list[Job]:
    unseen: list[str] = []
    merged = _with_includes(repository, document, unseen, [file])
    off = _off_by_rules(listed(mapping(merged.get("workflow")).get("rules")))
    found = []
    for name, raw in merged.items():
        if name in RESERVED or str(name).startswith(".") or not isinstance(raw, dict):
            continue
        job = _inherited(merged, raw, 0)
        made = Job(str(name), True, ["push"], off=off or _off(job))
        ignored = "allow_failure" if str(job.get("allow_failure")).lower() == "true" else None
        before = job.get("before_script", _default(merged, "before_script"))
        script = "\n".join(_lines(merged, before) + _lines(merged, job.get("script")))
        made.steps = [Step(script, ignored=ignored, pipefail=True)]  # as the runner's shell is set
        found.append(made)
    if unseen:
        found.append(Job("include", True, ["push"], off=off, unseen=unseen))
    return found


def _with_includes(
    repository: Repository, document: Mapping[str, Any], unseen: list[str], seen: list[str]
) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for include in listed(document.get("include")):
        name = include if isinstance(include, str) else mapping(include).get("local")
        local = str(name or "").lstrip("/")
        text = repository.read(local) if local and "://" not in local else None
        if text is None or len(seen) >= MOST_FILES:
            other = next((f"{k}: {v}" for k, v in mapping(include).items()), str(include))
            unseen.append(other[:120])
        elif local not in seen:
            seen.append(local)
            inner = _with_includes(repository, mapping(_lenient(text)), unseen, seen)
            merged = _over(merged, inner)
    return _over(merged, document)


def _lenient(text: str) -> Any:
    try:
        return parsed(text)
    except ValueError:
        return {}


def _over(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        both = isinstance(known, dict) and isinstance(value, dict)
        merged[key] = _over(mapping(known), value) if both else value
    return merged


def _inherited(merged: Mapping[str, Any], job: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """A job over what it ``extends``."""
    result: dict[str, Any] = {}
    for name in listed(job.get("extends")) if depth < 11 else []:
        result = _over(result, _inherited(merged, mapping(merged.get(str(name))), depth + 1))
    return _over(result, job)


def _default(merged: Mapping[str, Any], key: str) -> Any:
    return mapping(merged.get("default")).get(key, merged.get(key))


def _lines(merged: Mapping[str, Any], script: Any, depth: int = 0) -> list[str]:
    if isinstance(script, Reference) and depth < 11:
        value: Any = merged
        for key in script:
            value = mapping(value).get(str(key))
        return _lines(merged, value, depth + 1)
    if isinstance(script, list):
        return [line for one in script for line in _lines(merged, one, depth + 1)]
    return [] if script is None else [str(script)]


def _off(job: Mapping[str, Any]) -> str | None:
    """Why a job does not run on a push to a branch."""
    if job.get("rules"):
        return _off_by_rules(listed(job["rules"]))
    if job.get("when") in ("manual", "never"):
        return f"when: {job['when']}"
    if (only := _refs(job.get("only"))) and set(only) <= NOT_A_PUSH:
        return f"only: {', '.join(only)}"
    if {"branches", "pushes"} & set(_refs(job.get("except"))):
        return "except: pushes"
    return None


def _refs(given: Any) -> list[str]:
    return [str(ref) for ref in listed(given.get("refs") if isinstance(given, dict) else given)]


def _off_by_rules(rules: list[Any]) -> str | None:
    """The first rule that applies decides; without one the job does not run."""
    if not rules:
        return None
    for rule in map(mapping, rules):
        condition = rule.get("if")
        if condition is not None and not _may_hold(str(condition)):
            continue
        when = str(rule.get("when") or "on_success")
        if when == "never" and condition is not None and not _surely_holds(str(condition)):
            continue
        return f"when: {when}" if when in ("never", "manual") else None
    return "no rule lets it run on a push"


def _may_hold(condition: str) -> bool:
    """Whether a condition can be true in the pipeline of a push to a branch."""
    if "||" in condition:
        return any(_may_hold(part) for part in condition.split("||"))
    for operator, value in re.findall(r"CI_PIPELINE_SOURCE\s*(==|!=)\s*[\"'](\w+)[\"']", condition):
        if (operator == "==") != (value == "push"):
            return False
    absent = r"\$CI_(COMMIT_TAG|MERGE_REQUEST_\w+|PIPELINE_SCHEDULE_\w+)\b(?!\s*==\s*null)"
    return not re.search(absent, condition)


def _surely_holds(condition: str) -> bool:
    return bool(re.fullmatch(r"\s*\$CI_PIPELINE_SOURCE\s*==\s*[\"']push[\"']\s*", condition))
