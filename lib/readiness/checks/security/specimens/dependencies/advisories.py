"""An advisory service as OSV and npm have one: it knows of one package each."""

from __future__ import annotations

import json
from typing import Any

from readiness.loopback import Request, Response

FIXED = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}
AFFECTED: dict[str, Any] = {
    "package": {"name": "readiness-leaky", "ecosystem": "PyPI"},
    "ranges": [FIXED],
}
OSV: dict[str, Any] = {
    "id": "GHSA-0000-0000-0000",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "It leaks.",
}
OSV |= {"affected": [AFFECTED | {"versions": ["1.0"]}]}
NPM: dict[str, Any] = {
    "id": 1,
    "url": "https://advisories.example/1",
    "title": "It leaks.",
    "severity": "critical",
}
NPM |= {"vulnerable_versions": "<2.0.0", "cwe": [], "cvss": {"score": 9.8, "vectorString": None}}


def answer(request: Request, options: dict[str, str]) -> Response:
    if options["flaw"] == "broken":
        return Response(503)
    if request.path.endswith("/advisories/bulk"):
        known = {"readiness-leaky": [NPM]} if options["flaw"] == "known" else {}
        return Response(200, [("Content-Type", "application/json")], json.dumps(known).encode())
    if request.method == "GET":
        version = {"name": "readiness-leaky", "version": "1.0.0", "dist": {}}
        packument = {"name": "readiness-leaky", "versions": {"1.0.0": version}}
        return Response(200, [("Content-Type", "application/json")], json.dumps(packument).encode())
    leaky = options["flaw"] == "known" and b"readiness-leaky" in request.body
    content = {"vulns": [OSV]} if leaky else {}
    return Response(200, [("Content-Type", "application/json")], json.dumps(content).encode())
