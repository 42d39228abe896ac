"""The pipeline: whether the tests run when something is pushed, and count."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, counted, not_measured, verdict_of
from readiness.sources.pipeline import jobs


@check(
    "DEP-CI",
    sources=[jobs],
    severity="medium",
    strength="CONFIGURED",
    references=["https://dora.dev/capabilities/continuous-integration/", "OWASP SAMM: Build"],
)
def continuous_integration(jobs: Evidence, criteria: Criteria) -> Judgement:
    """A pipeline runs the tests on every push, and their failure fails it

    The pipeline files of the repository are read (GitHub Actions and its relatives, GitLab,
    CircleCI, Azure, Bitbucket, Woodpecker, Drone, Travis, Buildkite, Jenkins): which jobs a push to
    a branch starts, and which of their commands run tests, also behind `make`, `npm` or a script of
    the repository. Steps that are commented out, switched off or whose failure is ignored do not
    count. Whether the last run was green is not asked here.

    Why: tests that nobody is forced to run are not run on the day that it matters, and a version
    goes out that a test would have stopped.
    Bad: no pipeline; one that only builds or deploys; one that only a schedule or a tag starts;
    `pytest || true`; `continue-on-error`; `if: false`.
    Remedy: add a job that is started by `push` and runs the unit tests, at least; let it fail when
    they fail, and protect the main branch with it.
    """
    expected = "a job that a push starts, that runs tests, and that fails when they fail"
    places, files = jobs.facts["places"], jobs.facts["files"]
    if not files:
        return Judgement(
            Status.FAIL,
            expected,
            f"no pipeline: nothing at {counted(len(places), 'known place')}",
            len(places),
            offenders=[{"problem": "no pipeline file"}],
        )
    sound = [r for r in jobs.records if r["tests"] and r["on_push"] and not r["off"]]
    decided_elsewhere = [
        *(f"what starts {r['file']}" for r in jobs.records if r["tests"] and r["on_push"] is None),
        *(
            u
            for r in jobs.records
            if r["on_push"] is not False and not r["off"]
            for u in r["unseen"]
        ),
    ]
    if not sound and decided_elsewhere:
        said = f"decided outside of the repository: {', '.join(dict.fromkeys(decided_elsewhere))}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(files))
    tests = sorted({test for record in sound for test in record["tests"]})
    by = sorted({f"{record['file']}: {record['job']}" for record in sound})
    offenders = [] if sound else _short_of(jobs)
    return verdict_of(
        offenders,
        samples=len(files),
        expected=expected,
        passed=f"{', '.join(tests)} on push ({'; '.join(by)})",
        failed=f"none in {counted(len(files), 'pipeline file')}: "
        + "; ".join(f"{o['file']}: {o['problem']}" for o in offenders[:3]),
    )


def _short_of(jobs: Evidence) -> list[dict[str, Any]]:
    """What each file lacks, in the words of its jobs."""
    found: list[dict[str, Any]] = [dict(problem) for problem in jobs.facts["problems"]]
    for file in jobs.facts["files"]:
        records = [r for r in jobs.records if r["file"] == file]
        if not records and not any(p["file"] == file for p in found):
            found.append({"file": file, "problem": "has no job"})
        reasons = [reason for record in records for reason in _reasons(record)]
        if records and not reasons:
            reasons = ["no step runs tests"]
        found += [{"file": file, "problem": reason} for reason in dict.fromkeys(reasons)]
    return found


def _reasons(record: dict[str, Any]) -> list[str]:
    """Why the tests of a job do not count."""
    job, reasons = record["job"], []
    if record["tests"] and record["off"]:
        reasons.append(f"job {job} runs {record['tests'][0]}, but {record['off']}")
    elif record["tests"]:
        started = ", ".join(record["triggers"]) or "nothing"
        reasons.append(f"job {job} runs {record['tests'][0]}, but is started by {started}")
    return reasons + [
        f"job {job} runs {one['test']} without effect: {one['why']}"
        for one in record["without_effect"]
    ]
