"""The cookies that the service sets, with their attributes and never with their value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured
from ..target import Http, Role, Target, need
from ..traffic import Planned
from .client import Client, client

LONGEST_NAME = 100


def _planned(target: Target, operations: list[str]) -> Iterable[Planned]:
    found = _login(target.http) if target.http else None
    return [Planned(found[1].login)] if found and found[1].login else []


@source("passive", plan=_planned)
def at_login(target: Target) -> Collected:
    """One row for each cookie that logging in sets; ``facts.not_asked`` says why nobody did.

    Where ``active`` is not permitted, or no role logs in, there is no row.
    """
    http = need(target.http, "target.http")
    facts: dict[str, Any] = {"not_asked": None, "operation": None, "status": None}
    found = _login(http)
    if found is None:
        return Collected([], facts | {"not_asked": "no role under target.http.roles logs in"})
    name, role = found
    facts |= {"operation": role.login}
    with client(target) as http_client:
        try:
            exchange = _log_in(http_client, name, role)
        except NotMeasured as gap:
            return Collected([], facts | {"not_asked": str(gap)})
    facts["status"] = exchange.status
    if exchange.status is None or not 200 <= exchange.status < 400:
        said = exchange.error or f"was answered {exchange.status}"
        return Collected([], facts | {"not_asked": f"the login as {name} {said}"})
    values = [value for known, value in exchange.headers if known == "set-cookie"]
    return Collected([attributes(value) for value in values], facts)


def _login(http: Http) -> tuple[str, Role] | None:
    """The role that logs in to be watched: the one whose token is tried, or the first."""
    first = http.authentication.token_role if http.authentication else None
    roles = sorted(http.roles.items(), key=lambda item: item[0] != first)
    return next(((name, role) for name, role in roles if role.login), None)


def _log_in(http_client: Client, name: str, role: Role) -> Any:
    where = f"target.http.roles.{name}"
    method, path = need(role.login, f"{where}.login").split(" ", 1)
    fields = {
        role.username_field: need(role.username, f"{where}.username").value(),
        role.password_field: need(role.password, f"{where}.password").value(),
    }
    if role.login_as == "form":
        return http_client.send(method, path, form=fields)
    return http_client.send(method, path, json=fields)


def attributes(set_cookie: str) -> dict[str, Any]:
    """A cookie by its name and attributes, as RFC 6265bis has browsers read them."""
    first, *rest = [part.strip() for part in set_cookie.split(";")]
    name = first.partition("=")[0].strip()[:LONGEST_NAME]
    given: dict[str, str] = {}
    for part in rest:
        key, _, value = part.partition("=")
        given[key.strip().lower()] = value.strip()  # of two, the last one counts
    age = given.get("max-age", "")
    removed = age == "0" or age.startswith("-") or "1970" in given.get("expires", "")
    return {
        "cookie": name,
        "secure": "secure" in given,
        "http_only": "httponly" in given,
        "same_site": given["samesite"].lower() if "samesite" in given else None,
        "path": given.get("path"),
        "domain": given.get("domain"),
        "removed": removed,
    }


def set_by(responses: Evidence, login: Evidence, met: Evidence) -> list[dict[str, Any]]:
    """The cookies of the classes of response, and those that only another answer set."""
    declared = [
        {"where": record["class"], **attributes(value)}
        for record in responses.records
        for name, value in record["headers"]
        if name == "set-cookie"
    ]
    known = {row["cookie"] for row in [*declared, *login.records]}
    return declared + [row for row in met.facts.get("cookies", []) if row["cookie"] not in known]


def cookie_table(responses: Evidence, login: Evidence, met: Evidence) -> Any:
    """A data frame: one row a cookie and place where it was set."""
    import pandas as pd

    rows = set_by(responses, login, met) + [{"where": "login", **row} for row in login.records]
    columns = ["where", "cookie", "secure", "http_only", "same_site", "path", "domain"]
    return pd.DataFrame(rows, columns=columns)
