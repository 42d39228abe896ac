"""Values of security headers as a browser would take them."""

import socket
import subprocess
import time
from contextlib import suppress

import pytest
from conftest import program
from readiness.checks.security.csp import ContentSecurityPolicy, csp_problem
from readiness.checks.security.headers import (
    StrictTransportSecurity,
    content_type_options,
    frame_options,
    hsts_problem,
)
from readiness.finding import Status
from readiness.loopback import Response, serve
from readiness.sources.client import client
from readiness.sources.http import response_classes
from readiness.sources.met import classes
from test_http import target_at

REST = "; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("default-src 'none'; base-uri 'none'; frame-ancestors 'none'", None),
        ("script-src 'self' https://cdn.example.org" + REST, None),
        ("script-src" + REST, None),  # an empty list is 'none'
        ("SCRIPT-SRC 'SELF'" + REST, None),
        ("script-src 'nonce-AbC' 'unsafe-inline'" + REST, None),
        ("script-src 'nonce-AbC' 'strict-dynamic' 'unsafe-inline' https: *" + REST, None),
        ("script-src 'self'; script-src *" + REST, None),  # the second is ignored
        ("script-src 'self'; frame-ancestors 'self'; object-src 'none'; base-uri 'self'", None),
        ("default-src 'self'", "no base-uri, no frame-ancestors"),
        ("img-src 'self'" + REST, "neither script-src nor default-src"),
        ("script-src 'unsafe-inline'" + REST, "script-src allows 'unsafe-inline'"),
        ("script-src 'unsafe-eval' 'self'" + REST, "script-src allows 'unsafe-eval'"),
        ("script-src https://*" + REST, "script-src allows https:"),
        ("script-src *:443" + REST, "script-src allows *"),
        ("script-src 'strict-dynamic' 'unsafe-eval' 'nonce-x'" + REST, "allows 'unsafe-eval'"),
        ("script-src 'sha256-x' https:" + REST, "script-src allows https:"),
        ("script-src 'self'; script-src-attr 'unsafe-inline'" + REST, "script-src-attr allows"),
        ("default-src 'self' data:; base-uri 'none'; frame-ancestors 'none'", "script-src allows"),
        ("script-src 'self'; base-uri 'none'; frame-ancestors 'none'", "object-src is open"),
        ("default-src 'none'; base-uri *; frame-ancestors 'none'", "base-uri is open"),
        ("default-src 'none'; base-uri 'none'; frame-ancestors https:", "frame-ancestors is open"),
        ("default-src 'none'" + REST + ", default-src *", "two policies in one header"),
        ("", "neither script-src nor default-src"),
    ],
)
def test_content_security_policy(policy, problem):
    found = csp_problem(policy, ContentSecurityPolicy())
    assert found is None if problem is None else problem in found


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("max-age=31536000; includeSubDomains", None),
        ('MAX-AGE="63072000";includesubdomains ; preload', None),
        ("max-age=31535999; includeSubDomains", "less than"),
        ("includeSubDomains", "no valid max-age"),
        ("max-age=1; max-age=63072000; includeSubDomains", "no valid max-age"),
        ("max-age=63072000, max-age=0; includeSubDomains", "no valid max-age"),
        ("max-age=-1; includeSubDomains", "no valid max-age"),
        ("max-age=63072000", "no includeSubDomains"),
        ("", "no valid max-age"),
    ],
)
def test_strict_transport_security(value, problem):
    found = hsts_problem(value, StrictTransportSecurity())
    assert found is None if problem is None else problem in found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def proxied(tmp_path):
    """A sound service behind an nginx that sets two of the headers once more, and its own 502."""
    binary, port = program("nginx"), free_port()
    sound = [("X-Content-Type-Options", "nosniff"), ("X-Frame-Options", "DENY")]

    def answer(request):
        return Response(
            200 if request.path == "/" else 404, [*sound, ("Content-Type", "text/html")]
        )

    temporary = "".join(
        f"{n}_temp_path {tmp_path}/{n};"
        for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    with serve(answer) as url:
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
            f"events {{}} http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port};"
            f"location / {{ proxy_pass {url}; add_header X-Frame-Options DENY; }}"
            "location = /gone { proxy_pass http://127.0.0.1:1; } location /old/ { return 301 /; }}}"
        )
        process = subprocess.Popen([binary, "-c", tmp_path / "nginx.conf", "-p", tmp_path])
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port}", url
        finally:
            process.terminate()
            process.wait(10)


def test_what_a_proxy_adds_and_answers_itself_is_told_from_the_service(proxied):
    through, direct = proxied
    declared = [{"name": "page", "operation": "GET /", "status": 200}]
    target = target_at(through, direct_url=direct, response_classes=declared)
    both = response_classes(target)
    with client(target) as http:  # as some other source would
        assert http.send("GET", "/gone").status == 502
        assert http.send("GET", "/old/x").status == 301
    met = classes(target)
    frames = frame_options.assess([both, met], frame_options.criteria())
    assert {o["class"]: o["problem"] for o in frames.offenders} == {
        "page": "sent 2 times",
        "502, met": "missing",
        "redirect, met": "missing",
    }
    sniffing = content_type_options.assess([both, met], content_type_options.criteria())
    assert {o["class"] for o in sniffing.offenders} == {"502, met", "redirect, met"}
    assert "bursts are not sent past the proxy" in met.facts["not_had"]["429 (direct)"]


def test_a_class_that_is_not_had_is_said_and_why():
    with serve(lambda request: Response(404, [("X-Content-Type-Options", "nosniff")])) as url:
        declared = [{"name": "gone", "operation": "GET /a", "status": 404}]
        limits = [{"operation": "GET /b", "most_requests": 7}]
        target = target_at(url, response_classes=declared, rate_limits=limits)
        evidence = [response_classes(target), classes(target)]
        allowed = classes(target.allowing(["passive", "active"]))
    said = content_type_options.assess(evidence, content_type_options.criteria())
    assert said.status is Status.PASS
    none = "none to judge of 401, 403, 405, 422, 429, 500, page, redirect, static asset"
    assert said.observed.endswith(none)
    assert "needs permission" in evidence[1].facts["not_had"]["429"]
    assert allowed.facts["not_had"]["429"] == "a burst of 7 requests got none"
    assert allowed.facts["not_had"]["redirect"] == "/a/ gave none"
