"""From the paths of requests to a bounded number of endpoints.

What looks like an identifier becomes ``{id}``; where more than thirty different names stand in one
place, as user names do, they become ``{name}``. Paths that lead nowhere are put together, so that
who probes a service for holes does not push its endpoints out.
"""

from __future__ import annotations

import re

from .profile import Profile

MOST_NAMES = 30  # in one place of a path, before they are taken for values
MOST_PLACES = 5_000
DEEPEST = 8
REMEMBERED = 100_000  # paths as they came
NOWHERE = (400, 404, 405, 414)
ID, NAME = "{id}", "{name}"
_ID = re.compile(
    r"^(?:\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|(?=.*\d)[0-9a-fA-F]{8,}|\d{4}-\d\d-\d\d.*"
    r"|(?=.*\d)[\w=-]{20,}|.{40,})$"
)
_PLAIN = re.compile(r"^[\w.~-]+$", re.A)
_METHOD = re.compile(r"^[A-Z]{3,10}$")


class Endpoints:
    """The endpoints of a profile, by method and path."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._remembered: dict[tuple[str, str], int] = {}
        self._names: dict[tuple[str, ...], set[str]] = {}

    def number(self, method: str, path: str, status: int) -> int:
        """The endpoint's number in the profile."""
        number = self._remembered.get((method, path))
        if number is not None:
            return number
        verb = method if not method or _METHOD.match(method) else "?"
        parts = self._parts(path)
        if status in NOWHERE:
            known = self._profile.known(self._template(verb, parts, learn=False))
            if known is None:
                return self._profile.endpoint(f"{verb} (leads nowhere)".strip())
            return known
        number = self._profile.endpoint(self._template(verb, parts, learn=True))
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[method, path] = number
        return number

    def settle(self) -> None:
        """Put those together that turned out to differ in a value only."""
        for number, name in list(enumerate(self._profile.names)):
            verb, _, path = name.rpartition(" ")
            if not path.startswith("/"):
                continue
            final = self._template(verb, path.split("/")[1:], learn=False)
            if final != name:
                self._profile.merge(number, self._profile.endpoint(final))

    def _parts(self, path: str) -> list[str]:
        if not path.startswith("/"):  # a proxy is asked with the whole address
            path = "/" + path.partition("://")[2].partition("/")[2]
        parts = path.split("?", 1)[0].split("#", 1)[0].split("/")[1:]
        if len(parts) > DEEPEST:
            parts = [*parts[:DEEPEST], "…"]
        return [ID if _ID.match(one) else one for one in parts]

    def _template(self, verb: str, parts: list[str], learn: bool) -> str:
        place: tuple[str, ...] = (verb,)
        for part in parts:
            if part not in (ID, "", "…"):
                part = self._name(place, part, learn)
            place += (part,)
        return f"{verb} /{'/'.join(place[1:])}".strip()

    def _name(self, place: tuple[str, ...], part: str, learn: bool) -> str:
        if not _PLAIN.match(part):
            return NAME
        names = self._names.get(place)
        if names is None:
            if not learn:
                return part
            if len(self._names) >= MOST_PLACES:
                return NAME
            names = self._names[place] = set()
        if learn and len(names) <= MOST_NAMES:
            names.add(part)
        return part if len(names) <= MOST_NAMES else NAME
