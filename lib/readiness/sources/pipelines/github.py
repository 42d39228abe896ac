"""GitHub Actions, and Gitea and Forgejo, which read the same files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import join, normpath
from typing import Any

from . import Job, Repository, Step
from .documents import listed, mapping, parsed

FOLDERS = (".github/workflows", ".forgejo/workflows", ".gitea/workflows")
SYSTEM = "GitHub Actions"
TESTING_ACTIONS = ("cypress-io/github-action@", "pavelzw/pytest-action@")
NEVER = {"false", "0", "''", '""', "null"}
MOST_CALLS = 3  # a workflow that calls a workflow ...


def jobs(repository: Repository, file: str, document: Mapping[str, Any]) -> list[Job]:
    """The jobs of one workflow, those of reusable workflows of this repository included."""
    triggers, on_push = _triggers(document.get("on"))
    found = []
    for name, raw in mapping(document.get("jobs")).items():
        found += _job(repository, document, str(name), mapping(raw), triggers, on_push, 0)
    off = {job.name: job.off for job in found if job.off}
    for job in found:
        needs = listed(mapping(mapping(document.get("jobs")).get(job.name)).get("needs"))
        if skipped := [n for n in map(str, needs) if n in off]:
            job.off = job.off or f"needs {skipped[0]}, which is skipped"
    return found


def _triggers(given: Any) -> tuple[list[str], bool]:
    """The events that start a workflow, and whether a push to a branch is one of them."""
    events = mapping(given) if isinstance(given, dict) else dict.fromkeys(map(str, listed(given)))
    push = mapping(events.get("push"))
    tags_only = ("tags" in push or "tags-ignore" in push) and not (
        "branches" in push or "branches-ignore" in push
    )
    nowhere = {"*", "**"} & set(map(str, listed(push.get("branches-ignore"))))
    of_branches = "push" in events and not tags_only and not nowhere
    push_is = "push" if of_branches else "push of tags" if tags_only else "push to no branch"
    return [push_is if e == "push" else str(e) for e in events], of_branches


def _job(
    repository: Repository,
    document: Mapping[str, Any],
    name: str,
    raw: Mapping[str, Any],
    triggers: list[str],
    on_push: bool,
    calls: int,
) -> list[Job]:
    job = Job(name, on_push, triggers, off=_off(raw.get("if")))
    if called := raw.get("uses"):
        return _called(repository, str(called), job, calls)
    folders = [_folder(mapping(scope.get("defaults"))) for scope in (document, raw)]
    shells = [_shell(mapping(scope.get("defaults"))) for scope in (document, raw)]
    lenient = "continue-on-error of the job" if _true(raw.get("continue-on-error")) else None
    for given in listed(raw.get("steps")):
        step = mapping(given)
        place = str(step.get("working-directory") or folders[1] or folders[0])
        shell = str(step.get("shell") or shells[1] or shells[0])
        found = _steps(repository, step, place, shell, 0)
        for one in found:
            one.off = one.off or _off(step.get("if"))
            if _true(step.get("continue-on-error")):
                one.ignored = "continue-on-error"
            one.ignored = one.ignored or lenient
        job.steps += found
    return [job]


def _called(repository: Repository, name: str, caller: Job, calls: int) -> list[Job]:
    """The jobs of a reusable workflow, as one that calls it sees them."""
    text = repository.read(normpath(name)) if name.startswith("./") else None
    document = mapping(parsed(text)) if text else {}
    if not document or calls >= MOST_CALLS:
        caller.unseen.append(name)
        return [caller]
    found = []
    for inner, raw in mapping(document.get("jobs")).items():
        called = f"{caller.name} / {inner}"
        found += _job(
            repository, document, called, mapping(raw), caller.triggers,
            bool(caller.on_push), calls + 1,
        )  # fmt: skip
    for job in found:
        job.off = caller.off or job.off
    return found


def _steps(
    repository: Repository, step: Mapping[str, Any], place: str, shell: str, calls: int
) -> list[Step]:
    if script := step.get("run"):
        # Without a shell named, bash is started without pipefail; named, with it.
        pipefail = shell == "bash" or "pipefail" in shell
        return [Step(str(script), place, pipefail=pipefail)]
    action = str(step.get("uses") or "")
    if action.startswith(TESTING_ACTIONS):
        return [Step(runs=action.split("@")[0])]
    if not action.startswith("./") or calls >= MOST_CALLS:
        return []
    texts = (repository.read(normpath(join(action, f"action.{e}"))) for e in ("yml", "yaml"))
    runs = mapping(mapping(parsed(next((t for t in texts if t), ""))).get("runs"))
    found = []
    for inner in listed(runs.get("steps")):
        one = mapping(inner)
        inner_place = str(one.get("working-directory") or place)
        found += _steps(repository, one, inner_place, str(one.get("shell") or ""), calls + 1)
    return found


def _folder(defaults: Mapping[str, Any]) -> str:
    return str(mapping(defaults.get("run")).get("working-directory") or "")


def _shell(defaults: Mapping[str, Any]) -> str:
    return str(mapping(defaults.get("run")).get("shell") or "")


def _true(value: Any) -> bool:
    return str(value).lower().strip("${ }") == "true"


def _off(condition: Any) -> str | None:
    """Why a condition keeps something from running on a push to a branch, where that is plain."""
    if condition is None:
        return None
    said = re.sub(r"^\$\{\{|\}\}$", "", str(condition).strip()).strip()
    if said.lower() in NEVER:
        return "if: false"
    if "||" in said:
        return None
    for operator, event in re.findall(r"github\.event_name\s*(==|!=)\s*'(\w+)'", said):
        if (operator == "==") != (event == "push"):
            return f"runs only if {said[:60]}"
    if re.search(r"(?<!!)startsWith\(\s*github\.ref\s*,\s*'refs/tags", said):
        return "runs for tags only"
    if re.fullmatch(r"(failure|cancelled)\(\)", said):
        return "runs after a failure only"
    return None
