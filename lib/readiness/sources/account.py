"""The sacrificial account: one that the audit may lock, deny and log out, as it is nobody's."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..finding import NotMeasured, Reason
from ..target import Account, Request, need
from ..variables import keep_secret
from .client import Client, Exchange
from .login import at, opened

MARK = "readiness-"  # what the audit makes can be recognised by it


@dataclass
class Sacrifice:
    """The account while it is there. ``left`` says what of it could not be taken away."""

    username: str
    password: str
    role: str  # whose login it uses
    identifier: str | None = None
    created_by: str | None = None  # the role that made it
    left: str = ""


def unique() -> str:
    """A mark that stands nowhere else."""
    return f"{MARK}{secrets.token_hex(6)}"


@contextmanager
def sacrifice(client: Client) -> Iterator[Sacrifice]:
    """The sacrificial account of the parameters: made now and taken away after, or given.

    Raises NotMeasured when there is none, when it cannot be made, or when it is the account of one
    of the roles, which must not be locked.
    """
    wanted = need(client.http.sacrificial_account, "target.http.sacrificial_account")
    if wanted.create is None:
        yield _given(client, wanted)
        return
    account = Sacrifice(unique(), keep_secret(_password(), "password"), wanted.like_role)
    answer = client.request(filled(wanted.create, account))
    if not opened(answer.status):
        raise NotMeasured(
            Reason.INCONCLUSIVE,
            f"no account could be made to be sacrificed: {wanted.create.operation} answered "
            f"{answer.error or answer.status}",
        )
    found = at(answer.json(), wanted.id_field)
    account.identifier = None if found is None else str(found)
    account.created_by = wanted.create.as_role
    try:
        yield account
    finally:
        account.left = _remove(client, wanted.remove, account)


def _given(client: Client, wanted: Account) -> Sacrifice:
    username = need(wanted.username, "target.http.sacrificial_account.username").value()
    password = need(wanted.password, "target.http.sacrificial_account.password").value()
    for name, role in client.http.roles.items():
        if role.username and role.username.value() == username:
            raise NotMeasured(
                Reason.NOT_PERMITTED,
                f"target.http.sacrificial_account is the account of role {name}, which the audit "
                "needs and does not lock: name another",
            )
    return Sacrifice(username, password, wanted.like_role)


def filled(request: Request, account: Sacrifice, identifier: str | None = None) -> Request:
    """The request with the account's name, password and id filled in."""
    values = {"{username}": account.username, "{password}": account.password}
    return request.model_copy(
        update={
            "operation": request.operation.replace("{id}", quote(identifier or "", safe="")),
            "json_body": _fill(request.json_body, values),
            "form": _fill(request.form, values),
        }
    )


def _fill(value: Any, values: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _fill(inner, values) for name, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, values) for inner in value]
    if isinstance(value, str):
        for mark, text in values.items():
            value = value.replace(mark, text)
    return value


def _remove(client: Client, request: Request | None, account: Sacrifice) -> str:
    if request is None or account.identifier is None:
        return f"the account {account.username} is left: there is no operation to remove it"
    try:
        answer: Exchange = client.request(filled(request, account, account.identifier))
    except (NotMeasured, ValueError) as gap:
        return f"the account {account.username} is left: {gap}"
    if opened(answer.status):
        return ""
    said = answer.error or answer.status
    return f"the account {account.username} is left: its removal answered {said}"


def _password() -> str:
    """Long, and of every class of characters that a rule may ask for."""
    return f"Rd-7{secrets.token_urlsafe(18)}"
