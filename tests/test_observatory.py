"""The score of a page, beside what the HTTP Observatory's own program says of the same page."""

import json
import subprocess
from pathlib import Path

import pytest
from conftest import program
from readiness.checks.security.observatory import Page, grade, results, score
from readiness.sources.page import described

FOLDER = Path(__file__).parent / "observatory"
HSTS = ["strict-transport-security", "max-age=63072000; includeSubDomains"]
NOSNIFF = ["x-content-type-options", "nosniff"]
CSP = "content-security-policy"
POLICIES = [
    "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "default-src 'self'",
    "default-src 'self'; style-src 'unsafe-inline'",
    "default-src 'self'; img-src http:",
    "default-src 'self'; connect-src http://api.example.org",
    "script-src 'self' 'unsafe-eval'; object-src 'none'; style-src 'self'",
    "script-src 'self' 'unsafe-inline'; object-src 'none'",
    "script-src 'nonce-abcdefgh' 'unsafe-inline'; object-src 'none'; style-src 'self'",
    "script-src 'nonce-abcdefgh' 'strict-dynamic' https: 'self'; default-src 'none'",
    "script-src 'strict-dynamic'; object-src 'none'",
    "script-src https:; object-src 'none'",
    "script-src 'self'",
    "script-src; object-src",
    "default-src 'none'; default-src *",
    "img-src 'self'; frame-ancestors 'self'",
    "DEFAULT-SRC 'NONE'; report-uri /a",
    "x",
    "upgrade-insecure-requests",
]
HEADERS = [
    *[[[CSP, policy], HSTS, NOSNIFF] for policy in POLICIES],
    [],
    [[CSP, "default-src 'self'"], [CSP, "default-src 'none'"], HSTS],
    [["content-security-policy-report-only", "default-src 'none'"], HSTS, NOSNIFF],
    *[
        [[CSP, POLICIES[0]], ["strict-transport-security", value]]
        for value in ("max-age=300", "includeSubDomains", "max-age=1, max-age=2", "")
    ],
    *[
        [[CSP, POLICIES[1]], HSTS, ["x-frame-options", v]]
        for v in ("DENY", "ALLOW-FROM x", "NO", "")
    ],
    [["x-frame-options", "sameorigin"], ["x-content-type-options", "nosniff, nosniff"]],
    *[
        [HSTS, ["referrer-policy", value]]
        for value in ("no-referrer", "unsafe-url", "nonsense", "unsafe-url, same-origin", "")
    ],
    *[
        [HSTS, ["cross-origin-resource-policy", value]]
        for value in ("same-origin", "same-site", "cross-origin", "nonsense")
    ],
    *[
        [transport, [CSP, POLICIES[0]], ["set-cookie", cookie]]
        for transport in (HSTS, NOSNIFF)
        for cookie in (
            "session=1; Secure; HttpOnly; SameSite=Lax",
            "session=1; Secure; HttpOnly",
            "session=1; Secure",
            "session=1; HttpOnly",
            "other=1",
            "other=1; SameSite=None",
            "other=1; Secure; SameSite=Sometimes",
            "csrftoken=1; Secure",
        )
    ],
    [[CSP, POLICIES[0]], HSTS, ["set-cookie", "a=1; Secure"], ["set-cookie", "login=1"]],
]
PAGES = [
    "",
    "<script src=/a.js></script>",
    "<script src=/a.js integrity=sha384-x></script>",
    "<script src=https://cdn.example.net/a.js></script>",
    "<script src=https://cdn.example.net/a.js integrity=sha384-x></script>",
    "<script src=http://cdn.example.net/a.js></script>",
    "<script src=http://cdn.example.net/a.js integrity=sha384-x></script>",
    "<script src=//cdn.example.net/a.js></script>",
    "<script src=https://www.example.org/a.js></script>",
    "<script>1</script>",
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; frame-ancestors *\">",
    "<meta http-equiv=Content-Security-Policy content=\"frame-ancestors 'none'\">",
    "<meta http-equiv=Referrer-Policy content=no-referrer>",
]


def cases():
    html = ["content-type", "text/html; charset=utf-8"]
    for headers in HEADERS:
        yield {"headers": headers, "text": "", "meta": [], "html": False, "scripts": []}
    for text in PAGES:
        found = described(text)
        yield {"headers": [html, HSTS], "text": text, "html": True, **found}


def own(case):
    page = Page(
        host="example.org",
        headers=case["headers"],
        html=case["html"],
        meta=tuple(map(tuple, case["meta"])),
        scripts=tuple((s["src"], s["integrity"]) for s in case["scripts"]),
    )
    found = results(page)
    return {
        "results": sorted(found),
        "score": score(found.values()),
        "grade": grade(score(found.values())),
    }


@pytest.fixture(scope="module")
def observatory():
    """Its program, installed as its lock file says; what it would download besides stays empty."""
    npm, node = program("npm"), program("node")
    if not (FOLDER / "node_modules/.package-lock.json").is_file():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, timeout=250)
    conf = FOLDER / "node_modules/@mdn/mdn-http-observatory/conf/hsts-preload.json"
    conf.write_text("{}")

    def scores(pages):
        lines = "\n".join(json.dumps({"host": "example.org", **page}) for page in pages)
        done = subprocess.run(
            [node, FOLDER / "score.mjs", FOLDER],
            input=lines, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return [json.loads(line) for line in done.stdout.splitlines()]

    return scores


def test_an_empty_max_age_is_no_six_months():
    """The one known difference: theirs compares it as not a number, and finds it long enough."""
    page = {**next(cases()), "headers": [["strict-transport-security", "max-age="]]}
    assert "hsts-header-invalid" in own(page)["results"]


def test_the_same_results_and_the_same_score_as_the_observatory(observatory):
    pages = list(cases())
    theirs = observatory(pages)
    assert len(theirs) == len(pages) > 50
    different = [
        (page, own(page), their)
        for page, their in zip(pages, theirs, strict=True)
        if own(page) != their
    ]
    assert not different


@pytest.mark.parametrize(
    ("points", "letter"), [(145, "A+"), (100, "A+"), (99, "A"), (90, "A"), (64, "C+"), (0, "F")]
)
def test_grades(points, letter):
    assert grade(points) == letter


def test_extra_credit_counts_from_ninety_on_only():
    assert score([10, 5, -10]) == 105
    assert score([10, 5, -11]) == 89
    assert score([-150]) == 0
