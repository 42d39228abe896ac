"""Whether passwords can be guessed without end."""

from __future__ import annotations

from statistics import median
from typing import Any

from pydantic import Field

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Severity, Status, counted, not_measured
from readiness.sources.callers import AT_ONCE
from readiness.sources.guessing import guesses
from readiness.sources.login import opened

FEW = 5  # guesses at the beginning and at the end, whose times are compared


class Lockout(Criteria):
    within: int = Field(default=50, ge=3)  # guesses, by when something must have happened
    slower_by: float = Field(default=4, gt=1)  # times, for a slow-down that counts
    slow_ms: float = 1000  # and as much at least
    address_limit_suffices: bool = False  # many addresses guess at one account, too


@check(
    "SEC-AUTHN-LOCKOUT",
    sources=[guesses],
    severity="high",
    criteria=Lockout,
    references=[
        "CWE-307",
        "CWE-204",
        "OWASP ASVS 5.0 6.3.1",
        "OWASP Cheat Sheet: Authentication",
        "NIST SP 800-63B-4 3.2.2",
    ],
)
def guessing_is_slowed(tried: Evidence, criteria: Lockout) -> Judgement:
    """Repeated failed logins lock or slow the account

    At an account that is there to be sacrificed, the right password is seen to work, wrong ones are
    tried, and then the right one again, by several callers at once: refused to all, it shows the
    lock whatever the guesses were answered. Growing time to answer counts as well. Where everybody
    from the same address is limited alike, the audit waits as it is told and guesses on, since it
    is the account that must be protected. A lock must say when it ends, or be documented. Guesses
    at a name that nobody has are made beside it; where those are answered differently, the finding
    notes that names can be found out.

    Why: passwords are guessed by machines, from lists, at every account at once.
    Bad: fifty wrong passwords and no change; a limit by address only; a lock that each process has
    for itself; a lock without an end, which shuts out whomever one dislikes.
    Remedy: count failures by account where every process sees them, answer 423 or 429 with
    Retry-After after a few, let the lock end by itself, and answer the same for unknown names.
    """
    expected = f"the account locked or slowed within {criteria.within} wrong passwords, for a while"
    rows = [r for r in tried.records if r["who"] == "the account"]
    facts, made = tried.facts, len(rows)
    if not opened(facts["right_before"]):
        said = f"the right password was answered {facts['right_before'] or 'nothing'} at first"
        return not_measured(Reason.INCONCLUSIVE, expected, said)
    after = facts["right_after"]
    locked = after is not None and 400 <= after < 500
    slowed = _slowed(rows, criteria)
    if facts["by_address"] and not criteria.address_limit_suffices:
        said = (
            f"after {counted(made, 'guess').replace('guesss', 'guesses')} everybody from this "
            "address was limited, so whether the account is cannot be seen: raise "
            "target.http.max_wait_s, or judge by criteria address_limit_suffices"
        )
        return not_measured(Reason.INCONCLUSIVE, expected, said, made)
    if facts["stopped"] and not locked:
        said = f"{made} wrong passwords changed nothing, then: {facts['stopped']}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, made)
    if not locked and not slowed:
        return _open(rows, after, expected, criteria)
    if locked and (let_in := facts.get("let_in", 0)):
        said = (
            f"locked after {made} wrong passwords, and yet the right one was accepted {let_in} of "
            f"{AT_ONCE} times at once: not every process counts"
        )
        offender = {"problem": "locked in some processes only", "guesses": made}
        return Judgement(Status.FAIL, expected, said, made, offenders=[offender])
    if locked and (problem := _no_end(facts)):
        offender = {"problem": problem, "guesses": made}
        return Judgement(
            Status.FAIL,
            expected,
            f"locked after {made} wrong passwords, but {problem}",
            made,
            offenders=[offender],
            severity=Severity.MEDIUM,
        )
    how = f"the right password got {after} after {made} wrong ones" if locked else slowed
    return Judgement(
        Status.PASS, expected, f"{how}{_end(facts)}{_enumeration(tried)}{_left(facts)}", made
    )


def _open(
    rows: list[dict[str, Any]], after: int | None, expected: str, criteria: Lockout
) -> Judgement:
    """Nothing happened to the account: a failure, if enough was tried and answered."""
    made = len(rows)
    if not opened(after):
        said = f"after {made} wrong passwords the right one was answered {after or 'nothing'}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, made)
    refused = [r for r in rows if r["status"] in (400, 401, 403, 422)]
    if len(refused) < criteria.within:
        said = (
            f"{len(refused)} wrong passwords changed nothing, and {criteria.within} would have to "
            "be tried: raise target.http.lockout.most_attempts"
        )
        return not_measured(Reason.INCONCLUSIVE, expected, said, made)
    said = f"{made} wrong passwords in a row, then the right one was accepted, no slower"
    return Judgement(Status.FAIL, expected, said, made, offenders=[{"guesses": made}])


def _slowed(rows: list[dict[str, Any]], criteria: Lockout) -> str:
    """How much slower the last answers were than the first, if that counts."""
    times = [r["ms"] for r in rows if r["status"] is not None]
    if len(times) < 2 * FEW:
        return ""
    first, last = median(times[:FEW]), median(times[-FEW:])
    if last < max(criteria.slow_ms, criteria.slower_by * first):
        return ""
    return f"answers took {last:.0f} ms in the end and {first:.0f} ms at first"


def _no_end(facts: dict[str, Any]) -> str:
    if facts["unlocks_after_s"] is None:
        return "nothing says when it unlocks: no Retry-After, and no unlocks_after_s in parameters"
    if facts["right_later"] is not None and not opened(facts["right_later"]):
        return f"it still was {facts['unlocks_after_s']:g} s later, when it should have ended"
    return ""


def _end(facts: dict[str, Any]) -> str:
    after = facts["unlocks_after_s"]
    if after is None:
        return ""
    if opened(facts["right_later"]):
        return f"; unlocked after {after:g} s"
    return f"; said to unlock after {after:g} s, which was not waited for"


def _enumeration(tried: Evidence) -> str:
    """Whether the first guesses at a name that nobody has were answered differently."""
    kinds = {}
    for who in ("the account", "no such name"):
        rows = [r for r in tried.records if r["who"] == who][:FEW]
        kinds[who] = ({(r["status"], r["body"]) for r in rows[:3]}, [r["ms"] for r in rows])
    (known, known_ms), (unknown, unknown_ms) = kinds.values()
    if not known_ms or not unknown_ms:
        return ""
    if known.isdisjoint(unknown):
        return "; names can be found out: an unknown one is answered differently"
    quick, slow = sorted((median(known_ms), median(unknown_ms)))
    if slow > 2 * quick and slow - quick > 20:
        return f"; names can be found out by the time: {slow:.0f} ms or {quick:.0f} ms"
    return "; an unknown name is answered alike"


def _left(facts: dict[str, Any]) -> str:
    return f"; {facts['left']}" if facts.get("left") else ""
