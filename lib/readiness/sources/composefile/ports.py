"""Published ports of a Compose service, in short and long syntax."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

from .variables import UNRESOLVED

HIGHEST = 65_535
PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True)
class Port:
    """A port of the container and where the host publishes it; texts may hold ``${NAME}``.

    ``host_ip`` is None for every address of the host, ``published`` None for a port that Docker
    picks.
    """

    host_ip: str | None
    published: str | None
    target: str
    protocol: str = "tcp"

    @property
    def undecided(self) -> bool:
        """Whether a variable without a value decides which address it listens on.

        Without an address, what a variable fills in for the port may bring an address along.
        """
        said = self.host_ip or f"{self.published or ''}{self.target}"
        return bool(UNRESOLVED.search(said))

    @property
    def beyond_loopback(self) -> bool:
        if self.host_ip is None:
            return True
        try:
            return not ipaddress.ip_address(self.host_ip).is_loopback
        except ValueError:
            return True

    def __str__(self) -> str:
        host = f"[{self.host_ip}]" if ":" in (self.host_ip or "") else self.host_ip
        shown = ":".join(p for p in (host, self.published or "(any)", self.target) if p)
        return shown if self.protocol == "tcp" else f"{shown}/{self.protocol}"


def parse_port(entry: Any) -> Port:
    """One entry of ``ports``; raises ValueError saying what Compose would not accept."""
    if isinstance(entry, dict):
        if entry.get("target") is None:
            raise ValueError("no target port")
        published = entry.get("published")
        host_ip = str(entry["host_ip"]) if entry.get("host_ip") else None
        port = Port(
            host_ip,
            str(published) if published not in (None, "", 0, "0") else None,
            str(entry["target"]),
            str(entry.get("protocol") or "tcp"),
        )
    elif isinstance(entry, bool) or not isinstance(entry, int | str):
        raise ValueError("neither a text nor a mapping")
    else:
        port = _short(str(entry))
    _check(port)
    return port


def _short(text: str) -> Port:
    """``[[address:]published:]target[/protocol]``; an IPv6 address may stand in brackets."""
    rest, _, protocol = text.partition("/")
    before, _, target = rest.rpartition(":")
    host, _, published = before.rpartition(":")
    return Port(host.strip("[]") or None, published or None, target, protocol or "tcp")


def _check(port: Port) -> None:
    if port.protocol not in PROTOCOLS and not UNRESOLVED.search(port.protocol):
        raise ValueError(f"no such protocol: {port.protocol[:20]}")
    if port.host_ip and not UNRESOLVED.search(port.host_ip):
        try:
            ipaddress.ip_address(port.host_ip)
        except ValueError:
            raise ValueError(f"not an address: {port.host_ip[:40]}") from None
    target = _range(port.target)
    published = _range(port.published) if port.published else None
    spans = [last - first for first, last in filter(None, (target, published))]
    if spans and spans[0] and spans[-1] != spans[0]:
        raise ValueError("the two ranges differ in length")


def _range(text: str) -> tuple[int, int] | None:
    """First and last of a port range; None while a variable decides."""
    if UNRESOLVED.search(text):
        return None
    found = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text)
    first, last = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
    if not 1 <= first <= last <= HIGHEST:
        raise ValueError(f"not a port: {text[:20] or '(empty)'}")
    return first, last
