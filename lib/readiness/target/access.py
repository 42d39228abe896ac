"""Who may do what, how often, and what is written down of it: what the audit needs to try that."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..variables import Secret
from .section import Operation, Request, SafeOperation, Section


class WebSocket(Section):
    """A WebSocket that asks for the token of ``authentication.token_role``."""

    path: str = Field(pattern=r"^/\S*$")
    # Where the token goes: in the query (where logs see it), a header, or as a subprotocol.
    token_in: Literal["query", "header", "protocol"] = "query"
    name: str = "token"  # of the query's field or the header; the subprotocol said before the token
    scheme: str = ""  # before the token, in a header


class Revocation(Section):
    """A credential that the audit has issued to itself, only to revoke it.

    Without ``issue`` it is what the login of ``as_role`` answers; with it, an API key or a token
    that an operation answers to ``as_role``. ``{id}`` in ``revoke`` is ``id_field`` of the answer.
    """

    as_role: str
    issue: Operation | None = None
    issue_json: Any = None
    token_field: str | None = None  # of what issue answers; the role's own says it for a login
    id_field: str = "id"
    header: str | None = None  # how the credential is sent; as the role sends its own if not said
    scheme: str | None = None
    revoke: Operation
    revoke_json: Any = None
    revoked_by: Literal["itself", "role"] = "itself"
    refresh: Operation | None = None  # renews the token, which must end with it
    refresh_field: str = "refresh_token"  # of the login's answer and of the body of ``refresh``
    protected: SafeOperation | None = None  # what the credential opens; else authentication's


class Logout(Section):
    """How a credential is revoked, and how many processes must learn of it."""

    credentials: list[Revocation]
    probability: float = Field(default=0.999, gt=0.5, lt=1)  # that each of them was met


class Account(Section):
    """An account whose loss harms nobody: it is locked, denied, and logged out.

    Made by ``create``, with ``{username}`` and ``{password}`` in its body filled in, and taken away
    by ``remove`` (``{id}`` is ``id_field`` of the answer); or there already, with its secrets.
    """

    like_role: str  # whose login it uses
    create: Request | None = None
    remove: Request | None = None
    id_field: str = "id"
    username: Secret | None = None
    password: Secret | None = None


class Lockout(Section):
    """How many passwords may be guessed at the sacrificial account, and what is promised of it."""

    most_attempts: int = Field(default=50, ge=3, le=500)
    unlocks_after_s: float | None = None  # as documented, where the answers do not say it
    wait_for_unlock_s: float = Field(default=10, ge=0, le=600)  # longer locks are not waited for


class Owned(Section):
    """A kind of object that belongs to one user and is nobody else's business.

    ``{unique}`` in the bodies becomes a mark that is looked for in what others are answered.
    ``{id}`` in the other operations is ``id_field`` of what ``create`` answers.
    """

    name: str
    owner: str  # two roles, of two users who may do the same
    other: str
    create: Operation
    json_body: Any = Field(default=None, alias="json")
    id_field: str = "id"
    list_all: SafeOperation | None = Field(default=None, alias="list")
    read: SafeOperation | None = None
    change: Operation | None = None
    change_json: Any = None
    delete: Operation | None = None


class Permissions(Section):
    """What each role may do. ``allowed`` wins over the scopes that the API document asks for.

    ``scopes`` gives the scopes of each role. ``allowed`` maps an operation, ``METHOD /path`` with *
    and ?, to the roles that may use it; the first that fits holds.
    """

    scopes: dict[str, list[str]] = {}
    allowed: dict[str, list[str]] = {}
    owned: list[Owned] = []


class RateLimit(Section):
    """An operation that is limited, and how much of it the audit may ask for to see that."""

    operation: Operation
    json_body: Any = Field(default=None, alias="json")
    as_role: str | None = None
    other_role: str | None = None  # another user, whom the first one's burst must not starve
    limit: int | None = Field(default=None, gt=0)  # as documented; learned from the answers if not
    window_s: float | None = Field(default=None, gt=0)
    most_requests: int = Field(default=300, gt=0, le=10_000)
    bypass_headers: dict[str, str] = {}  # of a test bypass that must be off; beside the usual names


class AuditLog(Section):
    """The table that security events are written to, and the events to provoke.

    They are provoked as the sacrificial account, so that its rows are known from everybody else's.
    """

    table: str = Field(pattern=r"^[^.\s]+(\.[^.\s]+)?$")
    when: str
    who: list[str]
    what: list[str]
    where: list[str] = []  # empty: the log does not say from where, which is a finding
    logout: Operation | None = None
    denied: Request | None = None  # an operation that the account may not use
    within_s: float = Field(default=5, gt=0, le=120)
    application_url: Secret | None = None  # the service's own role, to try to change a row
    application_role: str | None = None  # its name, where only its privileges can be looked up
