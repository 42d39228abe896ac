"""The six areas of the assessment: evidence, what works, what is missing, what GREEN takes."""

from __future__ import annotations

from collections.abc import Sequence

from ..decision import AreaResult
from ..finding import Finding, Reason, Severity, Status
from ..goals import Goal
from ..policy import Policy, Stage
from ..standing import colour, satisfied
from .blocks import (
    Block,
    Bullets,
    Code,
    Column,
    Fold,
    Head,
    Heading,
    Link,
    Mark,
    Paragraph,
    Piece,
    Quiet,
    Strong,
    Table,
    Text,
    number,
    prose,
)
from .finding_blocks import account, weight_of
from .text import line, sentence

TITLES = {
    "deployment": "Deployment",
    "security": "Security",
    "performance": "Performance",
    "operations": "Operations",
    "data_integrity": "Data integrity",
    "testing": "Testing",
}


def stands_in_the_way(finding: Finding, policy: Policy, stage: Stage) -> bool:
    """Whether this finding keeps its area from GREEN at a stage."""
    failed = finding.status is Status.FAIL and finding.severity is not Severity.LOW
    return failed or not satisfied(finding, policy, stage)


def gravest_first(findings: Sequence[Finding], policy: Policy) -> list[Finding]:
    """Failures before unknowns, the grave ones first, then by what they weigh."""
    return sorted(
        findings,
        key=lambda f: (
            f.status is not Status.FAIL,
            bool(f.waiver),
            weight_of(f.severity),
            -policy.check(f.check).weight,
        ),
    )


def unmeasurable(finding: Finding) -> bool:
    """Whether this version of the tool has no such check."""
    return finding.reason is Reason.NO_CHECK


def area_head(
    place: int, result: AreaResult, findings: Sequence[Finding], policy: Policy, stage: Stage
) -> list[Block]:
    """One area, as far as its figures: how it stands, and the evidence."""
    title: list[Piece] = [f"{place}. {TITLES[result.area]}  ", Mark.of(result.colour)]
    return [
        Heading(2, title, result.area),
        Paragraph(_standing(result, findings, policy, stage), "standing"),
        Heading(3, "Evidence"),
        *_evidence(findings),
    ]


def area_rest(
    findings: Sequence[Finding], goal: Goal | None, policy: Policy, stage: Stage
) -> list[Block]:
    """One area, after its figures: what works, what is missing, what GREEN takes, minor gaps."""
    return [
        Heading(3, "What works"),
        _works(findings),
        Heading(3, "What is missing"),
        _missing(findings, policy, stage),
        Heading(3, "Required for GREEN"),
        _required(findings, goal, policy, stage),
        *_minor(findings, policy, stage),
    ]


def settled(result: AreaResult) -> list[Piece]:
    """The colour if every unknown passed, to the colour if every unknown failed."""
    best, worst = result.colour_if_unknowns_pass, result.colour_if_unknowns_fail
    if best == worst:
        return [Mark.of(best), " either way"]
    return [Mark.of(best), " to ", Mark.of(worst)]


def _standing(
    result: AreaResult, findings: Sequence[Finding], policy: Policy, stage: Stage
) -> list[Piece]:
    other: Stage = "production" if stage == "staging" else "staging"
    said: list[Piece] = [
        f"{result.passed} of {result.expected} expected checks passed, {result.failed} failed, "
        f"{result.not_measured} unknown"
    ]
    said += [f", {result.not_applicable} not applicable"] if result.not_applicable else []
    said += [". With every unknown settled: ", *settled(result), ". Confidence "]
    said += [f"{number(100 * result.confidence)} %. By what {other} requires: "]
    return [*said, Mark.of(colour(findings, policy, other)), "."]


def _evidence(findings: Sequence[Finding]) -> list[Block]:
    seen = [f for f in findings if not unmeasurable(f)]
    if not seen:
        return [Paragraph("None. No check of this area could be measured by this version.")]
    rows: list[list[Text]] = [
        [
            _result(f),
            [Link(line(f.title), f"#{f.check}"), " ", Code(f.check)],
            line(f.observed),
            number(f.samples),
            f.strength.capitalize() if f.status.known else "—",
        ]
        for f in seen
    ]
    columns: list[Head] = ["Result", "Check", "Observed", Column("Samples", True), "Strength"]
    return [Table(columns, rows, "What was seen, check by check", row_header=1, kind="evidence")]


def _result(finding: Finding) -> list[Piece]:
    said: list[Piece] = [Mark.status(finding.status)]
    aside = "waived" if finding.waiver else "carried over" if finding.carried_over else ""
    return [*said, " ", Quiet(aside)] if aside else said


def _works(findings: Sequence[Finding]) -> Block:
    passed = [f for f in findings if f.status is Status.PASS]
    if not passed:
        return Paragraph("Nothing was shown to work.")
    return Bullets([line(f.title) for f in passed])


def _missing(findings: Sequence[Finding], policy: Policy, stage: Stage) -> Block:
    open_ = [f for f in findings if stands_in_the_way(f, policy, stage)]
    items: list[Text] = [
        [Strong(sentence(f.title)), f" {sentence(_said(f, policy, stage))}", *_waived(f)]
        for f in gravest_first(open_, policy)
        if not unmeasurable(f)
    ]
    if blind := [f for f in open_ if unmeasurable(f)]:
        count = f"{len(blind)} {'check' if len(blind) == 1 else 'checks'}"
        said = f"{count} required for {stage} cannot be measured by this version:"
        items.append([Strong(said), " ", *_questions(blind)])
    return Bullets(items) if items else Paragraph(f"Nothing that {stage} requires.")


def _said(finding: Finding, policy: Policy, stage: Stage) -> str:
    if finding.status is Status.PASS:
        required = policy.check(finding.check).required[stage]
        said = f"{line(finding.observed)}: seen as {finding.strength}, {required} is required"
        return said
    if finding.status is Status.FAIL:
        return f"{finding.severity.capitalize()}: {line(finding.observed)}"
    label = "The check broke" if finding.status is Status.ERROR else "Not measured"
    return f"{label}: {line(finding.observed)}"


def _waived(finding: Finding) -> list[Piece]:
    return [" ", Quiet(f"Waived: {line(finding.waiver)}")] if finding.waiver else []


def _required(
    findings: Sequence[Finding], goal: Goal | None, policy: Policy, stage: Stage
) -> Block:
    """The smallest set of checks that have to pass, what moves the verdict most first."""
    if goal is None or goal.reached:
        return Paragraph(f"Nothing: the area is GREEN for {stage}.")
    by_check = {f.check: f for f in findings}
    if len(goal.smallest) > 1:
        any_of = [by_check[c] for one in goal.smallest for c in one if c in by_check]
        return Paragraph(["One check that passes, any of: ", *_ids(any_of), "."])
    needed = [by_check[check] for check in goal.smallest[0] if check in by_check]
    items: list[Text] = [
        [*_step(f, policy, stage), " ", Code(f.check)] for f in needed if not unmeasurable(f)
    ]
    if blind := [f for f in needed if unmeasurable(f)]:
        said = "Answer what this version cannot measure yet: "
        items.append([said, *_ids(blind), "."])
    return Bullets(items, ordered=True)


def _step(finding: Finding, policy: Policy, stage: Stage) -> list[Piece]:
    if finding.status is Status.FAIL:
        return prose(sentence(finding.remedy, 600)) or [f"Settle: {sentence(finding.observed)}"]
    if finding.status is Status.PASS:
        required = policy.check(finding.check).required[stage]
        return [f"Show it as {required}: {sentence(finding.title)}"]
    verb = "Repair the check" if finding.status is Status.ERROR else "Measure"
    return [f"{verb}: {sentence(finding.title)} Now: {sentence(finding.observed)}"]


def _minor(findings: Sequence[Finding], policy: Policy, stage: Stage) -> list[Block]:
    """Low failures, and unknowns that the stage does not require."""
    gaps = [
        f
        for f in findings
        if not stands_in_the_way(f, policy, stage)
        and not unmeasurable(f)
        and f.status in (Status.FAIL, Status.NOT_MEASURED, Status.ERROR)
    ]
    items: list[Text] = [
        [f"{sentence(f.title)} {sentence(_said(f, policy, stage))}"]
        for f in gravest_first(gaps, policy)
    ]
    blind = [f for f in findings if unmeasurable(f) and not stands_in_the_way(f, policy, stage)]
    if blind:
        checks = "check" if len(blind) == 1 else "checks"
        items.append(
            [f"{len(blind)} more {checks} cannot be measured by this version: ", *_ids(blind), "."]
        )
    return [Heading(3, "Minor gaps"), Bullets(items)] if items else []


def accounts(area: str, findings: Sequence[Finding], policy: Policy) -> list[Block]:
    """Every finding of an area in full, folded; those without a check yet share one table."""
    blocks: list[Block] = [Heading(3, TITLES[area])]
    blocks += [account(f) for f in findings if not unmeasurable(f)]
    if blind := [f for f in findings if unmeasurable(f)]:
        rows: list[list[Text]] = [
            [
                Code(f.check),
                line(f.title),
                f.severity.capitalize(),
                " and ".join(policy.check(f.check).required) or "—",
            ]
            for f in blind
        ]
        checks = "check" if len(blind) == 1 else "checks"
        title = f"{len(blind)} expected {checks} that this version cannot measure yet"
        table = Table(["Check", "Question", "Severity", "Required for"], rows, row_header=0)
        blocks.append(Fold([Mark("unknown", "NOT MEASURED"), f" {title}"], [table], "", "unknown"))
    return blocks


def _questions(findings: Sequence[Finding]) -> list[Piece]:
    return [f"{'; '.join(line(f.title).rstrip('.') for f in findings)}."]


def _ids(findings: Sequence[Finding]) -> list[Piece]:
    said: list[Piece] = []
    for finding in findings:
        said += [", "] if said else []
        said.append(Code(finding.check))
    return said
