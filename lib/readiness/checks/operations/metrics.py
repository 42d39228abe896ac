"""Metrics: what Prometheus would read from the service, and whether it is told to."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, not_measured, verdict_of
from readiness.sources.metrics import exposition

NOT_LET_IN = (401, 403, 429)


class Metrics(Criteria):
    max_age_s: float = Field(default=300, gt=0)  # of samples with a time; Prometheus drops older


@check(
    "OPS-METRICS",
    sources=[exposition],
    severity="medium",
    criteria=Metrics,
    references=[
        "Prometheus: exposition formats",
        "OpenMetrics 1.0",
        "Prometheus: configuration; promtool check config",
    ],
)
def metrics_exposition(scrapes: Evidence, criteria: Metrics) -> Judgement:
    """Metrics are exposed, well formed and complete

    The metrics page is scraped as Prometheus scrapes it, in both formats, in rounds of several
    scrapes at once, with requests to the service in between. It must parse, hold the wanted series
    with samples, count the requests, and never count backwards. A Prometheus configuration in the
    repository must be valid and scrape something, and where its targets can be reached from here
    they must serve metrics too. Whether a Prometheus runs and sees them is not asked here.

    Why: dashboards and alerts over series that do not exist stay quiet, and quiet looks like well.
    Bad: a JSON page under /metrics; series declared and never filled; a counter of each worker
    for itself, so that every scrape tells another number; a configuration that scrapes nothing.
    Remedy: expose with a Prometheus client library, with its multi-process mode where there are
    several workers (or give target.http.metrics.base_url one instance's own address behind a
    balancer); run `promtool check config` on the configuration.
    """
    facts = scrapes.facts
    count = len(facts["wanted"])
    expected = f"{facts['path']} in Prometheus' format with {count} wanted series that count"
    pages = facts["scrapes"]
    offenders = _page(pages)
    if refused := [page["status"] for page in pages if page["status"] in NOT_LET_IN]:
        said = f"{facts['path']} answers {refused[0]}: give target.http.metrics.headers"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(pages))
    if facts["truncated"]:
        said = "the page is larger than target.http.max_body_bytes"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(pages))
    if not offenders:
        offenders = _series(facts, criteria) + _counting(scrapes)
    configuration = facts.get("configuration")
    offenders += _configuration(configuration, facts["path"]) if configuration else []
    if not offenders and not facts["wanted"]:
        said = "target.http.metrics.series names no series that must exist"
        return not_measured(Reason.NO_PARAMETER, expected, said, len(pages))
    return verdict_of(
        offenders,
        samples=len(scrapes.records),
        expected=expected,
        passed=(
            f"{len(scrapes.records)} metrics in {len(pages)} scrapes, none of the {count} wanted "
            f"series missing; {_about(configuration, scrapes.tools)}; a running Prometheus was not "
            "looked for"
        ),
        failed=f"{{n}} wrong: {'; '.join(o['problem'] for o in offenders[:4])}",
    )


def _problem(where: str, problem: str) -> dict[str, Any]:
    return {"where": where, "problem": f"{where} {problem}"}


def _page(pages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What is wrong with the page as such, said once for each format asked for."""
    said = {(page["asked_for"], page["problem"]) for page in pages if page["problem"]}
    return [_problem(f"the page asked for as {form}", problem) for form, problem in sorted(said)]


def _series(facts: dict[str, Any], criteria: Metrics) -> list[dict[str, Any]]:
    offenders = []
    for wanted in facts["wanted"]:
        series, problem = wanted["series"], None
        if not wanted["samples"]:
            problem = "is declared and has no sample" if wanted["declared"] else "does not exist"
        elif wanted["not_a_number"]:
            problem = "has no value but NaN"
        elif wanted["age_s"] > criteria.max_age_s:
            problem = f"is {wanted['age_s']:.0f} s old by its own time"
        elif _counts_requests(wanted) and facts["requests_between"]["answered"]:
            sent = facts["requests_between"]["answered"]
            problem = (
                None if wanted["moved"] else f"stood still while {sent} requests were answered"
            )
        if problem:
            offenders.append(_problem(series, problem))
    return offenders


def _counts_requests(wanted: dict[str, Any]) -> bool:
    """Whether a wanted series counts requests, by its type and name, over all its labels."""
    cumulative = wanted["type"] in ("counter", "histogram", "summary")
    return cumulative and "request" in wanted["series"] and "{" not in wanted["series"]


def _counting(scrapes: Evidence) -> list[dict[str, Any]]:
    facts = scrapes.facts
    offenders = [_problem(name, "stands twice with the same labels") for name in facts["twice"]]
    offenders += [_problem("histogram", said) for said in facts["histograms"]]
    for row in scrapes.records:
        if row["fell"]:
            problem = "counts backwards from scrape to scrape: each worker counts for itself"
            offenders.append(_problem(row["metric"], problem))
    if not any(row["moved"] for row in scrapes.records):
        offenders.append(_problem(facts["path"], "never changes: a page that nothing writes to"))
    return offenders


def _configuration(configuration: dict[str, Any], path: str) -> list[dict[str, Any]]:
    file, jobs = configuration["file"], configuration["jobs"]
    if configuration["problem"]:
        return [_problem(file, configuration["problem"])]
    if configuration["included"] and not jobs:
        return []
    idle = [job["job"] for job in jobs if not job["targets"] and not job["discovery"]]
    if len(idle) == len(jobs):
        return [_problem(file, "scrapes nothing")]
    offenders = [_problem(file, f"job {job} has no target") for job in idle]
    for page in configuration["pages"]:
        if page["problem"]:
            where = f"job {page['job']}: {page['target']}{page['path']}"
            offenders.append(_problem(where, page["problem"]))
    if not configuration["included"] and not any(path.endswith(job["path"]) for job in jobs):
        offenders.append(_problem(file, f"has no job that scrapes {path}"))
    return offenders


def _about(configuration: dict[str, Any] | None, tools: dict[str, str]) -> str:
    """What is claimed about the configuration, and what is not."""
    if not configuration:
        return "no Prometheus configuration was given"
    tried = {(page["job"], page["target"]) for page in configuration["pages"]}
    named = [(job["job"], target) for job in configuration["jobs"] for target in job["targets"]]
    how = f"promtool {tools['promtool']}" if "promtool" in tools else "read without promtool"
    reached = f"{len(tried)} of its {len(named)} targets could be reached from here"
    return f"{configuration['file']} is sound ({how}) and {reached}"
