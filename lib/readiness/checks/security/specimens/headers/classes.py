"""A service with six sound headers on every answer, but for the class that ``bare`` names."""

from __future__ import annotations

from typing import Any

from readiness.loopback import Request, Response

SOUND = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
ALLOWED = 3


def answer(request: Request, options: dict[str, Any]) -> Response:
    bare, asked = options["bare"], options.setdefault("asked", {})
    asked[request.path] = asked.get(request.path, 0) + 1
    cached = request.path == "/" and asked["/"] > 1
    kind, status = {
        "/": ("cached" if cached else "page", 200),
        "/app.js": ("static asset", 200),
        "/assets": ("redirect", 301),
        "/limited": ("429", 429) if asked[request.path] > ALLOWED else ("answer", 200),
    }.get(request.path, ("404", 404))
    if bare == "500" and cached:  # one that goes wrong when it is asked again
        kind, status = "500", 500
    headers = {} if kind == bare else dict(SOUND)
    html = kind in ("page", "cached")
    script = request.path == "/app.js"
    headers["Content-Type"] = "text/html" if html else "text/javascript" if script else "text/plain"
    if kind == "cached":
        headers["X-Cache"] = "HIT"
    if kind == "redirect":
        headers["Location"] = "/assets/"
    page = b"<!doctype html><script src='app.js'></script>" if html else b"x"
    return Response(status, list(headers.items()), page)
