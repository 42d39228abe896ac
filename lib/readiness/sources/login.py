"""Logging in: how a role's credentials are asked for, found in the answer, and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..finding import NotMeasured, Reason
from ..target import Role, need
from ..variables import keep_secret

if TYPE_CHECKING:
    from .client import Client, Exchange


def opened(status: int | None) -> bool:
    """Whether an answer is a success; 101 is that of a WebSocket."""
    return status is not None and (200 <= status < 300 or status == 101)


def at(content: Any, field: str) -> Any:
    """What stands under a dotted name in a JSON body, or None."""
    for key in field.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content


def role_of(client: Client, name: str) -> Role:
    """A role of the parameters; raises NotMeasured when it is not described."""
    return need(client.http.roles.get(name), f"target.http.roles.{name}")


def log_in(
    client: Client,
    name: str,
    username: str,
    password: str,
    *,
    patient: bool = True,
    timed: bool = True,
) -> Exchange:
    """Send the login of role ``name`` with any name and password, on a connection of its own.

    ``patient`` and ``timed`` are those of ``Client.send``.
    """
    role = role_of(client, name)
    method, path = need(role.login, f"target.http.roles.{name}.login").split(" ", 1)
    fields = {role.username_field: username, role.password_field: password}
    form, body = (fields, None) if role.login_as == "form" else (None, fields)
    return client.send(method, path, form=form, json=body, fresh=True, patient=patient, timed=timed)


def log_in_as(client: Client, name: str) -> Exchange:
    """Log in as role ``name`` with its own name and password."""
    role = role_of(client, name)
    username = need(role.username, f"target.http.roles.{name}.username").value()
    password = need(role.password, f"target.http.roles.{name}.password").value()
    return log_in(client, name, username, password)


def token_in(answer: Exchange, role: Role, name: str) -> str:
    """The token that a login answered; raises NotMeasured when there is none."""
    token = at(answer.json(), role.token_field)
    if not isinstance(token, str) or not token:
        raise NotMeasured(
            Reason.UNREACHABLE,
            f"login as {name} gave no {role.token_field}: {role.login} answered "
            f"{answer.error or answer.status}",
        )
    return keep_secret(token, f"token of {name}")


def headers_with(role: Role, token: str) -> dict[str, str]:
    """The headers that send a credential as the role sends its own."""
    return {role.header: f"{role.scheme} {token}".strip()}
