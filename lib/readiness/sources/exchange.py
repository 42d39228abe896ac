"""One request and its answer, and the answers of each class that an audit keeps in mind.

A header that is missing is missing where nobody looked: on the 429, on the error that a probe
provoked. So whatever a source asks for, the first answers of each class are remembered, with all
their headers and without what they said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from ..traffic import COLLECTING, Traffic
from .page import is_html

SECURITY_HEADERS = (
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "referrer-policy",
    "permissions-policy",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
REDIRECTS = (301, 302, 303, 307, 308)
# Not 400, 414 or 431, which a server's parser gives to what no browser sends.
CLIENT_ERRORS = (401, 403, 404, 405, 422, 429)
ASSET = re.compile(r"javascript|text/css|image/|font|wasm")
NONCE = re.compile(r"'nonce-[^']*'")
MOST_OF_A_STATUS = 6  # answers with different security headers
MOST_COOKIES = 100
MOST_TEXT = 200_000  # bytes of a page


@dataclass(frozen=True)
class Exchange:
    """One request and what came back; ``error`` says why nothing did, or not all of it."""

    method: str
    path: str
    status: int | None
    headers: list[tuple[str, str]] = field(default_factory=list)  # names in lower case
    body: bytes = b""
    elapsed_ms: float = 0.0
    error: str | None = None

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known == name), None)

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", errors="replace")

    def json(self) -> Any:
        """The body as JSON, or None."""
        try:
            return httpx.Response(200, content=self.body).json()
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Met:
    """An answer that some source was given: by which service, to whom, and for what."""

    base: str
    source: str
    operation: str
    exchange: Exchange


def meet(traffic: Traffic, base: str, operation: str, exchange: Exchange) -> None:
    """Remember an answer if it is of a class that browsers see, and the first with its headers.

    Likewise the first that sets a cookie: a login that nobody declared may be where a session is.
    """
    met = Met(base, COLLECTING.get(), operation, replace(exchange, body=b""))
    for name, value in exchange.headers:
        if name == "set-cookie" and len(traffic.cookies) < MOST_COOKIES:
            traffic.cookies.setdefault((base, value.partition("=")[0].strip()), met)
    kind = class_of(exchange)
    if not kind:
        return
    alike = [key for key in traffic.met if key[:2] == (base, kind)]
    key = (base, kind, guarded(exchange))
    if key not in traffic.met and len(alike) < MOST_OF_A_STATUS:
        kept = exchange.body[:MOST_TEXT] if is_html(exchange.header("content-type")) else b""
        traffic.met[key] = replace(met, exchange=replace(exchange, body=kept))


def guarded(exchange: Exchange) -> tuple[tuple[str, str], ...]:
    """The security headers of an answer, whatever their nonces."""
    sent = [(name, NONCE.sub("'nonce'", value)) for name, value in exchange.headers]
    return tuple(sorted(one for one in sent if one[0] in SECURITY_HEADERS))


def class_of(exchange: Exchange) -> str:
    """The class of an answer: page, static asset, redirect, or its status; empty for any other."""
    status, kind = exchange.status or 0, exchange.header("content-type")
    if exchange.method not in METHODS:
        return ""
    if 200 <= status < 300:
        return "page" if is_html(kind) else "static asset" if ASSET.search(kind or "") else ""
    if status in REDIRECTS:
        return "redirect"
    return str(status) if status in CLIENT_ERRORS or status >= 500 else ""
