"""An nginx configuration read for its TLS: which servers there are, and what holds in each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

TOKEN = re.compile(r"#[^\n]*|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|[{};]|[^\s{};#]+")
DEEPEST = 20
DEFAULT_PROTOCOLS = ["TLSv1.2", "TLSv1.3"]  # since nginx 1.27.3


@dataclass
class Block:
    name: str
    arguments: list[str] = field(default_factory=list)
    directives: list[list[str]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)


def parsed(text: str) -> Block:
    """The blocks and directives of a configuration; raises ValueError for what is none."""
    top = Block("main")
    stack, words = [top], list[str]()
    for token in TOKEN.findall(text):
        if token.startswith("#"):
            continue
        if token == "{":
            if not words or len(stack) > DEEPEST:
                raise ValueError("a block without a name, or blocks without end")
            block = Block(words[0], words[1:])
            stack[-1].blocks.append(block)
            stack.append(block)
            words = []
        elif token == "}":
            stack.pop()
            if not stack or words:
                raise ValueError("a brace too many, or a directive without its end")
        elif token == ";":
            if words:
                stack[-1].directives.append(words)
            words = []
        else:
            words.append(token.strip("\"'"))
    if len(stack) != 1 or words:
        raise ValueError("a brace is missing")
    return top


def servers(top: Block) -> Iterator[dict[str, Any]]:
    """One row for each ``server`` block: whether it speaks TLS, how, and what plain HTTP gets."""
    for http in [b for b in top.blocks if b.name == "http"] or [top]:
        for server in [b for b in http.blocks if b.name == "server"]:
            listens = [d[1:] for d in server.directives if d[0] == "listen"] or [["80"]]
            tls = any("ssl" in words or "quic" in words for words in listens)

            def said(name: str, of: Block = server, outer: Block = http) -> list[str]:
                for block in (of, outer):
                    for words in reversed(block.directives):
                        if words[0] == name:
                            return words[1:]
                return []

            yield {
                "server": " ".join(said("server_name")) or "_",
                "listen": ", ".join(" ".join(words) for words in listens),
                "tls": tls,
                "protocols": (said("ssl_protocols") or DEFAULT_PROTOCOLS) if tls else [],
                "ciphers": ":".join(said("ssl_ciphers")) if tls else "",
                "certificate": bool(said("ssl_certificate") and said("ssl_certificate_key")),
                "redirects": _redirects(server),
            }


def _redirects(server: Block) -> bool:
    """Whether plain requests are sent to https, wherever something is served at all."""
    served = [b for b in server.blocks if b.name == "location"]
    answers = [d for block in (server, *served) for d in block.directives if d[0] == "return"]
    to_https = any(len(d) > 2 and d[2].startswith("https://") for d in answers)
    passes = any(
        d[0] in ("proxy_pass", "root", "alias", "try_files", "fastcgi_pass")
        for block in (server, *served)
        for d in block.directives
    )
    return to_https and not passes
