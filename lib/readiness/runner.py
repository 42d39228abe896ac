"""A run: notebooks over an executor, findings to a decision, a folder that is published whole.

A run is written under a hidden name and renamed when it is complete, so that nobody reads half of
one; a killed run leaves ``latest`` as it was.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from . import decision, manifest, postgresql, record, scratch, standing, validity, waivers
from . import policy as policies
from .audit import unanswered
from .check import catalogue, criteria_problems
from .documents import ROOT, ParameterError
from .execution import cards, conclusion, run_one
from .finding import AREAS, Finding, now
from .fingerprint import fingerprints
from .history import retention
from .parameters import Parameters, environments, read
from .report import render
from .variables import Secret, keep_secret, redact

NOTEBOOKS = ROOT / "notebooks"
ALONE = ("performance",)  # measured with nothing of ours beside it
NOTEBOOK_DEADLINE_S = 1200.0
PARALLEL = 2
SECRET_NAMES = ("PASSWORD", "SECRET", "TOKEN", "KEY", "SALT", "CREDENTIAL")


class RunError(RuntimeError):
    """The audit could not run; the message says why."""


@dataclass
class Request:
    """What to audit: an environment's raw parameters, the areas, and the stage to decide for."""

    parameters: Parameters
    raw: dict[str, Any]
    file: Path | None = None  # that they were read from
    stage: policies.Stage = "staging"
    areas: Sequence[str] = AREAS
    outputs: Path = record.OUTPUTS
    deadline_s: float = NOTEBOOK_DEADLINE_S
    say: Callable[[str], None] = field(default=lambda _: None)


def request(environment: str, folder: Path = ROOT / "params", **options: Any) -> Request:
    """Read an environment's parameters (by its name, or by the path of its file), its criteria
    and the policy, before anything runs.

    Raises ParameterError with every problem at once.
    """
    described = read(environment, folder)
    raw, parameters, where = described.raw, described.parameters, described.where
    problems = [
        *described.problems,
        *(
            f"{where}: target.not_applicable.{check}: no such check in params/policy.yaml"
            for check in (parameters.target.not_applicable if parameters else ())
            if check not in policies.load().checks
        ),
    ]
    known = {identifier: made.strength for identifier, made in catalogue().items()}
    problems += [
        f"params/policy.yaml: {problem}"
        for problem in policies.problems_with_code(policies.load(), known)
    ]
    criteria = raw.get("criteria") if isinstance(raw, dict) else None
    problems += criteria_problems(criteria if isinstance(criteria, dict) else {}, where)
    if problems or parameters is None:
        raise ParameterError(problems)
    waivers.load()
    return Request(parameters, raw, file=described.path, **options)


def audit(wanted: Request, executor: Executor | None = None) -> Path:
    """Audit an environment and publish the run; returns its folder.

    Without an executor, a pool of two processes runs the notebooks. Raises RunError when the run
    cannot be made: another one of the environment is under way, the disk is full, no PostgreSQL.
    """
    environment = wanted.parameters.environment
    with only_one(wanted.outputs / environment), _hidden_folder(wanted) as (folder, name):
        started, before = now(), _latest(wanted)
        with postgresql.temporary({"max_connections": "60"}) as server:
            os.environ[scratch.VARIABLE] = str(server.folder)
            try:
                results = list(_run_notebooks(wanted, executor))
            finally:
                del os.environ[scratch.VARIABLE]
        kept = _keep(folder, wanted, results, started, before, str(server.installation))
        _publish(folder, wanted, kept, name)
    return wanted.outputs / environment / name


def _latest(wanted: Request) -> record.Record | None:
    """The newest complete run, whose failures may be carried over; read before anything runs."""
    before = record.latest(wanted.parameters.environment, wanted.outputs)
    try:
        return record.Record.read(before) if before else None
    except record.RecordError as broken:
        raise RunError(
            f"{broken}: what failed then is not known to have failed; restore the folder, or move "
            f"it out of {wanted.outputs} to begin anew"
        ) from None


def _run_notebooks(wanted: Request, executor: Executor | None) -> Iterator[dict[str, Any]]:
    """Run the areas' notebooks: those that must be alone first, then the others together."""
    tasks = [_task(area, wanted) for area in wanted.areas]
    alone = [task for task in tasks if _alone(task["name"], wanted.parameters)]
    together = [task for task in tasks if task not in alone]
    pool = executor or ProcessPoolExecutor(PARALLEL, mp_context=get_context("spawn"))
    try:
        for batch in [*([task] for task in alone), together]:
            futures = [pool.submit(run_one, task) for task in batch]
            for task, future in zip(batch, futures, strict=True):
                try:
                    result = future.result(timeout=wanted.deadline_s * (len(batch) + 1))
                except Exception as lost:
                    result = _lost(task, f"the worker was lost: {type(lost).__name__}: {lost}")
                wanted.say(f"{task['name']}: {result['problem'] or 'done'} ({result['seconds']} s)")
                yield result
    finally:
        if executor is None:
            pool.shutdown(wait=False, cancel_futures=True)


def _alone(area: str, parameters: Parameters) -> bool:
    """Whether an area measures time, or takes away what the others stand on."""
    http = parameters.target.http
    takes_away = http and http.outages and "write" in parameters.permit
    return area in ALONE or (area == "operations" and bool(takes_away))


def _task(area: str, wanted: Request) -> dict[str, Any]:
    before = record.latest(wanted.parameters.environment, wanted.outputs)
    return {
        "name": area,
        "notebook": (NOTEBOOKS / f"{area}.ipynb").read_text(encoding="utf-8"),
        "parameters": wanted.raw,
        "deadline_s": wanted.deadline_s,
        "previous": str(before) if before else "",
    }


def _lost(task: dict[str, Any], problem: str) -> dict[str, Any]:
    empty = {"evidence": {}, "seconds": 0.0, "kernel_start_s": 0.0}
    return {"name": task["name"], "notebook": task["notebook"], "problem": problem, **empty}


def findings_of(result: dict[str, Any], expected: Sequence[str]) -> list[Finding]:
    """The findings of a notebook's run; a check that was lost with it is an ERROR that says so.

    Findings whose evidence is not what arrived are not believed.
    """
    notebook = json.loads(result["notebook"])
    said = conclusion(notebook) if result["problem"] is None else None
    raw = said["findings"] if said else cards(notebook)
    digests = {
        f"evidence/{path}": hashlib.sha256(content).hexdigest()
        for path, content in result["evidence"].items()
    }
    found: dict[str, Finding] = {}
    for one in raw:
        try:
            finding = Finding.model_validate(one)
        except ValidationError:
            continue
        sound = all(digests.get(e.path) == e.sha256 for e in finding.evidence)
        if sound and not finding.exploratory and finding.area == result["name"]:
            found[finding.check] = finding
    problem = result["problem"] or "the finding did not arrive whole"
    lost = (i for i in expected if i not in found)
    return [*found.values(), *(unanswered(i, f"the notebook: {problem}") for i in lost)]


def _keep(
    folder: Path,
    wanted: Request,
    results: list[dict[str, Any]],
    started: datetime,
    before: record.Record | None,
    server: str,
) -> record.Record:
    """Write notebooks, evidence, inputs and findings.json; returns the record."""
    policy = policies.load()
    _remember_secrets(wanted.parameters)
    found: list[Finding] = []
    for result in results:
        _write(folder / "notebooks" / f"{result['name']}.ipynb", result["notebook"].encode())
        judged = findings_of(result, policy.expected(result["name"]))
        written = {
            f"evidence/{path}": _write(folder / "evidence" / path, content)
            for path, content in result["evidence"].items()
        }
        found += [_as_written(finding, written) for finding in judged]
    inputs = [policies.FILE, waivers.FILE, *([wanted.file] if wanted.file else [])]
    for source in inputs:
        if source.exists():
            _write(folder / "params" / source.name, source.read_bytes())
    run = folder.name.removeprefix(".")
    if before:
        found = standing.carry_over(found, before.findings, before.run, policy)
    at = now()
    environment = wanted.parameters.environment
    found, considered = waivers.apply(
        found, waivers.load(), environment, policy, at, environments()
    )
    order = {identifier: n for n, identifier in enumerate(policy.checks)}
    found.sort(key=lambda f: (AREAS.index(f.area), order.get(f.check, len(order)), f.check))
    target = wanted.parameters.target
    kept = record.Record(
        environment=environment,
        run=run,
        stage=wanted.stage,
        started=started,
        finished=at,
        tool=record.Tool(version=version("readiness"), commit=_commit()),
        checks=fingerprints(f.check for f in found),
        target=record.AuditedTarget(
            name=target.name,
            version=target.version.value() if target.version else "",
            commit=target.commit.value() if target.commit else "",
        ),
        permit=sorted(wanted.parameters.permit),
        postgresql=server,
        notebooks=[
            record.NotebookRun(
                area=result["name"],
                seconds=result["seconds"],
                kernel_start_s=result["kernel_start_s"],
                problem=redact(result["problem"]) if result["problem"] else None,
            )
            for result in results
        ],
        areas=decision.area_results(found, policy, wanted.stage, at),
        findings=found,
        decision=decision.decide(found, policy, at),
        waivers=considered,
        policy=policy.digest(),
        valid_until=validity.until(found, considered, policy, at),
        previous=before.run if before else None,
    )
    _write(folder / "findings.json", kept.to_json().encode())
    return kept


def _publish(folder: Path, wanted: Request, kept: record.Record, name: str) -> None:
    """Render the assessment, write the manifest, and make the run visible at once."""
    render.assessment(folder)
    if not render.pdf(folder):
        wanted.say("no assessment.pdf: there is no Chromium that prints it")
    manifest.write_manifest(folder)
    home = folder.parent
    folder.chmod(0o755)
    folder.rename(home / name)
    if set(wanted.areas) == set(AREAS):  # a partial run is kept, but is not the newest complete one
        link = home / f".latest-{os.getpid()}"
        link.symlink_to(name)
        link.replace(home / "latest")
    rule = policies.load().retention
    for gone in retention.prune(home.name, wanted.outputs, rule, kept.finished):
        wanted.say(f"removed the run {gone.name}: older than policy keeps")
    render.index(wanted.outputs)


def _write(path: Path, content: bytes) -> str:
    """Write a file of the run, without any secret that this process knows; returns its digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content.decode("utf-8", errors="surrogateescape")
    clean = redact(text).encode("utf-8", errors="surrogateescape")
    path.write_bytes(clean)
    return hashlib.sha256(clean).hexdigest()


def _as_written(finding: Finding, digests: dict[str, str]) -> Finding:
    """The finding with the digests of its evidence files as they lie in the run."""
    files = [e.model_copy(update={"sha256": digests[e.path]}) for e in finding.evidence]
    return finding.model_copy(update={"evidence": files})


def _remember_secrets(parameters: Parameters) -> None:
    """Learn every secret that may have reached a notebook by a way that its sources do not know.

    Those that the parameters name, and the values of all variables that are called like secrets.
    """
    _look_up(parameters.target)
    for name, value in os.environ.items():
        if any(part in name.upper() for part in SECRET_NAMES):
            keep_secret(value, f"${{{name}}}")


def _look_up(part: object) -> None:
    """Look up every secret below ``part``; looking it up is what makes it known."""
    if isinstance(part, Secret):
        part.value()
    elif isinstance(part, BaseModel):
        for name in type(part).model_fields:
            _look_up(getattr(part, name))
    elif isinstance(part, dict):
        for one in part.values():
            _look_up(one)
    elif isinstance(part, list):
        for one in part:
            _look_up(one)


def _commit() -> str:
    """The commit of this tool's own checkout, with ``+changes`` when it is not clean."""
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        return "unknown"
    said = [
        subprocess.run(
            [git, "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=20
        ).stdout.strip()
        for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain"))
    ]
    return f"{said[0][:12] or 'unknown'}{'+changes' if said[1] else ''}"


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the environment's lock: two audits at once would measure each other."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunError(
                f"another audit of {home.name} is under way; wait for it to end"
            ) from None
        for left in home.glob(".*Z"):
            shutil.rmtree(left)  # of a run that was killed: nobody holds the lock
        yield


@contextmanager
def _hidden_folder(wanted: Request) -> Iterator[tuple[Path, str]]:
    """A hidden folder for the run, removed again when the run does not come to its end."""
    home = wanted.outputs / wanted.parameters.environment
    moment = now()
    while (home / (name := moment.strftime("%Y%m%dT%H%M%SZ"))).exists():
        moment += timedelta(seconds=1)
    folder = home / f".{name}"
    folder.mkdir(mode=0o700)
    try:
        yield folder, name
    except OSError as broke:
        raise RunError(f"the run could not be written: {broke.strerror or broke}") from broke
    finally:
        shutil.rmtree(folder, ignore_errors=True)
