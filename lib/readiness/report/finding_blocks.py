"""A finding as blocks: the card of a notebook, and the full account in the assessment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..finding import Calibration, Finding, Reason, Severity, SpecimenResult, Status
from .blocks import (
    Block,
    Code,
    Column,
    Facts,
    Fold,
    Link,
    Mark,
    Paragraph,
    Quiet,
    Section,
    Strong,
    Table,
    Text,
    prose,
)
from .text import LONGEST, clean, line, sentence, value

_CITED = {
    re.compile(r"CWE-(\d+)\b"): "https://cwe.mitre.org/data/definitions/{}.html",
    re.compile(r"RFC (\d+)\b"): "https://www.rfc-editor.org/rfc/rfc{}",
}
MOST_OFFENDERS = 20  # shown; offenders.json has them all
MOST_COLUMNS = 6  # of the table of offenders
REASONS = {
    Reason.NO_PARAMETER: "a parameter is missing",
    Reason.NOT_PERMITTED: "the environment does not permit it",
    Reason.UNREACHABLE: "nothing answered",
    Reason.NO_SAMPLES: "there was nothing to look at",
    Reason.INCONCLUSIVE: "the evidence does not decide it",
    Reason.STALE: "the evidence is too old",
    Reason.TOOL_MISSING: "a program is missing",
    Reason.UNCALIBRATED: "the check could not prove itself",
    Reason.NO_CHECK: "this version cannot measure it yet",
}


def in_short(finding: Finding) -> str:
    """A finding on one line, for a terminal."""
    reason = f" ({finding.reason})" if finding.reason else ""
    mark = Mark.status(finding.status)
    return f"{mark}{reason}  {finding.check}: {line(finding.observed)}"


def card(finding: Finding) -> list[Block]:
    """What the notebook shows: the answer, what it rests on, and what to do."""
    pairs: list[tuple[str, Text]] = []
    if finding.expected:
        pairs.append(("Expected", clean(finding.expected)))
    pairs += [("Observed", clean(finding.observed)), ("Looked at", _looked_at(finding))]
    if finding.calibration:
        pairs.append(("Calibration", receipt(finding.calibration)))
    if finding.status is Status.FAIL:
        pairs.append(("Remedy", prose(sentence(finding.remedy, LONGEST))))
    body: list[Block] = [Paragraph(headline(finding), "headline"), Facts(pairs)]
    if finding.offenders:
        body.append(offenders(finding))
    return [Section(f"finding {Mark.status(finding.status).tone}", body)]


def headline(finding: Finding) -> list[Any]:
    """Status, id and question, with what qualifies them."""
    said = [Mark.status(finding.status), " ", Code(finding.check), " ", Strong(line(finding.title))]
    asides = [REASONS[finding.reason]] if finding.reason else []
    asides += ["waived"] if finding.waiver else []
    asides += [f"carried over from {finding.carried_over}"] if finding.carried_over else []
    asides += ["exploratory: not part of the record"] if finding.exploratory else []
    return [*said, " ", Quiet("; ".join(asides))] if asides else said


def receipt(calibration: Calibration) -> list[Any]:
    """The calibration in a line: how many specimens of each kind got the answer they must get."""
    kinds = (
        ("known bad", calibration.known_bad),
        ("known good", calibration.known_good),
        ("unreachable", calibration.unreachable),
    )
    said = [f"{sum(r.as_expected for r in kept)} of {len(kept)} {name}" for name, kept in kinds]
    holds = "told apart" if calibration.holds else "NOT told apart"
    return [f"{', '.join(said)}: {holds}"]


def account(finding: Finding) -> Fold:
    """Everything about a finding, folded: what a reader needs to contradict it."""
    pairs: list[tuple[str, Text]] = []
    if finding.expected:
        pairs.append(("Expected", clean(finding.expected)))
    pairs += [("Observed", clean(finding.observed)), ("Looked at", _looked_at(finding))]
    if finding.waiver:
        pairs.append(("Waiver", clean(finding.waiver)))
    if finding.carried_over:
        run = Code(finding.carried_over)
        pairs.append(("Carried over", ["not measured in this run; it failed in run ", run]))
    if finding.criteria:
        pairs.append(("Judged by", value(finding.criteria, 600)))
    if finding.why:
        pairs.append(("Why it matters", prose(sentence(finding.why, LONGEST))))
    if finding.remedy:
        pairs.append(("Remedy", prose(sentence(finding.remedy, LONGEST))))
    if finding.references:
        pairs.append(("References", references(finding.references)))
    if finding.evidence:
        pairs.append(("Evidence", _evidence(finding)))
    if finding.calibration and finding.calibration.holds:
        pairs += told_apart(finding.calibration)
    measured = f"{finding.measured_at:%Y-%m-%d %H:%M:%S} UTC, in {finding.duration_s:.2f} s"
    pairs.append(("Measured", measured))
    body: list[Block] = [Facts(pairs)]
    if finding.offenders:
        body.append(offenders(finding))
    if finding.calibration and not finding.calibration.holds:
        body.append(specimens(finding.calibration))
    return Fold(headline(finding), body, finding.check, Mark.status(finding.status).tone)


def offenders(finding: Finding) -> Table:
    """What made the check fail, one a row; cut with the count said."""
    shown = finding.offenders[:MOST_OFFENDERS]
    names = list(dict.fromkeys(name for one in shown for name in one))
    columns = names[:MOST_COLUMNS]
    numbers = {c: all(isinstance(o.get(c), (int, float)) for o in shown) for c in columns}
    total = max(finding.offenders_total, len(finding.offenders))
    left_out = [f"{len(shown)} of {total:,} shown"] if total > len(shown) else []
    left_out += [f"{len(names) - len(columns)} columns left out"] if len(names) > 6 else []
    return Table(
        [Column(line(c, 60).replace("_", " "), numbers[c]) for c in columns],
        [[value(one.get(c), 200) for c in columns] for one in shown],
        caption="What was found",
        note=f"{'; '.join(left_out)}. All are in the evidence." if left_out else "",
    )


def told_apart(calibration: Calibration) -> list[tuple[str, Text]]:
    """The receipt of a calibration that holds: the specimens of each kind, and what they gave."""
    kinds = (
        ("Known bad", calibration.known_bad),
        ("Known good", calibration.known_good),
        ("Unreachable", calibration.unreachable),
    )
    return [(kind, _each(results)) for kind, results in kinds]


def _each(results: Sequence[SpecimenResult]) -> list[Any]:
    said: list[Any] = [Mark.status(results[0].status), ": "]
    for n, result in enumerate(results):
        said += ["; " if n else "", Code(result.specimen), " ", Quiet(line(result.shows))]
    return said


def specimens(calibration: Calibration) -> Table:
    """The receipt of a calibration that does not hold: what each specimen must give and gave."""

    def row(result: SpecimenResult) -> list[Text]:
        gave: list[Any] = [Mark.status(result.status)]
        gave += [] if result.as_expected else [" ", Strong("wrong")]
        shows = line(result.shows)
        return [[Code(result.specimen), " ", Quiet(shows)], Mark.status(result.expected), gave]

    caption = "Calibration in this run: the check did not tell its specimens apart"
    return Table(
        ["Specimen", "Must give", "Gave"], [row(r) for r in calibration.results()], caption
    )


def references(given: Sequence[str]) -> list[Any]:
    """References as they are cited; an address and what has a known one become links."""
    said: list[Any] = []
    for reference in given:
        said += [", "] if said else []
        cited, _, aside = reference.partition(" ")
        if cited.startswith("https://"):
            said += [Link(cited, cited), *([f" {line(aside)}"] if aside else [])]
        elif known := next((m for p in _CITED if (m := p.match(reference))), None):
            address = _CITED[known.re].format(known[1])
            said += [Link(known[0], address), line(reference[known.end() :])]
        else:
            said.append(line(reference))
    return said


def weight_of(severity: Severity) -> int:
    """The rank of a severity, gravest first."""
    return list(Severity).index(severity)


def _looked_at(finding: Finding) -> str:
    counted = f"{finding.samples:,} {'sample' if finding.samples == 1 else 'samples'}"
    return f"{counted}; strength {finding.strength.lower()}; severity {finding.severity}"


def _evidence(finding: Finding) -> list[Any]:
    said: list[Any] = []
    for file in finding.evidence:
        said += [", "] if said else []
        here = not finding.carried_over  # else it lies in the run that is named
        said += [Link(file.path, file.path) if here else Code(file.path)]
        said += [" ", Quiet("SHA-256"), " ", Code(file.sha256)]
    return said
