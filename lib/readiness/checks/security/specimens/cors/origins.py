"""A service that decides which origins may read it; ``flaw`` says how it goes wrong."""

from __future__ import annotations

import re
from typing import Any

from readiness.loopback import Request, Response

TRUSTED = "https://app.example.org"
OWN = re.compile(r"https://app.example.org$")  # the dots fit any letter


def answer(request: Request, options: dict[str, Any]) -> Response:
    flaw = options["flaw"]
    options["asked"] = options.get("asked", 0) + 1
    if flaw == "limiter" and options["asked"] > 5:
        return Response(429)
    known = request.headers.get("authorization") == "Bearer token-of-somebody"
    protected, preflight = request.path == "/me", request.method == "OPTIONS"
    status = 401 if protected and not known else 404 if request.path == "/gone" else 200
    if flaw == "errors only":
        status = 401
    origin = request.headers.get("origin", "")
    if flaw == "sends two":
        pairs = [("Access-Control-Allow-Origin", TRUSTED), ("Access-Control-Allow-Origin", origin)]
        return Response(status, [*pairs, ("Access-Control-Allow-Credentials", "true")])
    allow, credentials = _permission(flaw, origin, protected, preflight, known)
    headers = [("Access-Control-Allow-Origin", allow)] if allow else []
    if allow and credentials:
        headers += [("Access-Control-Allow-Credentials", "true"), ("Vary", "Origin")]
    return Response(status, headers, b"{}")


def _permission(
    flaw: str, origin: str, protected: bool, preflight: bool, known: bool
) -> tuple[str, bool]:
    """The origin that is allowed, and whether with credentials."""
    fits = {
        "reflects": True,
        "allows null": origin == "null",
        "by its beginning": origin.startswith(TRUSTED),
        "by its end": origin.endswith("example.org") and origin.startswith("https"),
        "by an expression": bool(OWN.match(origin)),
        "without TLS": origin.removeprefix("http://") == "app.example.org",
        "on preflight": preflight,
        "on success": known and protected and not preflight,
    }
    if fits.get(flaw):
        return origin, True
    match flaw:
        case "always null":
            return "null", True
        case "star":
            return "*", False
        case "reflects without credentials":
            return origin, False
        case "star on what is public":
            return ("" if protected else "*"), False
    return (TRUSTED, True) if flaw == "always the trusted" or origin == TRUSTED else ("", False)
