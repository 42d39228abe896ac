"""Whether a caller's text can become script in somebody's page."""

from __future__ import annotations

from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import (
    Judgement,
    Reason,
    Severity,
    Status,
    Strength,
    counted,
    not_measured,
)
from readiness.sources.probes import parameters
from readiness.sources.static_code import sinks

from .csp import ContentSecurityPolicy, csp_problem
from .injection import lost_probes, probed_in_full, too_few


class CrossSiteScripting(Criteria):
    min_reached: float = 0.5  # share of the parameters whose usual value is answered by the code


@check(
    "SEC-XSS",
    sources=[sinks, parameters],
    severity="high",
    criteria=CrossSiteScripting,
    partial=True,
    references=["CWE-79", "OWASP ASVS 5.0 1.2.1", "OWASP WSTG-INPV-01"],
)
def no_cross_site_scripting(
    front_end: Evidence, probed: Evidence, criteria: CrossSiteScripting
) -> Judgement:
    """No cross-site scripting

    Front ends and templates are searched for places where text becomes markup (React's, Vue's and
    Svelte's raw HTML, innerHTML, `|safe` and the like); each must sanitise its value on the spot or
    where its variable is given one. On the running service markup is sent into every parameter, and
    must not come back as it was in an answer that a browser shows as a page. What comes back where
    the page's policy would stop script is a lesser failure.

    Why: script in the page acts as the visitor, with everything the visitor may do.
    Bad: raw `dangerouslySetInnerHTML`; a search page that repeats `<script>`; JSON sent as
    text/html.
    Remedy: let the framework escape; pass what must be markup through DOMPurify; send JSON as
    application/json with nosniff. A place that is meant to be stands under code_allowances.
    """
    expected = "no markup of a caller in a page, and no unsanitised sink in the front end"
    raw = [r for r in front_end.records if not r["sanitised"] and not r["allowed"]]
    reflected = [
        {"operation": r["operation"], "parameter": r["parameter"], **r["reflected"]}
        for r in probed.records
        if r["reflected"] and (r["reflected"]["as_page"] or r["reflected"]["sniffed"])
    ]
    reached, possible = probed_in_full(probed)
    samples = len(reached) + front_end.facts.get("files", 0)
    if raw or reflected:
        told = [f"{r['operation']} {r['parameter']} repeats markup" for r in reflected]
        told += [f"{r['file']}:{r['line']}: {r['sink']} without sanitising" for r in raw]
        said = f"{counted(len(told), 'place')}: {'; '.join(told[:4])}"
        stopped = bool(reflected) and not raw and all(_stopped(r["policy"]) for r in reflected)
        said += "; the page's policy would stop it" if stopped else ""
        every: list[dict[str, Any]] = [*reflected, *raw]
        return Judgement(
            Status.FAIL,
            expected,
            said,
            samples,
            None,
            every,
            Severity.MEDIUM if stopped else None,
            None if reflected else Strength.CONFIGURED,
        )
    for one in (probed, front_end):
        if one.problem and one.problem.reason:
            return not_measured(one.problem.reason, expected, one.problem.message, samples)
    if why := lost_probes(possible) or too_few(probed, criteria.min_reached):
        return not_measured(Reason.INCONCLUSIVE, expected, why, samples)
    clean = [r for r in front_end.records if r["sanitised"]]
    said = f"markup did not come back in a page from {counted(len(reached), 'parameter')}; "
    if behind := len(possible) - len(reached):
        said += f"{counted(behind, 'parameter')} not reached; "
    said += f"{counted(front_end.facts['files'], 'file')} of front end and templates, "
    said += f"{counted(len(clean), 'sink')}, sanitised" if clean else "no sink"
    if minified := front_end.facts["minified"]:
        said += f"; {counted(minified, 'minified file')} not read"
    return Judgement(Status.PASS, expected, said, samples)


def _stopped(policy: str) -> bool:
    criteria = ContentSecurityPolicy(require_base_uri=False, require_frame_ancestors=False)
    return bool(policy) and csp_problem(policy, criteria) is None
