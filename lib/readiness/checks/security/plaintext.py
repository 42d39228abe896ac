"""Secrets and people in clear, anywhere in the database."""

from __future__ import annotations

from collections import Counter

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.detectors import severity_of
from readiness.sources.plaintext import elsewhere as searched
from readiness.sources.plaintext import sensitive_columns


@check(
    "SEC-PLAINTEXT",
    sources=[sensitive_columns, searched],
    severity="critical",
    references=["CWE-312", "CWE-359", "OWASP ASVS 5.0 14.2", "PCI DSS 4.0 3.5", "BIP-39"],
)
def nothing_in_clear(columns: Evidence, elsewhere: Evidence, criteria: Criteria) -> Judgement:
    """No secret and no undeclared personal data stands in clear anywhere in the database

    The declared columns must hold envelopes only. Every other text, JSON document, array, composite
    value, hstore, XML, bytes and large object of every schema is searched for what proves itself:
    WIF and extended private keys by their checksums, BIP-39 phrases of twelve languages by theirs,
    PEM keys, credentials by the beginnings that their issuers gave them, JSON Web Tokens, passwords
    in URLs, card numbers by issuer and check digit; and documents for fields named like a sensitive
    column. A digest, an identifier or a ciphertext proves nothing of the kind. E-mail addresses and
    phone numbers that stand in a column that nobody declared (`target.plaintext.allowed`) fail with
    medium severity: a service may well keep them, but then somebody has to say where.

    Why: whoever reads a replica, a dump or a log table has what stands there in clear, and a column
    that nobody thinks of is the one that nobody encrypts.
    Bad: a seed phrase in a note; a token in the JSON of an audit log; a card number in a comment;
    mother_name in clear inside a document.
    Remedy: encrypt or remove the offenders and what wrote them; revoke credentials that stood
    there; declare the columns that hold personal data on purpose.
    """
    expected = "no secret and no undeclared personal data in any column of any table"
    total, values = values_of(columns)
    cells = sum(r["columns"] for r in elsewhere.records if not r.get("empty", True))
    offenders = [*columns.facts["clear"], *elsewhere.facts["hits"]]
    gaps = unread(columns) + unread(elsewhere, "table")
    if not offenders and gaps:
        return not_measured(
            Reason.INCONCLUSIVE, expected, f"not all was read: {'; '.join(gaps)}", values + cells
        )
    said = [f"{total['clear']} of {counted(values, 'value')} in clear ({by_column(columns)})"]
    said = said * bool(total["clear"]) + found_in(elsewhere)
    sealed = f"{counted(values, 'value')} of sensitive columns encrypted"
    none = "no column is declared sensitive (target.encryption)"
    return verdict_of(
        offenders,
        samples=values + cells,
        expected=expected,
        passed=f"{sealed if columns.records else none}; {searched_in(elsewhere)}",
        failed="; ".join(said),
        severity=None if columns.facts["clear"] else severity_of(elsewhere.facts["hits"]),
    )


def values_of(columns: Evidence) -> tuple[Counter[str], int]:
    """The declared columns' values by what they are, and their number without what is empty."""
    total = Counter[str]()
    for record in columns.records:
        total.update({name: record.get(name, 0) for name in ("envelopes", "legacy", "clear")})
    return total, total["envelopes"] + total["legacy"] + total["clear"]


def unread(evidence: Evidence, name: str = "column") -> list[str]:
    return [f"{r[name]}: {r['problem']}" for r in evidence.records if "problem" in r]


def searched_in(elsewhere: Evidence) -> str:
    tables = [r for r in elsewhere.records if not r.get("empty", True)]
    columns = counted(sum(r["columns"] for r in tables), "other column")
    said = f"nothing found in {columns} of {counted(len(tables), 'table')}"
    declared = [one["column"] for one in elsewhere.facts["left_out"]]
    numbers = sum(r.get("numbers", 0) for r in elsewhere.records)
    if declared:
        said += f", with what is declared for {', '.join(declared[:4])} left out"
    if numbers:
        said += f" ({numbers} numbers look like cards as often as any number does)"
    return said


def found_in(elsewhere: Evidence) -> list[str]:
    """What was found, by kind, with the columns that hold most."""
    places: dict[str, Counter[str]] = {}
    for hit in elsewhere.facts["hits"]:
        places.setdefault(hit["kind"], Counter())[hit["column"]] += 1
    return [
        f"{kind} in {', '.join(column for column, _ in found.most_common(3))}"
        + (f" and {len(found) - 3} more" if len(found) > 3 else "")
        for kind, found in places.items()
    ]


def by_column(columns: Evidence) -> str:
    clear = [(r["clear"], r["column"]) for r in columns.records if r.get("clear")]
    return ", ".join(f"{column}: {n}" for n, column in sorted(clear, reverse=True)[:4])
