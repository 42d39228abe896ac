"""Reading a Content-Security-Policy, directive by directive, as a browser would (CSP Level 3)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from readiness.check import Criteria

# Hosts that serve whatever script a stranger uploads or names, or answer JSONP: allowing one allows
# all script there is (Google's csp-evaluator, allowlist_bypasses).
BYPASSABLE = [
    "ajax.googleapis.com",
    "accounts.google.com",
    "apis.google.com",
    "maps.googleapis.com",
    "www.google.com",
    "www.gstatic.com",
    "www.googleadservices.com",
    "translate.googleapis.com",
    "storage.googleapis.com",
    "cdn.jsdelivr.net",
    "cdnjs.cloudflare.com",
    "unpkg.com",
    "esm.sh",
    "cdn.skypack.dev",
    "code.angularjs.org",
    "yastatic.net",
    "yandex.st",
    "ajax.aspnetcdn.com",
    "raw.githack.com",
    "cdn.rawgit.com",
    "s3.amazonaws.com",
    "api.twitter.com",
    "graph.facebook.com",
    "connect.mail.ru",
    "api.vk.com",
    "vimeo.com",
    "www.youtube.com",
]


class ContentSecurityPolicy(Criteria):
    forbidden_script_sources: list[str] = [
        "'unsafe-inline'",
        "'unsafe-eval'",
        "*",
        "data:",
        "http:",
        "https:",
    ]
    bypassable_hosts: list[str] = BYPASSABLE
    forbidden_object_sources: list[str] = ["*", "data:", "http:", "https:"]
    forbidden_ancestors: list[str] = ["*", "http:", "https:"]
    require_base_uri: bool = True
    require_frame_ancestors: bool = True


def csp_problem(policy: str, criteria: ContentSecurityPolicy) -> str | None:
    """What is wrong with a Content-Security-Policy, directive by directive (CSP Level 3)."""
    if "," in policy:
        return "two policies in one header"
    directives: dict[str, list[str]] = {}
    for part in policy.split(";"):
        name, *values = part.split() or [""]
        directives.setdefault(name.lower(), [_source(value) for value in values])
    default = directives.get("default-src")
    problems = []
    scripts = directives.get("script-src", default)
    if scripts is None:
        problems.append("neither script-src nor default-src")
    for name in ("script-src", "script-src-elem", "script-src-attr"):
        sources = scripts if name == "script-src" else directives.get(name)
        bad = _open_scripts(sources or [], criteria.forbidden_script_sources)
        bad += _bypasses(sources or [], criteria.bypassable_hosts)
        problems += [f"{name} allows {source}" for source in bad]
    objects = directives.get("object-src", default)
    if objects is None or any(v in criteria.forbidden_object_sources for v in objects):
        problems.append("object-src is open")
    base = directives.get("base-uri")
    if criteria.require_base_uri and (base is None or set(base) & {"*", "http:", "https:"}):
        problems.append("no base-uri" if base is None else "base-uri is open")
    ancestors = directives.get("frame-ancestors")
    if ancestors is None:
        problems += ["no frame-ancestors"] * criteria.require_frame_ancestors
    elif any(v in criteria.forbidden_ancestors for v in ancestors):
        problems.append("frame-ancestors is open")
    return ", ".join(problems) or None


def _source(expression: str) -> str:
    """A source expression to compare: lower case, and any host of a scheme as that scheme."""
    if expression.lower().startswith("'nonce-"):
        return expression
    any_host = re.fullmatch(r"(?:([a-z][a-z0-9+.-]*:)//)?\*(?::[\d*]+)?/?", expression.lower())
    return (any_host[1] or "*") if any_host else expression.lower()


def _open_scripts(sources: list[str], forbidden: list[str]) -> list[str]:
    """The forbidden sources that a browser would obey beside the others."""
    listed = any(re.match(r"'(nonce-|sha(256|384|512)-)", v) for v in sources)
    ignored = {"'unsafe-inline'"} if listed or "'strict-dynamic'" in sources else set()
    if "'strict-dynamic'" in sources:  # hosts and schemes count for nothing then
        ignored |= {v for v in sources if not v.startswith("'")}
    return [v for v in sources if v in forbidden and v not in ignored]


def _bypasses(sources: list[str], hosts: list[str]) -> list[str]:
    """The sources that let in a host which serves anybody's script."""
    if "'strict-dynamic'" in sources:
        return []
    return [s for s in sources if any(_lets_in(s, host) for host in hosts)]


def _lets_in(source: str, host: str) -> bool:
    """Whether a host source (``https://*.example.org:443/path``) stands for ``host``."""
    named = re.fullmatch(r"(?:[a-z][a-z0-9+.-]*://)?(\*\.)?([a-z0-9.-]+)(?::[\d*]+)?(/.*)?", source)
    if not named or (named[3] or "/").rstrip("/"):  # one file of it is no more than that file
        return False
    return host.endswith(f".{named[2]}") if named[1] else host == named[2]


def reused_nonces(policies: Iterable[str]) -> set[str]:
    """Nonces that stand in more than one response: whoever saw one can use it in the next."""
    counted = Counter(n for policy in policies for n in set(re.findall(r"'nonce-[^']+'", policy)))
    return {nonce for nonce, responses in counted.items() if responses > 1}
