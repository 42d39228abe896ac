"""What differs between two runs of an environment, and what caused each difference.

A cause is computed, not guessed: from the earlier answer to the later one, one thing after the
other is changed (the check's code, its criteria, the evidence), and the step at which the answer
turns is its cause. Evidence is judged again for that, by this version's checks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ..evidence import Evidence
from ..finding import Finding, Reason, Status
from ..record import Record
from ..variables import redact
from . import difference, judging
from .difference import ABSENT, Difference
from .outcome import Shift, shifts

SHOWN = 12  # differences of evidence in a flip
LONGEST = 160


class Cause(StrEnum):
    TARGET = "the target changed"
    CHECK = "the check changed"
    THRESHOLD = "the threshold changed"
    POLICY = "the policy changed"
    DECLARATION = "a declaration changed"
    WAIVER_BEGAN = "a waiver began"
    WAIVER_ENDED = "a waiver ended"
    LOST = "evidence was lost"
    GAINED = "evidence was gained"
    CARRIED_OVER = "carried over"
    UNKNOWN = "cannot be told"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Changed(_Strict):
    """A place in the evidence on which the flip rests: what stood there, and what stands there."""

    where: str
    before: str
    after: str


class Flip(_Strict):
    """A check that answers otherwise, or whose answer counts otherwise."""

    check: str
    area: str
    before: str
    after: str
    causes: list[Cause]
    why: list[str] = []
    evidence: list[Changed] = []  # the least change of the evidence that turns the answer
    evidence_total: int = 0
    observed: str = ""


class Comparison(_Strict):
    """Two runs, the earlier first."""

    before: str
    after: str
    flips: list[Flip]
    outcome: list[Shift]  # colours and verdicts that differ
    notes: list[str]


def compare(before: Path, after: Path) -> Comparison:
    """Compare two run folders; raises RecordError when one cannot be read."""
    old, new = Record.read(before), Record.read(after)
    flips = list(_flips((before, old), (after, new)))
    return Comparison(
        before=old.run,
        after=new.run,
        flips=flips,
        outcome=shifts((before, old), (after, new), {f.check for f in flips}),
        notes=list(_notes(old, new)),
    )


Run = tuple[Path, Record]


def _notes(old: Record, new: Record) -> Iterator[str]:
    if old.environment != new.environment:
        yield f"two environments: {old.environment} and {new.environment}"
    if old.tool != new.tool:
        yield f"the tool: {old.tool.commit} before, {new.tool.commit} after"
    if old.target.commit != new.target.commit:
        said = (record.target.commit or "unknown" for record in (old, new))
        yield "the target's commit: {} before, {} after".format(*said)
    if old.permit != new.permit:
        yield f"permitted: {', '.join(old.permit)} before, {', '.join(new.permit)} after"
    if old.policy != new.policy:
        yield "params/policy.yaml says something else"


def _flips(before: Run, after: Run) -> Iterator[Flip]:
    olds = {f.check: f for f in before[1].findings}
    news = {f.check: f for f in after[1].findings}
    for check in [*olds, *(c for c in news if c not in olds)]:
        old, new = olds.get(check), news.get(check)
        if old is None or new is None:
            yield _came_or_went(old, new, before[1], after[1])
        elif _stands(old) != _stands(new):
            yield _flip(old, new, before, after)


def _stands(finding: Finding) -> tuple[object, ...]:
    """What makes a finding count as it does."""
    waived = finding.waiver is not None
    return judging.answer_of(finding), waived, finding.carried_over is not None


def _came_or_went(old: Finding | None, new: Finding | None, before: Record, after: Record) -> Flip:
    finding = old or new
    assert finding is not None
    covered = [finding.area in {n.area for n in record.notebooks} for record in (before, after)]
    cause, why = Cause.POLICY, f"policy {'expects' if new else 'no longer expects'} it"
    if not covered[1]:
        cause, why = Cause.LOST, "its area was not part of the later run"
    elif not covered[0]:
        cause, why = Cause.GAINED, "its area was not part of the earlier run"
    elif before.policy == after.policy:
        cause, why = Cause.UNKNOWN, "one run has no answer of it, though policy is the same"
    said = [str(judging.answer_of(f)) if f else "absent" for f in (old, new)]
    return Flip(
        check=finding.check,
        area=finding.area,
        before=said[0],
        after=said[1],
        causes=[cause],
        why=[why],
        observed=new.observed if new else "",
    )


def _flip(old: Finding, new: Finding, before: Run, after: Run) -> Flip:
    causes: list[Cause] = []
    why: list[str] = []
    found: list[Difference] = []

    def caused(cause: Cause, because: str) -> None:
        causes.append(cause)
        why.append(redact(because))

    if new.carried_over and not old.carried_over:
        caused(Cause.LOST, "it could not be measured in the later run")
        caused(Cause.CARRIED_OVER, f"so its failure in {new.carried_over} stands")
    elif judging.answer_of(old) != judging.answer_of(new) or old.carried_over != new.carried_over:
        found = _trace(old, new, before, after, caused)
    if new.waiver and not old.waiver:
        caused(Cause.WAIVER_BEGAN, new.waiver)
    elif old.waiver and not new.waiver and new.status is Status.FAIL:
        caused(Cause.WAIVER_ENDED, _ended(new, after[1]) or old.waiver)
    elif old.waiver and not new.waiver and not causes:
        caused(Cause.WAIVER_ENDED, old.waiver)
    return Flip(
        check=new.check,
        area=new.area,
        before=_said(old),
        after=_said(new),
        causes=list(dict.fromkeys(causes)),
        why=why,
        evidence=[_shown(one) for one in found[:SHOWN]],
        evidence_total=len(found),
        observed=new.observed,
    )


def _said(finding: Finding) -> str:
    waived = ", waived" if finding.waiver else ""
    carried = f", carried over from {finding.carried_over}" if finding.carried_over else ""
    return f"{judging.answer_of(finding)}{carried}{waived}"


def _ended(finding: Finding, after: Record) -> str:
    """Why a waiver on file no longer counts."""
    ignored = (w.ignored for w in after.waivers if w.check == finding.check and w.ignored)
    return next(ignored, "it is not on file any more")


def _trace(old: Finding, new: Finding, before: Run, after: Run, caused: Any) -> list[Difference]:
    """Name the causes of another answer; returns the least change of the evidence behind it."""
    if Status.NOT_APPLICABLE in (old.status, new.status):
        declared = new if new.status is Status.NOT_APPLICABLE else old
        now = "" if declared is new else "no longer "
        caused(Cause.DECLARATION, f"{now}{declared.observed or 'declared not applicable'}")
        return []
    if Reason.NO_CHECK in (old.reason, new.reason):
        had = "earlier" if old.reason is Reason.NO_CHECK else "later"
        caused(Cause.CHECK, f"the {had} version could not measure it")
        return []
    if Reason.UNCALIBRATED in (old.reason, new.reason):
        same = old.criteria == new.criteria
        caused(Cause.CHECK if same else Cause.THRESHOLD, (new if new.reason else old).observed)
        return []
    here, there = judging.kept(before[0], old), judging.kept(after[0], new)
    if here is None or there is None:
        _without_evidence(old, new, before[1], after[1], caused)
        return []
    was, is_ = judging.answer_of(old), judging.answer_of(new)
    same_check = _same_check(new.check, before[1], after[1])
    try:
        judged = here.answer()
        by_threshold = here.answer(there.finding.criteria)
        final = there.answer()
    except ValueError as unknown:
        caused(Cause.CHECK, f"its criteria are other ones: {unknown}")
        return []
    if final != is_:  # the later version's check is not the present one: the last step is its
        caused(Cause.CHECK, f"this version says {final} of the later evidence")
    if judged != was and not same_check:
        caused(Cause.CHECK, f"of the earlier evidence it now says {judged}")
    if by_threshold != judged:
        caused(Cause.THRESHOLD, _criteria_said(old.criteria, new.criteria))
    if by_threshold == final:
        if not _known_causes(old, new, judged, was, same_check, by_threshold):
            caused(Cause.UNKNOWN, "the same evidence and criteria are judged the same")
        return []
    found = _least(here, there, by_threshold, final)
    caused(_of_evidence(old, new), _evidence_said(old, new, same_check))
    return found


def _known_causes(
    old: Finding, new: Finding, judged: object, was: object, same_check: bool, threshold: object
) -> bool:
    return (judged != was and not same_check) or threshold != judged


def _of_evidence(old: Finding, new: Finding) -> Cause:
    if old.status.known and not new.status.known:
        return Cause.LOST
    return Cause.GAINED if new.status.known and not old.status.known else Cause.TARGET


def _evidence_said(old: Finding, new: Finding, same_check: bool) -> str:
    said = "the evidence differs; the check and its criteria turn nothing"
    if _of_evidence(old, new) is Cause.LOST:
        said = f"nothing was measured: {new.observed}"
    if _of_evidence(old, new) is Cause.GAINED:
        said = f"nothing had been measured: {old.observed}"
    return said if same_check else f"{said} (how it is collected may have changed too)"


def _without_evidence(
    old: Finding, new: Finding, before: Record, after: Record, caused: Any
) -> None:
    """The cause by what the records alone say: digests, criteria, versions."""
    if not new.status.known:
        caused(Cause.LOST, new.observed)
    elif not old.status.known:
        caused(Cause.GAINED, old.observed)
    else:
        if not _same_check(new.check, before, after):
            caused(Cause.CHECK, "it was another version, and no evidence is left to judge again")
        if old.criteria != new.criteria:
            caused(Cause.THRESHOLD, _criteria_said(old.criteria, new.criteria))
        digests = [{e.path: e.sha256 for e in f.evidence} for f in (old, new)]
        if digests[0] and digests[1] and digests[0] != digests[1]:
            caused(Cause.TARGET, "the evidence's digest differs")
        elif old.criteria == new.criteria and _same_check(new.check, before, after):
            caused(Cause.UNKNOWN, "no evidence is left to judge again")


def _same_check(check: str, before: Record, after: Record) -> bool:
    """Whether both runs had the same code, sources and specimens for a check."""
    made = [record.checks.get(check) for record in (before, after)]
    if all(made):
        return made[0] == made[1]
    commit = before.tool.commit
    return before.tool == after.tool and commit != "unknown" and not commit.endswith("+changes")


def _criteria_said(old: dict[str, Any], new: dict[str, Any]) -> str:
    found = (_shown(one) for one in difference.differences(old, new)[:SHOWN])
    return "; ".join(f"{c.where}: {c.before} -> {c.after}" for c in found)


def _least(
    here: judging.Kept, there: judging.Kept, old: judging.Answer, new: judging.Answer
) -> list[Difference]:
    """The least change of the earlier evidence that gives the later answer."""
    names = here.check.inputs
    before, after = (
        {n: _document(e) for n, e in zip(names, k.evidence, strict=True)} for k in (here, there)
    )
    found = difference.differences(before, after)

    def turns(part: Sequence[Difference]) -> bool:
        taken = {one.place for one in part}
        made = difference.mixed(before, after, lambda place, *_: place in taken)
        evidence = [_evidence(made[n], e) for n, e in zip(names, there.evidence, strict=True)]
        try:
            return there.answer(evidence=evidence) == new
        except (ValueError, TypeError, KeyError, AttributeError):
            return False

    return difference.smallest(found, turns) if turns(found) else found


def _document(evidence: Evidence) -> dict[str, Any]:
    problem = evidence.problem
    said = {"status": problem.status, "message": problem.message} if problem else None
    # Until it failed or where it failed, what was collected explains less than that it failed.
    return {"records": evidence.records, "facts": evidence.facts, "problem": said}


def _evidence(document: dict[str, Any], like: Evidence) -> Evidence:
    return Evidence(
        like.source,
        like.collected_at,
        like.duration_s,
        document["records"],
        document["facts"],
        like.tools,
        like.problem if document["problem"] else None,
    )


def _shown(found: Difference) -> Changed:
    before, after = _apart(found.before, found.after)
    return Changed(where=" > ".join(found.place), before=before, after=after)


def _apart(before: Any, after: Any) -> tuple[str, str]:
    """Two values as short texts that begin where they begin to differ."""
    texts = [
        redact(v if isinstance(v, str) else "absent" if v is ABSENT else repr(v))
        for v in (before, after)
    ]
    if max(map(len, texts)) > LONGEST:
        same = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), 0)
        start = max(0, same - 40)
        texts = [("…" if start else "") + t[start : start + LONGEST] for t in texts]
    return texts[0], texts[1]
