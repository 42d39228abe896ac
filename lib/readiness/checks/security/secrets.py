"""Secrets where they should not be: in the repository."""

from __future__ import annotations

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, Status, counted, not_measured
from readiness.sources.secrets import found


@check(
    "SEC-SECRETS",
    sources=[found],
    severity="critical",
    strength="CONFIGURED",
    references=["CWE-798", "CWE-540", "OWASP ASVS 5.0 13.3", "detect-secrets"],
)
def no_secret_in_the_repository(secrets: Evidence, criteria: Criteria) -> Judgement:
    """No secret in tree, history or built assets

    Every file, every line that a commit ever added, and the built front end are searched for
    well-known tokens (with their checksums where they have one), keys, passwords in addresses,
    literals that are given to names of secrets, build arguments of images, and for the very values
    that the parameters of this audit name. A .env must not be committed. Findings are places, rules
    and fingerprints; no value is written.

    Why: who may read the repository, a clone of it or the page's script has the secret for good.
    Bad: a live-looking key in a test file; one that was deleted two commits ago; VITE_API_SECRET.
    Remedy: revoke it first, it is known; take it from the environment or a vault; then rewrite the
    history. What is meant to be there stands under target.repository.secret_allowances.
    """
    expected = "none in the files, in the history and in the built front end"
    facts = secrets.facts
    offenders = [r for r in secrets.records if not r["allowed"]]
    if offenders:
        distinct = len({r["fingerprint"] for r in offenders})
        told = [f"{r['file']}:{r['line']} ({r['rule']}, {r['where']})" for r in offenders]
        said = f"{counted(distinct, 'secret')} in {counted(len(told), 'place')}: "
        return Judgement(
            Status.FAIL, expected, said + "; ".join(told[:4]), facts["files"], offenders=offenders
        )
    gaps = [f"{name} is not there: build it first" for name, n in facts["assets"].items() if not n]
    if facts["history"]["incomplete"]:
        gaps.append(f"history: {facts['history']['incomplete']}")
    if facts["cut"]:
        gaps.append("there are more files than are read")
    if gaps:
        said = f"nothing in {counted(facts['files'], 'file')}, but not all was read: "
        return not_measured(Reason.INCONCLUSIVE, expected, said + "; ".join(gaps), facts["files"])
    said = f"nothing in {counted(facts['files'], 'file')}, "
    said += f"{counted(facts['history']['commits'], 'commit')}"
    said += f", {counted(sum(facts['assets'].values()), 'built file')}" if facts["assets"] else ""
    meant = [r for r in secrets.records if r["allowed"]]
    said += f"; {counted(len(meant), 'place')} allowed" if meant else ""
    said += f"; {counted(facts['skipped'], 'file')} binary or too large" if facts["skipped"] else ""
    return Judgement(Status.PASS, expected, said, facts["files"])
