"""Page one: the verdicts, the areas and where they are going, the matrix, the risks, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten

from ..decision import AreaResult, Cell, CriterionResult, Decision, Verdict
from ..finding import AREAS, NOT_SET, Finding, Severity, Status
from ..goals import Goal
from ..policy import STAGES, Policy, Stage
from ..record import Record
from ..standing import Colour, grave, unknown
from .blocks import (
    Block,
    Bullets,
    Code,
    Column,
    Head,
    Heading,
    Link,
    Mark,
    Paragraph,
    Piece,
    Quiet,
    Section,
    Table,
    Text,
    number,
)
from .finding_blocks import REASONS
from .sections import TITLES, gravest_first, settled, unmeasurable
from .text import line, sentence

MOST_RISKS = 5
MOST_STEPS = 5
MOST_LATER_STEPS = 3  # to the second stage, so that page one stays one page
FEW = 3  # checks that are named in a sentence; the table of open points names all
SHORT = 120  # characters of what was observed, where a reader looks for the next line
ORDER = list(Colour)  # the best first


def head(record: Record, policy: Policy) -> list[Block]:
    """What was assessed, and the verdicts."""
    target = " ".join(part for part in (record.target.name, record.target.version) if part)
    about: list[Piece] = [f"Environment {record.environment}, run ", Code(record.run)]
    about += [f", finished {record.finished:%Y-%m-%d %H:%M} UTC. "]
    if record.target.commit:
        about += ["Commit ", Code(line(record.target.commit)[:12]), ". "]
    about += [f"Audited by readiness {record.tool.version}, commit ", Code(record.tool.commit), "."]
    return [
        Paragraph("Production readiness assessment", "overline"),
        Heading(1, line(target, 120)),
        Paragraph(about, "about"),
        Section("verdicts", [_verdict_box(record.decision, policy, stage) for stage in STAGES]),
    ]


def _verdict_box(decision: Decision, policy: Policy, stage: Stage) -> Section:
    verdict: Verdict = getattr(decision, stage)
    mark = Mark.verdict(verdict)
    body: list[Block] = [
        Paragraph(stage.capitalize(), "overline"),
        Paragraph([mark], "verdict"),
        Paragraph(because(decision, policy, stage)),
    ]
    bare = decision.without_waivers.get(stage, verdict)
    if bare is not verdict:
        body.append(Paragraph(["Without its waivers: ", Mark.verdict(bare), "."]))
    return Section(f"box {mark.tone}", body)


def because(decision: Decision, policy: Policy, stage: Stage) -> str:
    """Why the verdict is what it is, in a sentence."""
    if closed := barring(decision, policy, stage):
        named = f": {_and(closed)}" if len(closed) <= FEW else ""
        return f"Barred by {len(closed)} of {len(decision.criteria)} criteria{named}."
    open_ = len({c.check for c in decision.conditions if c.stage == stage})
    if not open_:
        return "Nothing is open."
    return f"{open_} open {'point' if open_ == 1 else 'points'}, none of them barring."


def barring(decision: Decision, policy: Policy, stage: Stage) -> list[str]:
    """The criteria that keep the stage closed; one that policy does not list closes it too."""
    closing = {c.title: stage in c.blocking for c in policy.criteria}
    return [
        c.criterion
        for c in decision.criteria
        if getattr(c, stage) is Cell.NO_GO and closing.get(c.criterion, True)
    ]


def areas(record: Record, policy: Policy, before: Record | None) -> Table:
    """The six areas: colour, trend, confidence, what the unknowns could make of it, counts."""
    results = {result.area: result for result in record.areas}
    earlier = {result.area: result for result in before.areas} if before else {}
    rows = [
        _row(results[area], earlier.get(area)) if area in results else _not_run(area, policy)
        for area in AREAS
        if area in results or policy.expected(area)
    ]
    columns: list[Head] = [
        "Area",
        "Status",
        Column("Confidence, %", True),
        "Since the last run",
        "Unknowns pass … fail",
        *(Column(name, True) for name in ("Passed", "Failed", "Unknown")),
    ]
    compared = f"compared with run {before.run}" if before else "with no earlier run to compare"
    away = sum(result.not_applicable for result in record.areas)
    note = f"{away} more declared not applicable; they stand in their areas." if away else ""
    caption = f"The six areas by what {record.stage} requires, {compared}"
    return Table(columns, rows, caption, row_header=0, kind="summary", note=note)


def _row(result: AreaResult, before: AreaResult | None) -> list[Text]:
    return [
        Link(TITLES[result.area], f"#{result.area}"),
        Mark.of(result.colour),
        number(100 * result.confidence),
        trend(result, before),
        settled(result),
        *(result.passed, result.failed, result.not_measured),
    ]


def _not_run(area: str, policy: Policy) -> list[Text]:
    left_out = len(policy.expected(area))
    name = Link(TITLES[area], f"#{area}")
    return [name, Mark("unknown", "NOT RUN"), "0", "—", "not part of this run", 0, 0, left_out]


def trend(now: AreaResult, before: AreaResult | None) -> list[Piece]:
    """Where an area went since the last run: its colour, else its confidence in points."""
    if before is None:
        return ["—"]
    points = round(100 * now.confidence) - round(100 * before.confidence)
    moved = f", {points:+d} points" if points else ""
    if now.colour is before.colour:
        return [f"same{moved}"]
    went = "better" if ORDER.index(now.colour) < ORDER.index(before.colour) else "worse"
    return [f"{went}, was ", Mark.of(before.colour), moved]


def matrix(criteria: Sequence[CriterionResult]) -> Table:
    """The go/no-go matrix alone; its section has what is behind it."""
    rows: list[list[Text]] = [
        [c.criterion, Mark.of(c.staging), Mark.of(c.production)] for c in criteria
    ]
    return Table(["Criterion", "Staging", "Production"], rows, row_header=0, kind="matrix")


def risks(findings: Sequence[Finding], policy: Policy) -> list[Text]:
    """What could hurt most: failures by gravity, then grave questions that nobody has answered."""
    failed = [f for f in findings if f.status is Status.FAIL and f.severity is not Severity.LOW]
    items: list[Text] = [_risk(f) for f in gravest_first(failed, policy)]
    blind = [
        f
        for f in findings
        if unknown(f, policy) and grave(f.model_copy(update={"status": Status.FAIL}))
    ]
    blind = gravest_first(blind, policy)
    if len(items) + len(blind) <= MOST_RISKS:
        return [*items, *(_risk(f) for f in blind)]
    most = MOST_RISKS - bool(blind)
    left_out = len(items) - most
    items = items[:most]
    if left_out > 0:
        items[-1] = [f"{left_out + 1} more failures, listed in their areas."]
    if blind:
        said: list[Piece] = [Mark("unknown", f"{len(blind)} UNKNOWN"), " of critical or high "]
        said += ["severity, first of them "]
        for n, finding in enumerate(blind[:FEW]):
            said += [", " if n else "", _link(finding)]
        items.append([*said, "."])
    return items


def _link(finding: Finding) -> Link:
    """To the account of a finding; one without a check yet has its area's only."""
    anchor = finding.area if unmeasurable(finding) else finding.check
    return Link(line(finding.title), f"#{anchor}")


def _risk(finding: Finding) -> list[Piece]:
    asides = [finding.severity.value]
    asides += ["waived"] if finding.waiver else []
    asides += [f"carried over from {finding.carried_over}"] if finding.carried_over else []
    asides += [REASONS[finding.reason]] if finding.reason else []
    said: list[Piece] = [Mark.status(finding.status), " "]
    said += [_link(finding), " "]
    said += [Quiet(f"({', '.join(asides)})")]
    if finding.status is Status.FAIL:
        said += [f": {line(finding.observed, SHORT)}"]
    return said


def steps(record: Record, first: Stage) -> list[Block]:
    """What to do next for each stage, from the fewest checks that have to pass, what moves its
    verdict most first; for the second stage only what the first has not named."""
    blocks: list[Block] = []
    named: set[str] = set()
    for stage in sorted(STAGES, key=lambda stage: stage != first):
        if goal := _next_goal(record.decision, stage):
            blocks += _steps(record, goal, named)
    return blocks


def _next_goal(decision: Decision, stage: Stage) -> Goal | None:
    goals = (decision.goal(stage, aim) for aim in ("CONDITIONAL GO", "GO"))
    return next((g for g in goals if g and not g.reached and g.smallest), None)


def _steps(record: Record, goal: Goal, named: set[str]) -> list[Block]:
    findings = {f.check: f for f in record.findings}
    owners = {c.check: c.owner for c in record.decision.conditions if c.stage == goal.stage}
    fewest = goal.smallest[0]
    blind = sum(check in findings and unmeasurable(findings[check]) for check in fewest)
    doable = [findings[c] for c in fewest if c in findings and not unmeasurable(findings[c])]
    most = MOST_LATER_STEPS if named else MOST_STEPS
    fresh = [f for f in doable if f.check not in named][:most]
    count = "1 check has" if len(fewest) == 1 else f"{len(fewest)} checks have"
    said = f"{goal.aim} for {goal.stage}: {count} to pass"
    said += f", {blind} of them not measurable by this version yet" if blind else ""
    said += ". What moves the verdict most" if fresh else "."
    said += f"{', besides the above' if named else ''}:" if fresh else ""
    named.update(f.check for f in fresh)
    items: list[Text] = [_step(f, owners.get(f.check, "")) for f in fresh]
    return [Paragraph(said), *([Bullets(items, ordered=True)] if items else [])]


def _step(finding: Finding, owner: str) -> list[Piece]:
    said: list[Piece] = [_link(finding), f": {to_do(finding)}"]
    return [*said, " ", Quiet(f"({line(owner, 40)})")] if owner else said


def to_do(finding: Finding) -> str:
    """What settles a finding, in one short sentence; its account has the whole remedy."""
    if finding.status is Status.FAIL:
        said = finding.remedy.replace("`", "") or f"settle: {finding.observed}"
    elif finding.status is Status.PASS:
        said = f"show it more directly than as {finding.strength}"
    elif finding.observed.endswith(NOT_SET):
        said = f"set {finding.observed.removesuffix(NOT_SET)}, to measure it"
    else:
        verb = "repair the check" if finding.status is Status.ERROR else "measure it"
        said = f"{verb}; {finding.observed}"
    first, stop, _ = line(said, 1_000).partition(". ")
    return shorten(f"{first}." if stop else sentence(first, 1_000), SHORT, placeholder=" …")


def counts(findings: Sequence[Finding], policy: Policy) -> str:
    """How much of what policy expects was answered, in sentences."""
    known = sum(f.status.known for f in findings)
    run = {f.check for f in findings}
    left_out = sum(check not in run for check in policy.checks)
    counted: Mapping[str, int] = {
        "were not part of this run": left_out,
        "cannot be measured by this version yet": sum(unmeasurable(f) for f in findings),
        "broke": sum(f.status is Status.ERROR for f in findings),
        "failed in an earlier run and were not measured since": sum(
            bool(f.carried_over) for f in findings
        ),
        "failed and are waived": sum(bool(f.waiver) for f in findings),
    }
    said = [f"{known} of {len(findings) + left_out} expected checks were answered."]
    return " ".join([*said, *(f"{n} {what}." for what, n in counted.items() if n)])


def _and(names: Sequence[str]) -> str:
    named = [f"“{name}”" for name in names]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
