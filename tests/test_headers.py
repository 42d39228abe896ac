"""Values of security headers as a browser would take them."""

import pytest
from readiness.checks.security.csp import ContentSecurityPolicy, csp_problem
from readiness.checks.security.headers import StrictTransportSecurity, hsts_problem

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
