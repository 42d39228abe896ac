"""CircleCI, Azure Pipelines, Bitbucket, Woodpecker and Drone, Travis, Buildkite, Jenkins."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import Job, Step
from .documents import listed, mapping

JENKINS_STEP = re.compile(
    r"\b(?:sh|bat|powershell)\s*\(?\s*(?:script\s*:\s*)?('''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|\"[^\"\n]*\")",
    re.S,
)
EVERYTHING = ("/.*/", "*", "**")


def circleci(document: Mapping[str, Any]) -> list[Job]:
    defined = mapping(document.get("jobs"))
    used: dict[str, str | None] = {}
    for workflow in mapping(document.get("workflows")).values():
        for entry in listed(mapping(workflow).get("jobs")):
            named = mapping(entry) or {str(entry): None}
            for name, options in named.items():
                filters = mapping(mapping(mapping(options).get("filters")).get("branches"))
                nowhere = set(map(str, listed(filters.get("ignore")))) & set(EVERYTHING)
                scheduled = bool(mapping(workflow).get("triggers"))
                why = "scheduled only" if scheduled else "no branch" if nowhere else None
                if str(name) not in used or why is None:
                    used[str(name)] = why
    if not document.get("workflows"):
        used = dict.fromkeys(map(str, defined)) if "build" not in defined else {"build": None}
    found = []
    for name, why in used.items():
        job = Job(name, True, ["push"], off=why)
        for step in map(mapping, listed(mapping(defined.get(name)).get("steps"))):
            run = step.get("run")
            options = mapping(run)
            script = options.get("command") if options else run
            if script:
                place = str(options.get("working_directory") or "")
                job.steps.append(Step(str(script), place, pipefail=True))
        if name not in defined:
            job.unseen.append(f"orb job {name}")
        found.append(job)
    return found


def azure(document: Mapping[str, Any]) -> list[Job]:
    on_push = document.get("trigger", "every branch") != "none"
    triggers = ["push"] if on_push else []
    found = []

    def walk(node: Mapping[str, Any], name: str, off: str | None) -> None:
        off = off or ("condition: false" if _no(node.get("condition", True)) else None)
        job = Job(name, on_push, triggers, off=off)
        for step in map(mapping, listed(node.get("steps"))):
            script = step.get("script") or step.get("bash") or step.get("pwsh")
            inputs = " ".join(str(v) for v in mapping(step.get("inputs")).values())
            task = str(step.get("task") or "").split("@")[0]
            runs = task if task == "VSTest" else None
            if task == "DotNetCoreCLI" and inputs.split()[:1] == ["test"]:
                runs = "dotnet test"
            if task in ("Maven", "Gradle", "Npm"):
                script = f"{task.lower().replace('maven', 'mvn')} {inputs}"
            if script or runs:
                skipped = _no(step.get("enabled", True)) or _no(step.get("condition", True))
                lenient = str(step.get("continueOnError")).lower() == "true"
                job.steps.append(
                    Step(
                        str(script or ""),
                        str(step.get("workingDirectory") or ""),
                        off="switched off" if skipped else None,
                        ignored="continueOnError" if lenient else None,
                        errexit=False,
                        runs=runs,
                    )
                )
            if step.get("template"):
                job.unseen.append(str(step["template"]))
        if job.steps or job.unseen:
            found.append(job)
        for key in ("stages", "jobs"):
            for inner in map(mapping, listed(node.get(key))):
                walk(inner, str(inner.get("stage") or inner.get("job") or name), off)

    walk(document, "pipeline", None)
    return found


def bitbucket(document: Mapping[str, Any]) -> list[Job]:
    pipelines = mapping(document.get("pipelines"))
    found = []
    for kind, raw in pipelines.items():
        named = mapping(raw) if isinstance(raw, dict) else {str(kind): raw}
        for name, entries in named.items():
            on_push = kind in ("default", "branches")
            job = Job(f"{kind} {name}" if name != kind else name, on_push, [str(kind)])
            job.steps = [
                Step("\n".join(str(line) for line in listed(step.get("script"))))
                for step in _bitbucket_steps(entries)
                if step.get("trigger") != "manual"
            ]
            found.append(job)
    return found


def _bitbucket_steps(entries: Any) -> Iterator[Mapping[str, Any]]:
    for entry in listed(entries):
        for key, value in mapping(entry).items():
            if key == "step":
                yield mapping(value)
            elif key in ("parallel", "stage"):
                yield from _bitbucket_steps(mapping(value).get("steps", value))


def woodpecker(document: Mapping[str, Any]) -> list[Job]:
    given = document.get("steps") or document.get("pipeline") or {}
    named = given if isinstance(given, dict) else {
        str(mapping(s).get("name") or n): s for n, s in enumerate(listed(given))
    }  # fmt: skip
    trigger = document.get("when", document.get("trigger"))
    job = Job("steps", _woodpecker_push(trigger), _events(trigger) or ["push"])
    for step in map(mapping, named.values()):
        off = None if _woodpecker_push(step.get("when")) else "not on a push"
        lenient = "failure: ignore" if step.get("failure") == "ignore" else None
        script = "\n".join(str(line) for line in listed(step.get("commands")))
        job.steps.append(Step(script, off=off, ignored=lenient))
    return [job]


def _events(when: Any) -> list[str]:
    return [str(e) for one in listed(when) for e in listed(mapping(one).get("event"))]


def _woodpecker_push(when: Any) -> bool:
    events = _events(when)
    return not events or "push" in events


def travis(document: Mapping[str, Any]) -> list[Job]:
    excluded = set(map(str, listed(mapping(document.get("branches")).get("except"))))
    lines = [str(line) for line in listed(document.get("script"))]
    job = Job("script", not excluded & set(EVERYTHING), ["push"])
    job.steps = [Step(line, errexit=False) for line in lines]
    return [job]


def buildkite(document: Any) -> list[Job]:
    steps = document.get("steps") if isinstance(document, dict) else document
    job = Job("steps", None, ["as set up in Buildkite"])
    for step in map(mapping, listed(steps)):
        inner = [mapping(s) for s in listed(step.get("steps"))] or [step]
        for one in inner:
            script = "\n".join(str(c) for c in listed(one.get("command") or one.get("commands")))
            lenient = "soft_fail" if str(one.get("soft_fail")).lower() == "true" else None
            off = "skip" if one.get("skip") not in (None, False, "") else None
            job.steps.append(Step(script, off=off, ignored=lenient))
    return [job]


def jenkins(text: str) -> list[Job]:
    """A Jenkinsfile, which is a program: its shell steps are found by their form."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"(^|\s)//[^\n]*", r"\1", text)
    on_push = True if re.search(r"\b(githubPush|pollSCM|gitlab|GenericTrigger)\b", text) else None
    job = Job("pipeline", on_push, ["as set up in Jenkins"] if on_push is None else ["push"])
    lenient = bool(re.search(r"\bcatchError\b|returnStatus\s*:\s*true", text))
    for quoted in JENKINS_STEP.findall(text):
        script = quoted.strip("'\"")
        ignored = "catchError or returnStatus" if lenient else None
        job.steps.append(Step(script, ignored=ignored))
    return [job]


def _no(value: Any) -> bool:
    return str(value).lower() in ("false", "never()")
