"""Known limitations, derived: grave failures, stubs, and what this audit did not see."""

from __future__ import annotations

from collections.abc import Sequence

from ..decision import Cell
from ..finding import Finding, Reason, Status
from ..policy import Policy
from ..record import Record
from ..standing import grave
from .blocks import Block, Bullets, Code, Heading, Paragraph, Piece, Quiet, Strong, Text
from .evidence_files import EvidenceFiles
from .finding_blocks import REASONS
from .sections import gravest_first
from .text import line, sentence

STUBS = "TEST-STUBS"
MOST_IDS = 40


def blocks(record: Record, policy: Policy, evidence: EvidenceFiles) -> list[Block]:
    stubs = _stubs(evidence)
    critical = [*_grave(record, policy), *_said(s for s in stubs if s["critical"])]
    critical += _blind_spots(record)
    other = [*_said(s for s in stubs if not s["critical"]), *_waived(record), *_carried(record)]
    return [
        Heading(3, "Critical: to be resolved before production"),
        _list(critical, "None was found."),
        Heading(3, "Not critical"),
        _list(other, "None was found."),
        Heading(3, "What this audit did not see"),
        _list(_unseen(record), "Every expected check was answered."),
    ]


def _list(items: Sequence[Text], none: str) -> Block:
    return Bullets(items) if items else Paragraph(none)


def _grave(record: Record, policy: Policy) -> list[Text]:
    failed = [f for f in record.findings if grave(f) and not f.waiver]
    return [
        [Strong(sentence(f.title)), f" {sentence(f.observed)} ", Code(f.check)]
        for f in gravest_first(failed, policy)
    ]


def _stubs(evidence: EvidenceFiles) -> list[dict[str, object]]:
    """The declared stubs, as the evidence of TEST-STUBS has them."""
    return [
        {
            "operation": r["operation"],
            "reason": r["reason"],
            "status": r.get("status"),
            "critical": r.get("critical") is True,
        }
        for r in evidence.records(STUBS)
        if isinstance(r.get("operation"), str) and isinstance(r.get("reason"), str)
    ]


def _said(stubs: object) -> list[Text]:
    return [
        [
            Strong(f"{line(s['operation'])} is a stub."),
            f" {sentence(s['reason'])}",
            *([f" It answers {line(s['status'])}."] if s["status"] else []),
        ]
        for s in stubs  # type: ignore[attr-defined]
    ]


def _blind_spots(record: Record) -> list[Text]:
    """Criteria of which nothing at all is known."""
    by_check = {f.check: f for f in record.findings}
    return [
        [
            Strong(f"{result.criterion}: nothing is known."),
            f" None of its {len(result.checks)} checks was answered.",
        ]
        for result in record.decision.criteria
        if result.production is Cell.NO_GO
        and not any(by_check[c].status.known for c in result.checks if c in by_check)
    ]


def _waived(record: Record) -> list[Text]:
    return [
        [Strong(f"{line(f.title)} is waived."), f" {line(f.waiver)} ", Code(f.check)]
        for f in record.findings
        if f.waiver
    ]


def _carried(record: Record) -> list[Text]:
    return [
        [
            Strong(f"{line(f.title)} was not measured."),
            " It failed in run ",
            Code(f.carried_over),
            " and counts as failed until it is measured again.",
        ]
        for f in record.findings
        if f.carried_over
    ]


def _unseen(record: Record) -> list[Text]:
    items: list[Text] = []
    for reason in Reason:
        found = [f for f in record.findings if f.reason is reason]
        if found:
            items.append(
                [Strong(f"{len(found)} not measured, {REASONS[reason]}:"), " ", *_ids(found)]
            )
    if broke := [f for f in record.findings if f.status is Status.ERROR]:
        items.append([Strong(f"{len(broke)} broke:"), " ", *_ids(broke)])
    if away := [f for f in record.findings if f.status is Status.NOT_APPLICABLE]:
        items.append([Strong(f"{len(away)} declared not applicable:"), " ", *_ids(away)])
    return items


def _ids(findings: Sequence[Finding]) -> list[Piece]:
    said: list[Piece] = []
    for finding in findings[:MOST_IDS]:
        said += [", "] if said else []
        said.append(Code(finding.check))
    return (
        [*said, Quiet(f" and {len(findings) - MOST_IDS} more")]
        if len(findings) > MOST_IDS
        else [*said, "."]
    )
