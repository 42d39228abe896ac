"""Soft deletion: the row stays, and nothing serves it."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.soft_delete import deletions


@check(
    "DAT-SOFT-DELETE",
    sources=[deletions],
    severity="high",
    references=["CWE-212", "CWE-459", "OWASP ASVS 5.0 14.2"],
)
def deleted_and_kept(removal: Evidence, criteria: Criteria) -> Judgement:
    """What is deleted stays in its table, marked, and is not served any more

    An object is created through the API, seen by its id, in lists, in searches and in counts, and
    deleted. Then it must be seen nowhere: every look is taken three times, as another worker or a
    cache may answer the next one. And its row must still be there, marked as deleted. A look that
    did not see it while it was there proves nothing when it does not see it afterwards.

    Why: what a user deleted and still finds in a list, or another user does, is a broken promise;
    what was promised to be kept and is gone cannot be restored, and no audit can ask about it.
    Bad: DELETE that removes the row; a deleted row that a list, a search or a count still has.
    Remedy: mark the row in the deleting operation, and let every query that serves rows leave the
    marked ones out: by a view, a default scope of the ORM, or a row policy, and not by hand.
    """
    expected = "after the deletion the row is there and marked, and no answer has it"
    offenders, unclear = [], []
    for record in removal.records:
        said, bad = _verdict(record)
        if bad:
            offenders.append({**record, "problem": said})
        elif said:
            unclear.append(f"{record['where']}: {said}")
    if not offenders and unclear:
        return not_measured(
            Reason.INCONCLUSIVE, expected, "; ".join(unclear), len(removal.records) - len(unclear)
        )
    kept = len(removal.facts["left"])
    return verdict_of(
        offenders,
        samples=len(removal.records),
        expected=expected,
        passed=f"{counted(kept, 'deleted row')} kept and marked, and not served in "
        f"{counted(len(removal.records) - kept, 'place')} that had it before",
        failed="; ".join(f"{o['where']} ({o['how']}): {o['problem']}" for o in offenders[:4]),
    )


def _verdict(record: dict[str, Any]) -> tuple[str, bool]:
    """What is wrong with one look or unclear about it, and which of the two."""
    how, before, after = record["how"], record["before"], record["after"]
    if how in ("created", "removed"):
        return str(after), False
    if how == "row":
        if after == "gone" and before != "gone":
            return "the row is gone: it was deleted for good", True
        if after == "there":
            return "the row is there and not marked as deleted", True
        return ("", False) if after == "marked" and before == "there" else (
            f"before: {before}, after: {after}", False
        )  # fmt: skip
    if how == "counted":
        if not isinstance(before, int) or not isinstance(after, int):
            return f"no number: {before}, {after}", False
        if after == before:
            return f"still counted: {after}", True
        return ("", False) if after == before - 1 else (f"counts {before}, then {after}", False)
    if after == "served":
        return "still served", True
    if before != "served":
        return f"did not have it while it was there ({before}), so it proves nothing", False
    return ("", False) if after == "not served" else (f"answered {after}", False)
