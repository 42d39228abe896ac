"""Deleted through the API: is the row still there, and does anything still serve it?"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Identifier

from ..evidence import Collected, Evidence, source
from ..target import SoftDelete, Target, need
from ..traffic import Planned
from . import planning
from .client import Client, Exchange, client, filled
from .database import Session, session, why

if TYPE_CHECKING:
    import pandas as pd

LETTERS = "bcfhjkmpqvwxz"  # no vowels: no word, no stem that a text index would cut
ASKED = 3  # times after the removal: a worker or a cache may still have it
Record = dict[str, Any]


def _planned(target: Target, _operations: list[str]) -> Iterable[Planned]:
    """One object made and removed, and looked for before and after."""
    http = target.http
    for one in http.soft_deletes if http else []:
        yield from (Planned(one.operation), Planned(one.remove))
        looks = [*([one.item] if one.item else []), *one.lists, *one.counts]
        yield from (Planned(operation, 1 + ASKED) for operation in looks)
    if http:
        yield from planning.logins(http, *(one.as_role for one in http.soft_deletes))


@source("active", plan=_planned)
def deletions(target: Target) -> Collected:
    """One object of each of ``target.http.soft_deletes``, created, removed, and looked for.

    One record a look: ``where`` (an operation or the table), ``how`` (by id, in a list, counted,
    row), what was seen ``before`` and ``after`` the removal: ``served``, ``not served``, a number,
    ``there``, ``marked``, ``gone``, or why it could not be told. ``facts.left`` are the rows that
    stay in the tables, as they should.
    """
    wanted = need(need(target.http, "target.http").soft_deletes, "target.http.soft_deletes")
    records: list[Record] = []
    left: list[str] = []
    with session(target) as database, client(target) as service:
        for one in wanted:
            trial = _Trial(database, service, one, target)
            trial.run()
            records += trial.records
            left += trial.left
        version = database.facts["server_version"]
    return Collected(records, {"left": left}, {"PostgreSQL": version})


class _Trial:
    """One object's life."""

    def __init__(
        self, database: Session, service: Client, wanted: SoftDelete, target: Target
    ) -> None:
        self.records: list[Record] = []
        self.left: list[str] = []
        self._database = database
        self._service = service
        self._wanted = wanted
        self._schemas = database.facts["schemas"]
        self._unique = "".join(secrets.choice(LETTERS) for _ in range(20))
        self._id = ""

    def run(self) -> None:
        wanted = self._wanted
        made = self._send(wanted.operation, filled(wanted.json_body, self._unique))
        identifier = _at(made, wanted.id_field)
        if made.status is None or not 200 <= made.status < 300 or identifier is None:
            said = f"not created: {made.error or made.status}"
            self._note(wanted.operation, "created", said, said)
            return
        self._id = str(identifier)
        before = self._looks()
        removed = self._send(wanted.remove)
        gone = removed.status is not None and 200 <= removed.status < 300
        after = [self._looks() for _ in range(ASKED)] if gone else []
        if not gone:
            said = f"not removed: {removed.error or removed.status}"
            self._note(wanted.remove, "removed", "", said)
        for place, seen in before.items():
            self._note(*place, seen, _worst([one[place] for one in after], seen))

    def _looks(self) -> dict[tuple[str, str], Any]:
        wanted = self._wanted
        seen: dict[tuple[str, str], Any] = {}
        if wanted.item:
            seen[wanted.item, "by id"] = self._item(wanted.item)
        for operation in wanted.lists:
            seen[operation, "in a list"] = self._listed(operation)
        for operation, field in wanted.counts.items():
            found = _at(self._send(operation), field)
            seen[operation, "counted"] = found if isinstance(found, int) else "no number"
        seen[wanted.table, "row"] = self._row()
        return seen

    def _item(self, operation: str) -> str:
        answer = self._send(operation)
        if answer.status in (404, 410):
            return "not served"
        if answer.status is not None and 200 <= answer.status < 300:
            return "served" if self._holds(answer) else f"{answer.status} without it"
        return str(answer.error or answer.status)

    def _listed(self, operation: str) -> str:
        answer = self._send(operation)
        if answer.status in (404, 410):
            return "not served"
        if answer.status is None or not 200 <= answer.status < 300 or answer.json() is None:
            return str(answer.error or f"{answer.status}, no JSON")
        return "served" if self._holds(answer) else "not served"

    def _holds(self, answer: Exchange) -> bool:
        """Whether it is in an answer; but a search may repeat what was searched for."""
        return _stands(answer.json(), self._id) or self._unique in answer.text

    def _row(self) -> str:
        wanted = self._wanted
        *schema, table = wanted.table.split(".")
        for place in schema or self._schemas:
            query = SQL("SELECT {}::text AS mark FROM {} WHERE {}::text = %s").format(
                Identifier(wanted.column), Identifier(place, table), Identifier(wanted.key)
            )
            try:
                rows = self._database.rows(query, (self._id,))
            except psycopg.errors.UndefinedTable:
                continue
            except psycopg.Error as broke:
                if self._database.connection.broken:
                    raise
                return why(broke)
            if not rows:
                return "gone"
            mark = rows[0]["mark"]
            marked = (
                mark is not None
                if wanted.deleted_when == "not null"
                else mark is not None and (mark.lower().startswith(wanted.deleted_when[0]))
            )
            self.left = [f"{place}.{table} {wanted.key}={self._id}"]
            return "marked" if marked else "there"
        return "there is no such table"

    def _send(self, operation: str, body: Any = None) -> Exchange:
        method, path = operation.split(" ", 1)
        path = path.replace("{id}", quote(self._id, safe="")).replace("{unique}", self._unique)
        credentials = self._service.credentials(self._wanted.as_role)
        if body is None:
            return self._service.send(method, path, headers=credentials)
        return self._service.send(method, path, headers=credentials, json=body)

    def _note(self, where: str, how: str, before: Any, after: Any) -> None:
        self.records.append({"where": where, "how": how, "before": before, "after": after})


def _worst(after: list[Any], before: Any) -> Any:
    """What of several looks to keep: any that still sees it, else the last."""
    if not after:
        return "not asked"
    for seen in after:
        if seen == "served" or (isinstance(seen, int) and seen == before):
            return seen
    return after[-1]


def _stands(value: Any, text: str) -> bool:
    """Whether a value of a document is this, as text."""
    if isinstance(value, dict):
        return any(_stands(inner, text) for inner in value.values())
    if isinstance(value, list):
        return any(_stands(inner, text) for inner in value)
    return not isinstance(value, bool) and str(value) == text


def _at(answer: Exchange, path: str) -> Any:
    found = answer.json()
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


def looks(evidence: Evidence) -> pd.DataFrame:
    """A row a look: where and how, what was seen before and after the removal."""
    import pandas as pd

    return pd.DataFrame(evidence.records, columns=["where", "how", "before", "after"])
