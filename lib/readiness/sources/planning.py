"""What sources plan to send, in the pieces that many of them share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..target import Http, Request
from ..traffic import Planned


def logins(http: Http, *names: str | None) -> Iterator[Planned]:
    """One login for each role that has one; a role named twice logs in once."""
    for name in dict.fromkeys(names):
        role = http.roles.get(name or "")
        if role and role.login and not role.credential:
            yield Planned(role.login)


def requests(http: Http, wanted: Iterable[Request], times: int = 1) -> Iterator[Planned]:
    """Requests of the parameters as they stand there, so often each, and their roles' logins."""
    listed = list(wanted)
    yield from (Planned(one.operation, times) for one in listed)
    yield from logins(http, *(one.as_role for one in listed))


def document(http: Http) -> Iterator[Planned]:
    """The API document, asked for again with credentials where it is refused without."""
    if (http.openapi or "").startswith("/"):
        yield Planned(f"GET {http.openapi}", 2)
        yield from logins(http, http.authentication.token_role if http.authentication else None)


def absent(operations: Iterable[str], times: int = 1) -> Iterator[Planned]:
    """Paths that are not there, in every folder on the way to an operation."""
    found = {
        (method, folder)
        for method, _, path in (operation.partition(" ") for operation in operations)
        for folder in folders(path)
    }
    yield from (Planned(f"{method} {folder}/*", times) for method, folder in sorted(found))


def folders(template: str) -> list[str]:
    """The folders on the way to a path, up to its first parameter."""
    parts = template.split("{")[0].split("/")[1:-1]
    return ["/".join(["", *parts[:n]]) for n in range(len(parts) + 1)]
