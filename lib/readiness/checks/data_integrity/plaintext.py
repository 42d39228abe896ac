"""Sensitive values: encrypted in their columns, and nowhere else in clear."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.checks.security.plaintext import (
    by_column,
    found_in,
    searched_in,
    unread,
    values_of,
)
from readiness.evidence import Evidence
from readiness.finding import NOT_SET, Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.detectors import severity_of
from readiness.sources.plaintext import canaries as written_canaries
from readiness.sources.plaintext import elsewhere as searched
from readiness.sources.plaintext import sensitive_columns

# Where no canary was written, and the parameters could not have it otherwise.
COLUMNS_ONLY = {
    "not permitted": "no canary was written, as active is not permitted here",
    "no service": "no canary was written, as there is no service to write it through",
}


class Plaintext(Criteria):
    canary_required: bool = False  # also where writing one is not permitted


@check(
    "DAT-PLAINTEXT",
    sources=[sensitive_columns, searched, written_canaries],
    severity="critical",
    criteria=Plaintext,
    references=["CWE-312", "CWE-311", "OWASP ASVS 5.0 14.2", "OWASP ASVS 5.0 11.3"],
)
def sensitive_values(
    columns: Evidence, elsewhere: Evidence, canaries: Evidence, criteria: Plaintext
) -> Judgement:
    """No sensitive value stands in clear: not in its column, and not as a copy elsewhere

    Three things are looked at. Every value of the declared columns must have a well-formed
    envelope: a prefix with anything behind it has none, nor has a text or a key in base64 behind
    the prefix; NULL and the empty text hold nothing. Every other column that can hold a text is
    searched (see SEC-PLAINTEXT). And where the environment permits to write, unique values are
    written through the service's API and then looked for in every column of every table, in the
    logs and in the backups, as they are, in hexadecimal, in base64, URL-encoded and as UTF-16; they
    must be found encrypted, which proves that it was this database that they went to, and nowhere
    in clear. Where writing is not permitted the rest alone is judged, and the answer says so;
    criteria may require the canary there too. A well-formed envelope that does not open under the
    configured key is for SEC-ENC-REST to judge.

    Why: a backup, a replica or a dump for the developers gives away whatever stands in clear, and
    one forgotten copy in a log table undoes all encryption of the original.
    Bad: one clear row among a million; `ENC4:hello`; a value that is encrypted in its column and
    copied into the JSON of an audit log.
    Remedy: encrypt the offenders where they stand, find what wrote them (a migration, an import, a
    logging of whole requests), and take them out of older backups too.
    """
    expected = "every value of the sensitive columns is encrypted, and no copy stands elsewhere"
    state = canaries.facts["state"]
    if state not in COLUMNS_ONLY:
        expected += "; what is written through the API is found in clear nowhere"
    total, values = values_of(columns)
    accepted = [record for record in canaries.records if record["accepted"]]
    samples = values + len(accepted)
    offenders = [*columns.facts["clear"], *elsewhere.facts["hits"], *canaries.facts["hits"]]
    if not columns.records:
        return not_measured(Reason.NO_PARAMETER, expected, f"target.encryption{NOT_SET}")
    if not offenders and (gap := _gap(columns, elsewhere, canaries, criteria)):
        return not_measured(gap[0], expected, gap[1], samples)
    passed = [
        f"{counted(values, 'value')} in {counted(len(columns.records), 'column')}, none in clear"
    ]
    passed += [f"{total['legacy']} of them in an older format"] * bool(total["legacy"])
    passed += [
        searched_in(elsewhere),
        COLUMNS_ONLY.get(state) or _found_encrypted(canaries, accepted),
    ]
    said = [f"{total['clear']} of {counted(values, 'value')} in clear ({by_column(columns)})"]
    said = said * bool(total["clear"]) + found_in(elsewhere) + _copies(canaries)
    only_found = bool(elsewhere.facts["hits"]) and len(offenders) == len(elsewhere.facts["hits"])
    return verdict_of(
        offenders,
        samples=samples,
        expected=expected,
        passed="; ".join(passed),
        failed="; ".join(said) + _left(canaries),
        severity=severity_of(elsewhere.facts["hits"]) if only_found else None,
    )


def _gap(
    columns: Evidence, elsewhere: Evidence, canaries: Evidence, criteria: Plaintext
) -> tuple[Reason, str] | None:
    """Why it cannot be said that nothing stands in clear, though nothing was found."""
    facts, state = canaries.facts, canaries.facts["state"]
    if gaps := unread(columns) + unread(elsewhere, "table"):
        return Reason.INCONCLUSIVE, f"not all was read: {'; '.join(gaps)}"
    if state in COLUMNS_ONLY:
        if criteria.canary_required:
            return Reason.NOT_PERMITTED, f"the criteria require a canary: {COLUMNS_ONLY[state]}"
        return None
    if state == "not declared":
        return Reason.NO_PARAMETER, "no canary is described under target.http.canaries"
    if state == "failed":
        return Reason(facts["reason"]), f"the canary could not be written: {facts['message']}"
    refused = [_canary(r) + f" ({r['answer']})" for r in canaries.records if not r["accepted"]]
    if refused:
        return Reason.INCONCLUSIVE, f"the service did not accept {', '.join(refused)}"
    lost = [_canary(r) for r in canaries.records if not r["encrypted_in"]]
    if lost:
        return (
            Reason.INCONCLUSIVE,
            f"the service accepted {', '.join(lost)}, but no sensitive column holds it: it does "
            "not store it, stores it in another way, or in another database",
        )
    if unsearched := [f"{n['table']}: {n['why']}" for n in facts["not_searched"]]:
        return Reason.INCONCLUSIVE, f"not searched for canaries: {'; '.join(unsearched)}"
    return None


def _canary(record: dict[str, Any]) -> str:
    return f"{record['operation']} {record['field']}"


def _copies(canaries: Evidence) -> list[str]:
    hits = canaries.facts["hits"]
    places = sorted({hit["column"] for hit in hits})
    return [f"a canary stands in clear in {', '.join(places[:4])}"] if hits else []


def _found_encrypted(canaries: Evidence, accepted: list[dict[str, Any]]) -> str:
    return (
        f"{counted(len(accepted), 'canary value')} encrypted in sensitive columns and in clear in "
        f"none of {counted(canaries.facts['searched'], 'table')}{_files(canaries)}{_left(canaries)}"
    )


def _files(canaries: Evidence) -> str:
    """The logs and backups: how many were searched, and which of them were not."""
    files = canaries.facts["files"]
    searched = sum(file["searched"] for file in files)
    said = f" and {counted(searched, 'log or backup')}" if searched else ""
    missed = [f"{f['file']}: {f['why']}" for f in files if not f["searched"]]
    return said.replace("backups", "backup files") + (
        f" (not searched: {'; '.join(missed[:3])})" if missed else ""
    )


def _left(canaries: Evidence) -> str:
    stay = [record for record in canaries.records if record["accepted"] and not record["removed"]]
    left = canaries.facts["left"]
    said = f"; {counted(len(stay), 'canary value')} not removed by the API" if stay else ""
    return said + (f"; a canary is left in {counted(len(left), 'place')}" if left else "")
