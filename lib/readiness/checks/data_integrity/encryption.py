"""The service's own cipher: there and back, and nothing from what was tampered with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.cipher_code import round_trip as code_round_trip

THERE_AND_BACK = {
    "encrypts": "sealed",
    "opens_own": "the text",
    "ours_opens": "the text",
    "opens_ours": "the text",
}
SAID = {
    "encrypts": "what it makes of it is, by the format",
    "opens_own": "its own ciphertext comes back as",
    "ours_opens": "its ciphertext opens, by the format, as",
    "opens_ours": "a ciphertext by the format comes back as",
}


class RoundTrip(Criteria):
    nothing_is_refusal: bool = True  # None for a ciphertext that was tampered with, and no error


@check(
    "DAT-ENC-ROUNDTRIP",
    sources=[code_round_trip],
    severity="critical",
    criteria=RoundTrip,
    references=["CWE-353", "CWE-329", "CWE-176", "NIST SP 800-38D", "OWASP ASVS 5.0 11.3"],
)
def round_trip(trial: Evidence, criteria: RoundTrip) -> Judgement:
    """The service's cipher gives every text back and refuses whatever was tampered with

    The service's own code, in its own interpreter and under throwaway keys, encrypts texts that
    careless code spoils; each ciphertext is stored, read and decrypted, by the service and by an
    independent implementation of the declared format, and what that encrypts goes to the service.
    One text is encrypted hundreds of times, also in two forked workers. A sound ciphertext is
    changed at every byte, cut, given other prefixes, and opened under another key.

    Why: a cipher that alters a text loses data without a trace; one that accepts a changed
    ciphertext lets whoever can write to the database choose what users read; one that agrees only
    with itself cannot be read after the next rewrite.
    Bad: a cipher without authentication; Unicode that comes back normalised; a fixed nonce, or one
    that every worker draws alike; a prefix that is not looked at; a text that passes as encrypted
    because it begins like a ciphertext; garbage or an empty text in place of an error.
    Remedy: AES-GCM from a library, a nonce from `os.urandom` for each call, UTF-8 without
    normalising, the prefix checked before decrypting, and the error let through.
    """
    judges: dict[str, Callable[[dict[str, Any]], str | None]] = {
        "derivation": _derivation,
        "round trip": _there_and_back,
        "two encryptions": _two_encryptions,
        "refusal": lambda record: _refusal(record, criteria),
    }
    offenders: list[dict[Any, Any]] = []
    for record in trial.records:
        if problem := judges[record["group"]](record):
            case = {key: record[key] for key in ("format", "group", "case") if key in record}
            offenders.append(case | {"problem": problem})
    groups = Counter(record["group"] for record in trial.records)
    number = len(trial.records)
    wrong = Counter(offender["group"] for offender in offenders)
    first = {group: next(o for o in offenders if o["group"] == group) for group in wrong}
    listed = [f"{group} {n} of {groups[group]}" for group, n in wrong.items()]
    examples = [f"{group}, {o['case']}: {o['problem']}" for group, o in first.items()][:2]
    expected = (
        "every text comes back code point for code point, both ways between the service "
        "and the declared format; no nonce twice; every tampered ciphertext refused"
    )
    if not offenders and (untried := trial.facts["untried"]):
        said = f"what was tried is sound, but there is no code for {', '.join(untried)}"
        return not_measured(Reason.NO_PARAMETER, expected, f"{said}: set its code", number)
    own = all(code["derives"] for code in trial.facts["codes"])
    return verdict_of(
        offenders,
        samples=number,
        expected=expected,
        passed=f"{counted(groups['round trip'], 'text')} came back, "
        f"{counted(groups['refusal'], 'tampered ciphertext')} refused, "
        f"{counted(_encryptions(trial), 'encryption')} with as many nonces"
        + ("" if own else "; key derivation: the code has none of its own"),
        failed=f"{{n}} of {number} cases ({', '.join(listed)}); {'; '.join(examples)}",
    )


def _derivation(record: dict[str, Any]) -> str | None:
    said: str = record["derived"]
    return None if said == "the same key" else f"derives {said}"


def _there_and_back(record: dict[str, Any]) -> str | None:
    if record["holds_the_text"]:
        return "the ciphertext holds the text in clear"
    wrong = [step for step, right in THERE_AND_BACK.items() if record[step] != right]
    return "; ".join(f"{SAID[step]} {record[step]}" for step in wrong) or None


def _two_encryptions(record: dict[str, Any]) -> str | None:
    if "raised" in record:
        return str(record["raised"])
    values, nonces = record["values"], record["nonces"]
    if record["different_values"] < values:
        return f"{values} encryptions of one text gave {record['different_values']} ciphertexts"
    if record["different_nonces"] < nonces:
        return f"{nonces} encryptions used {record['different_nonces']} nonces"
    return None if nonces == values else f"{values - nonces} of {values} are no envelopes"


def _refusal(record: dict[str, Any], criteria: RoundTrip) -> str | None:
    answer: str = record["answer"]
    if answer.startswith("refused") or (answer == "nothing" and criteria.nothing_is_refusal):
        return None
    return f"answered {answer}"


def _encryptions(trial: Evidence) -> int:
    return sum(r.get("values", 0) for r in trial.records if r["group"] == "two encryptions")
