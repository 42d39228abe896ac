"""The pipelines of the repository: what they run when something is pushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Target, need
from .pipelines import Job, Repository, github, gitlab, others
from .pipelines.documents import mapping, parsed
from .pipelines.runners import Run, runs_in

Reader = Callable[[Repository, str, Any], list[Job]]
MOST_FILES = 200


def _mapped(read: Callable[[Any], list[Job]]) -> Reader:
    return lambda repository, file, document: read(mapping(document))


# Where a pipeline is described: system, files (with *), reader; None: the file is no YAML.
PLACES: list[tuple[str, list[str], Reader | None]] = [
    (
        github.SYSTEM,
        [f"{folder}/*.{ending}" for folder in github.FOLDERS for ending in ("yml", "yaml")],
        lambda repository, file, document: github.jobs(repository, file, mapping(document)),
    ),
    (
        gitlab.SYSTEM,
        [gitlab.FILE],
        lambda repository, file, document: gitlab.jobs(repository, file, mapping(document)),
    ),
    ("CircleCI", [".circleci/config.yml"], _mapped(others.circleci)),
    ("Azure Pipelines", ["azure-pipelines.yml", ".azure-pipelines/*.yml"], _mapped(others.azure)),
    ("Bitbucket", ["bitbucket-pipelines.yml"], _mapped(others.bitbucket)),
    (
        "Woodpecker",
        [".woodpecker.yml", ".woodpecker.yaml", ".woodpecker/*.yml", ".woodpecker/*.yaml"],
        _mapped(others.woodpecker),
    ),
    ("Drone", [".drone.yml"], _mapped(others.woodpecker)),
    ("Travis CI", [".travis.yml"], _mapped(others.travis)),
    (
        "Buildkite",
        [".buildkite/pipeline.yml", ".buildkite/pipeline.yaml"],
        lambda repository, file, document: others.buildkite(document),
    ),
    ("Jenkins", ["Jenkinsfile"], None),
]


@source("passive")
def jobs(target: Target) -> Collected:
    """One row for each job of each pipeline: when it runs, and which tests it runs."""
    root = need(target.repository, "target.repository").folder
    if not root.is_dir():
        raise NotMeasured(Reason.UNREACHABLE, "target.repository.path is not a folder")
    if not any(root.iterdir()):
        raise NotMeasured(Reason.NO_SAMPLES, "the repository is empty")
    repository = Repository(root)
    records: list[dict[str, Any]] = []
    problems: list[dict[str, str]] = []
    files = []
    for system, patterns, read in PLACES:
        paths = sorted({path for pattern in patterns for path in root.glob(pattern)})[:MOST_FILES]
        for path in paths:
            file = path.relative_to(root).as_posix()
            files.append(file)
            try:
                found = _read(repository, file, read)
            except ValueError as broke:
                problems.append({"file": file, "problem": str(broke)})
                continue
            records += [_record(repository, system, file, job) for job in found]
    facts = {
        "places": [pattern for _, patterns, _ in PLACES for pattern in patterns],
        "files": files,
        "problems": problems,
    }
    return Collected(records, facts)


def _read(repository: Repository, file: str, read: Reader | None) -> list[Job]:
    text = repository.read(file)
    if text is None:
        raise ValueError("cannot be read")
    if read is None:
        return others.jenkins(text)
    try:
        return read(repository, file, parsed(text))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _record(repository: Repository, system: str, file: str, job: Job) -> dict[str, Any]:
    tests, without_effect = [], []
    for step in job.steps:
        found = (
            [Run(step.runs)]
            if step.runs
            else runs_in(
                step.script,
                repository,
                step.folder,
                pipefail=step.pipefail,
                errexit=step.errexit,
            )
        )
        for run in found:
            why = step.off or step.ignored or run.ignored
            if why:
                without_effect.append({"test": run.what, "why": why})
            else:
                tests.append(run.what)
    return {
        "system": system,
        "file": file,
        "job": job.name,
        "triggers": job.triggers,
        "on_push": job.on_push,
        "off": job.off,
        "tests": tests,
        "without_effect": without_effect,
        "unseen": job.unseen,
    }


def jobs_table(jobs: Evidence) -> Any:
    """A data frame: one row a job, with what it tests."""
    import pandas as pd

    rows = [
        {
            "pipeline": r["file"],
            "job": r["job"],
            "started by": ", ".join(r["triggers"]),
            "runs on push": "no" if r["off"] else {True: "yes", False: "no"}.get(r["on_push"], "?"),
            "tests": ", ".join(r["tests"]) or "—",
            "without effect": ", ".join(f"{w['test']} ({w['why']})" for w in r["without_effect"])
            or (r["off"] or "—"),
        }
        for r in jobs.records
    ]
    columns = ["pipeline", "job", "started by", "runs on push", "tests", "without effect"]
    return pd.DataFrame(rows, columns=columns)
