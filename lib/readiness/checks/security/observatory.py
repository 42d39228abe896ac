"""The score that the MDN HTTP Observatory gives a response, by its published rules.

Each rule takes the headers of one response and names its result; a result moves the score, which
begins at 100. Points above that count only once 90 are reached without them. The rules and figures
are those of version 5 of its algorithm (mdn-http-observatory, src/analyzer and src/grader).

Two of its ten tests are left to other checks, as one response cannot answer them: CORS for a
foreign origin (SEC-CORS) and the redirection from HTTP to HTTPS (SEC-ENC-TRANSIT).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

BROAD = {"ftp:", "http:", "https:", "*"}
BROAD |= {"http://*", "http://*.*", "https://*", "https://*.*"}
UNSAFE_INLINE = {"'unsafe-inline'", "data:"}
LISTED = ("'sha256-", "'sha384-", "'sha512-", "'nonce-")
NOT_IN_META = ("frame-ancestors", "report-uri", "sandbox")
SHORTEST_POLICY = 6  # characters
SIX_MONTHS_S = 15_552_000
SAFE_REFERRERS = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
OPEN_REFERRERS = {"origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"}
EXTRA_CREDIT_FROM = 90
GRADES = [
    "F",
    "F",
    "F",
    "F",
    "F",
    "D-",
    "D",
    "D",
    "D+",
    "C-",
    "C",
    "C",
    "C+",
    "B-",
    "B",
    "B",
    "B+",
    "A-",
    "A",
    "A",
    "A+",
]  # every five points
MODIFIERS = {
    "csp-implemented-with-no-unsafe-default-src-none": 10,
    "csp-implemented-with-no-unsafe": 5,
    "csp-implemented-with-unsafe-inline-in-style-src-only": 0,
    "csp-implemented-but-duplicate-directives": 0,
    "csp-implemented-with-insecure-scheme-in-passive-content-only": -10,
    "csp-implemented-with-unsafe-eval": -10,
    "csp-implemented-with-unsafe-inline": -20,
    "csp-implemented-with-insecure-scheme": -20,
    "csp-header-invalid": -25,
    "csp-not-implemented": -25,
    "csp-not-implemented-but-reporting-enabled": -25,
    "cookies-secure-with-httponly-sessions-and-samesite": 5,
    "cookies-secure-with-httponly-sessions": 0,
    "cookies-not-found": 0,
    "cookies-without-secure-flag-but-protected-by-hsts": -5,
    "cookies-session-without-secure-flag-but-protected-by-hsts": -10,
    "cookies-without-secure-flag": -20,
    "cookies-samesite-flag-invalid": -20,
    "cookies-anticsrf-without-samesite-flag": -20,
    "cookies-session-without-httponly-flag": -30,
    "cookies-session-without-secure-flag": -40,
    "referrer-policy-private": 5,
    "referrer-policy-not-implemented": 0,
    "referrer-policy-unsafe": -5,
    "referrer-policy-header-invalid": -5,
    "hsts-implemented-max-age-at-least-six-months": 0,
    "hsts-implemented-max-age-less-than-six-months": -10,
    "hsts-not-implemented": -20,
    "hsts-header-invalid": -20,
    "sri-implemented-and-all-scripts-loaded-securely": 5,
    "sri-implemented-and-external-scripts-loaded-securely": 5,
    "sri-not-implemented-response-not-html": 0,
    "sri-not-implemented-but-no-scripts-loaded": 0,
    "sri-not-implemented-but-all-scripts-loaded-from-secure-origin": 0,
    "sri-not-implemented-but-external-scripts-loaded-securely": -5,
    "sri-implemented-but-external-scripts-not-loaded-securely": -20,
    "sri-not-implemented-and-external-scripts-not-loaded-securely": -50,
    "x-content-type-options-nosniff": 0,
    "x-content-type-options-not-implemented": -5,
    "x-content-type-options-header-invalid": -5,
    "x-frame-options-implemented-via-csp": 5,
    "x-frame-options-sameorigin-or-deny": 0,
    "x-frame-options-allow-from-origin": 0,
    "x-frame-options-not-implemented": -20,
    "x-frame-options-header-invalid": -20,
    "corp-implemented-with-same-origin": 10,
    "corp-implemented-with-same-site": 10,
    "corp-implemented-with-cross-origin": 0,
    "corp-not-implemented": 0,
    "corp-header-invalid": -5,
}
COOKIES_FROM_BEST = [name for name in MODIFIERS if name.startswith("cookies-")][3:]
SCRIPTS_FROM_BEST = [name for name in MODIFIERS if name.startswith("sri-")]

Policy = dict[str, set[str]]


@dataclass(frozen=True)
class Page:
    """One response as the rules see it; ``meta`` and ``scripts`` are of its HTML."""

    host: str
    headers: list[list[str]]  # name in lower case, value
    https: bool = True
    html: bool = False
    meta: tuple[tuple[str, str], ...] = ()
    scripts: tuple[tuple[str | None, str | None], ...] = ()  # src, integrity

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known == name]

    def first(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def equivalents(self, name: str) -> list[str]:
        return [content for known, content in self.meta if known == name]


def parsed(policies: Iterable[str]) -> Policy:
    """The directives of a policy; of several, what stands in all. Raises ValueError."""
    combined: Policy | None = None
    for policy in policies:
        if len(policy.strip()) < SHORTEST_POLICY:
            raise ValueError("no policy")
        own: Policy = {}
        for part in policy.split(";"):
            name, *values = part.lower().split() or [""]
            if name in own and name not in ("report-uri", "report-to"):
                raise ValueError(f"{name} stands twice")
            if name:
                own.setdefault(name, set(values) or {"'none'"})
        if combined is not None:
            for name in own.keys() & combined.keys():
                own[name] = own[name] & combined[name] or {"'none'"}
        combined = {**(combined or {}), **own}
    return combined or {}


def content_security_policy(page: Page) -> str:
    sent = page.all("content-security-policy")
    in_page = page.equivalents("content-security-policy")
    try:
        policy = parsed([*sent, *in_page])
    except ValueError:
        return "csp-header-invalid"
    if not sent and not {k for k in policy if k not in NOT_IN_META}:
        reported = page.first("content-security-policy-report-only")
        return "csp-not-implemented" + ("-but-reporting-enabled" if reported else "")
    default = policy.get("default-src", {"*"})
    scripts, styles = (set(policy.get(name, default)) for name in ("script-src", "style-src"))
    objects = policy.get("object-src", default)
    for sources in (scripts, styles):
        if any(s.startswith(LISTED) for s in sources):
            sources.discard("'unsafe-inline'")
    if "'strict-dynamic'" in scripts:
        if not any(s.startswith(LISTED) for s in scripts):
            return "csp-header-invalid"
        obeyed = {s for s in scripts if not s.startswith(tuple(BROAD))}
        scripts = obeyed - {"'self'", "'unsafe-inline'"}
    passive_names = ("img-src", "media-src")
    passive = [s for name in passive_names for s in policy.get(name, policy.get("default-src", ()))]
    others = [v for k, v in policy.items() if k not in (*passive_names, "script-src")]
    active = [s for sources in [*others, scripts] for s in sources]
    clear = ("http:", "ftp:")
    if scripts & (BROAD | UNSAFE_INLINE) or objects & BROAD:
        return "csp-implemented-with-unsafe-inline"
    if page.https and any(s.startswith(clear) for s in active):
        return "csp-implemented-with-insecure-scheme"
    if "'unsafe-eval'" in scripts | styles:
        return "csp-implemented-with-unsafe-eval"
    if page.https and any(s.startswith(clear) for s in passive):
        return "csp-implemented-with-insecure-scheme-in-passive-content-only"
    if styles & (BROAD | UNSAFE_INLINE):
        return "csp-implemented-with-unsafe-inline-in-style-src-only"
    none = policy.get("default-src") == {"'none'"}
    return "csp-implemented-with-no-unsafe" + ("-default-src-none" if none else "")


def transport_security(page: Page) -> str:
    value = page.first("strict-transport-security")
    if value is None:
        return "hsts-not-implemented"
    ages = [int(a) for a in re.findall(r"(?:^|;)\s*max-age=(\d+)", value.lower())]
    if not ages or "," in value:
        return "hsts-header-invalid"
    long = ages[-1] >= SIX_MONTHS_S
    return f"hsts-implemented-max-age-{'at-least' if long else 'less-than'}-six-months"


def cookies(page: Page) -> str:
    worst, all_same_site, seen = -1, True, False
    hsts = transport_security(page) == "hsts-implemented-max-age-at-least-six-months"

    def note(result: str) -> None:
        nonlocal worst
        worst = max(worst, COOKIES_FROM_BEST.index(result))

    for text in page.all("set-cookie"):
        first, *rest = [part.strip() for part in text.split(";")]
        name = first.partition("=")[0].strip().lower()
        flags = {
            k.strip().lower(): v.strip().lower() for k, _, v in (p.partition("=") for p in rest)
        }
        same_site, secure = flags.get("samesite"), "secure" in flags
        seen = True
        if same_site is not None and same_site not in ("lax", "strict", "none"):
            note("cookies-samesite-flag-invalid")
        if same_site == "none" and not secure:
            note("cookies-samesite-flag-invalid")
        session = "login" in name or "sess" in name
        kept = "-but-protected-by-hsts" if hsts else ""
        if not secure:
            note(f"cookies-without-secure-flag{kept}")
        if "csrf" in name and not same_site:
            note("cookies-anticsrf-without-samesite-flag")
        if session and not secure:
            note(f"cookies-session-without-secure-flag{kept}")
        if session and "httponly" not in flags:
            note("cookies-session-without-httponly-flag")
        all_same_site = all_same_site and bool(same_site)
    if not seen:
        return "cookies-not-found"
    if worst >= 0:
        return COOKIES_FROM_BEST[worst]
    return "cookies-secure-with-httponly-sessions" + ("-and-samesite" if all_same_site else "")


def referrer_policy(page: Page) -> str:
    given = [*page.all("referrer-policy"), *page.equivalents("referrer-policy")]
    if not given:
        return "referrer-policy-not-implemented"
    known = [part.strip().lower() for part in ",".join(given).split(",")]
    obeyed = [v for v in known if v in SAFE_REFERRERS | OPEN_REFERRERS]
    if not obeyed:
        return "referrer-policy-header-invalid"
    return f"referrer-policy-{'private' if obeyed[-1] in SAFE_REFERRERS else 'unsafe'}"


def scripts(page: Page) -> str:
    if not page.html:
        return "sri-not-implemented-response-not-html"
    if not page.scripts:
        return "sri-not-implemented-but-no-scripts-loaded"
    worst, foreign = -1, False
    for src, integrity in page.scripts:
        if not src:
            continue
        url = urlsplit(src)
        same = not url.netloc or (bool(url.scheme) and _site(url.hostname) == _site(page.host))
        secure = url.scheme == "https" or (not url.netloc and page.https)
        foreign = foreign or not same
        if not same and not (integrity and secure):
            result = "sri-not-implemented-and-external-scripts-not-loaded-securely"
            if integrity:
                result = "sri-implemented-but-external-scripts-not-loaded-securely"
            elif secure:
                result = "sri-not-implemented-but-external-scripts-loaded-securely"
            worst = max(worst, SCRIPTS_FROM_BEST.index(result))
        elif same and integrity and secure:
            worst = max(worst, 0)
    if worst >= 0:
        return SCRIPTS_FROM_BEST[worst]
    return (
        "sri-implemented-and-external-scripts-loaded-securely"
        if foreign
        else "sri-not-implemented-but-all-scripts-loaded-from-secure-origin"
    )


def _site(host: str | None) -> str:
    """The last two labels: the public suffix list is not at hand, and strictness does no harm."""
    return ".".join((host or "").split(".")[-2:])


def content_type_options(page: Page) -> str:
    value = page.first("x-content-type-options")
    if not value:
        return "x-content-type-options-not-implemented"
    sound = value.strip().lower() == "nosniff"
    return f"x-content-type-options-{'nosniff' if sound else 'header-invalid'}"


def frame_options(page: Page) -> str:
    try:
        policy = parsed(
            [*page.all("content-security-policy"), *page.equivalents("content-security-policy")]
        )
    except ValueError:
        policy = {}
    if content_security_policy(page).startswith("csp-not-implemented"):
        policy = {}  # a meta element cannot say who may frame its page
    if "frame-ancestors" in policy:
        return "x-frame-options-implemented-via-csp"
    value = (page.first("x-frame-options") or "").strip().lower()
    if value in ("deny", "sameorigin"):
        return "x-frame-options-sameorigin-or-deny"
    if value.startswith("allow-from"):
        return "x-frame-options-allow-from-origin"
    return f"x-frame-options-{'header-invalid' if value else 'not-implemented'}"


def resource_policy(page: Page) -> str:
    value = page.first("cross-origin-resource-policy")
    value = value or next(iter(page.equivalents("cross-origin-resource-policy")[-1:]), None)
    if not value:
        return "corp-not-implemented"
    value = value.strip().lower()
    if value not in ("same-site", "same-origin", "cross-origin"):
        return "corp-header-invalid"
    return f"corp-implemented-with-{value}"


TESTS: tuple[Callable[[Page], str], ...] = (
    content_security_policy,
    cookies,
    referrer_policy,
    transport_security,
    scripts,
    content_type_options,
    frame_options,
    resource_policy,
)


def results(page: Page) -> dict[str, int]:
    """What each rule says of the response, and by how much that moves the score."""
    named = [test(page) for test in TESTS]
    return {name: MODIFIERS[name] for name in named}


def score(modifiers: Iterable[int]) -> int:
    """The points: extra credit counts only for who has 90 without it."""
    modifiers = list(modifiers)
    plain = 100 + sum(m for m in modifiers if m < 0)
    return max(100 + sum(modifiers) if plain >= EXTRA_CREDIT_FROM else plain, 0)


def grade(points: int) -> str:
    """The letter of a score: A+ to F."""
    return GRADES[min(points, 100) // 5]
