"""The front end in a browser, and the JavaScript it needs."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.bundle import initial
from readiness.sources.frontend import loads, medians

UNITS = {"cls": "", "bytes": " bytes"}


class Pages(Criteria):
    max_failed_share: float = Field(default=0.2, ge=0, lt=1)  # loads that gave no figures


@check(
    "PERF-FRONTEND",
    sources=[loads],
    severity="medium",
    criteria=Pages,
    references=[
        "https://web.dev/articles/vitals",
        "W3C Largest Contentful Paint, Layout Instability, Long Tasks",
    ],
)
def pages(visits: Evidence, criteria: Pages) -> Judgement:
    """Pages show and respond soon, in a real browser

    Each page is loaded at least five times with an empty cache, on a desktop and on a slowed phone
    (a quarter of the CPU, slow 4G). Largest and first contentful paint, layout shift, blocking time
    and transferred bytes are what the browser itself measured. The median of each is held against
    its target with bounds by order statistics; where they leave it open, more loads are made.

    Why: what the user waits for is the page; a quick API behind three seconds of script is slow.
    Bad: a script of three seconds before anything can be clicked; text that jumps as it is read.
    Remedy: defer and split scripts, reserve room for images, compress, cache; look at the long
    tasks in the browser's performance panel.
    """
    targets = visits.facts["targets"]
    expected = ", ".join(f"{name} ≤ {value:g}" for name, value in targets.items())
    good = [record for record in visits.records if not record["problem"]]
    bad = [record for record in visits.records if record["problem"]]
    if not good or len(bad) > criteria.max_failed_share * len(visits.records):
        said = f"{len(bad)} of {len(visits.records)} loads gave no figures: "
        said += "; ".join(dict.fromkeys(f"{r['path']} {r['problem']}" for r in bad[:3]))
        reason = Reason.INCONCLUSIVE if good else Reason.NO_SAMPLES
        return not_measured(reason, expected, said, len(good))
    rows = medians(visits.records, targets)
    offenders: list[dict[str, Any]] = []
    for row in rows:
        if row["standing"] == "missed":
            unit = UNITS.get(row["figure"], " ms")
            problem = (
                f"{row['page']} on {row['profile']}: {row['figure'].removesuffix('_ms')} at least "
                f"{row['low']:.4g}{unit}, target {row['target']:g}{unit}"
            )
            offenders.append({**row, "problem": problem})
    open_ = [row for row in rows if row["standing"] == "open"]
    if open_ and not offenders:
        first = open_[0]
        between = f"{first['low']} and {first['high']}" if first["loads"] else "nothing"
        said = f"{first['page']} on {first['profile']}: {first['figure']} between {between} in "
        said += f"{counted(first['loads'], 'load')}, target {first['target']:g}; allow more loads"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(good))
    worst = max(rows, key=lambda row: (row["high"] or 0) / row["target"])
    return verdict_of(
        offenders,
        samples=len(good),
        expected=expected,
        passed=f"{len(good)} loads; the closest: {worst['page']} on {worst['profile']}, "
        f"{worst['figure']} at most {worst['high'] or 0:.4g} of {worst['target']:g}",
        failed="; ".join(o["problem"] for o in offenders[:3]),
    )


class Bundle(Criteria):
    budget_bytes: int | None = Field(default=None, gt=0)  # default: that of the parameters


@check(
    "PERF-BUNDLE",
    sources=[initial],
    severity="medium",
    strength="CONFIGURED",
    criteria=Bundle,
    references=["https://web.dev/articles/your-first-performance-budget"],
)
def bundle(scripts: Evidence, criteria: Bundle) -> Judgement:
    """The initial JavaScript is within its budget

    What index.html loads at once (scripts, module preloads, and what these import statically) is
    compressed with gzip and added up. What is imported later, when it is needed, does not count.

    Why: every kilobyte of script is fetched, parsed and run before the page can be used, on a phone
    four times as long as on the machine it was written on.
    Bad: a megabyte of editor and charts for a login form.
    Remedy: import() what the first page does not need; drop or replace the largest dependency.
    """
    budget = criteria.budget_bytes or scripts.facts["budget"]
    expected = f"at most {budget / 1000:,.0f} KB of initial JavaScript (gzip)"
    if not scripts.records:
        said = f"{scripts.facts['index']} loads no script of its own"
        return not_measured(Reason.NO_SAMPLES, expected, said)
    if lost := [*scripts.facts["missing"], *scripts.facts["elsewhere"]]:
        said = f"{len(lost)} scripts are not in the build: {', '.join(lost[:3])}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(scripts.records))
    total = sum(record["gzip"] for record in scripts.records)
    smaller = sum(record["brotli"] for record in scripts.records)
    said = f"{total / 1000:,.1f} KB gzip ({smaller / 1000:,.1f} KB brotli)"
    said += f" in {counted(len(scripts.records), 'file')}"
    largest = sorted(scripts.records, key=lambda record: -record["gzip"])
    offenders = [{**record, "problem": said} for record in largest] if total > budget else []
    return verdict_of(
        offenders,
        samples=len(scripts.records),
        expected=expected,
        passed=said,
        failed=f"{said}; the largest: {largest[0]['file']}",
    )
