"""What one user can do with the objects of another: list, read, change, delete them.

The owner makes an object with a mark in it that stands nowhere else; the other asks for it by its
identifier. Then the owner looks whether it is still there and unchanged, and removes it.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from ..finding import NotMeasured, Reason
from ..target import Http, Owned
from ..traffic import Planned
from .account import unique
from .client import Client, Exchange, filled
from .login import at, opened

NOBODY = "nobody"


def planned_attempts(http: Http) -> list[Planned]:
    """What ``try_others_objects`` would send, logins apart."""
    plan: list[Planned] = []
    for one in http.permissions.owned if http.permissions else []:
        for name in (one.owner, one.other):
            role = http.roles.get(name)
            plan += [Planned(role.login)] if role and role.login else []
        plan.append(Planned(one.create))
        plan += [Planned(one.list_all, 4)] if one.list_all else []
        plan += [Planned(one.read, 6)] if one.read else []
        plan += [Planned(one.change)] if one.change else []
        plan += [Planned(one.delete, 2)] if one.delete else []
    return plan


def try_others_objects(http_client: Client, owned: Owned) -> list[dict[str, Any]]:
    """One row for each attempt at an object of somebody else's.

    Raises NotMeasured when no object could be made, or its owner does not find it.
    """
    attempts = _Attempts(http_client, owned)
    attempts.make()
    try:
        return attempts.all()
    except NotMeasured:  # what was seen until then holds
        attempts.note("the rest", None, owned.other, got=False, sure=False)
        return attempts.rows
    finally:
        attempts.take_away()


class _Attempts:
    """One object, its owner, and who tries to get at it."""

    def __init__(self, http_client: Client, owned: Owned) -> None:
        self.client, self.owned = http_client, owned
        self.mark, self.changed = unique(), unique()
        self.identifier = ""
        self.gone = False
        self.left = ""
        self.rows: list[dict[str, Any]] = []

    def make(self) -> None:
        owned = self.owned
        answer = self._ask(owned.create, owned.owner, filled(owned.json_body, self.mark))
        identifier = at(answer.json(), owned.id_field)
        if not opened(answer.status) or identifier is None:
            raise NotMeasured(
                Reason.INCONCLUSIVE,
                f"{owned.create} as {owned.owner} answered {answer.error or answer.status} and no "
                f"{owned.id_field}, so there is nothing to try at",
            )
        self.identifier = str(identifier)

    def all(self) -> list[dict[str, Any]]:
        owned = self.owned
        if owned.list_all:
            control = self._holds(self._ask(owned.list_all, owned.owner))
            self._looked("list", owned.list_all, owned.other, control)
        if owned.read:
            control = self._holds(self._ask(owned.read, owned.owner))
            self._looked("read", owned.read, owned.other, control)
            self._looked("read", owned.read, NOBODY, control)
        if owned.change:
            self._done("change", owned.change, filled(owned.change_json, self.changed))
        if owned.delete:
            self._done("delete", owned.delete, None)
        return self.rows

    def take_away(self) -> None:
        """Remove the object, if nobody did; what cannot be removed is told in the last row."""
        delete, left = self.owned.delete, f"{self.owned.name} {self.mark} is left"
        try:
            if self.gone or (delete and opened(self._ask(delete, self.owned.owner).status)):
                left = ""
        except NotMeasured as gap:
            left = f"{left}: {gap}"
        if self.rows:
            self.rows[-1]["left"] = left

    def _looked(self, attempt: str, operation: str, who: str, control: bool) -> None:
        """Somebody else looks: what they are answered must not hold the object."""
        answer = self._ask(operation, who)
        got = opened(answer.status) and self._holds(answer)
        refused = answer.status in (401, 403, 404)
        empty = attempt == "list" and opened(answer.status) and not got
        self.note(attempt, answer, who, got, control and (got or refused or empty))

    def _done(self, attempt: str, operation: str, body: Any) -> None:
        """Somebody else changes or removes it: what the owner sees afterwards decides."""
        before = self._seen_by_owner()
        answer = self._ask(operation, self.owned.other, body)
        after = self._seen_by_owner()
        if before is None or after is None:
            got = opened(answer.status)
            sure = got or answer.status in (401, 403, 404)
        else:
            got = after != before
            sure = before == "there" and (got or not opened(answer.status))
            self.gone = after == "gone"
        self.note(attempt, answer, self.owned.other, got, sure)

    def _seen_by_owner(self) -> str | None:
        """Whether the owner finds the object there, changed, or gone; None where none can look."""
        operation = self.owned.read or self.owned.list_all
        if operation is None:
            return None
        answer = self._ask(operation, self.owned.owner)
        if self.changed in answer.text:
            return "changed"
        if opened(answer.status) and self._holds(answer):
            return "there"
        gone = answer.status in (404, 410) or (opened(answer.status) and not self.owned.read)
        return "gone" if gone else None

    def _holds(self, answer: Exchange) -> bool:
        """Whether an answer holds the object: its mark, or its identifier if that is long."""
        text = answer.text
        return self.mark in text or (len(self.identifier) > 8 and self.identifier in text)

    def _ask(self, operation: str, who: str, body: Any = None) -> Exchange:
        method, path = operation.split(" ", 1)
        headers = {} if who == NOBODY else self.client.credentials(who)
        filled_path = path.replace("{id}", quote(self.identifier, safe=""))
        return self.client.send(
            method, filled_path, headers=headers, json=body, operation=operation
        )

    def _operations(self) -> dict[str, str | None]:
        owned = self.owned
        return {
            "list": owned.list_all,
            "read": owned.read,
            "change": owned.change,
            "delete": owned.delete,
        }

    def note(self, attempt: str, answer: Exchange | None, who: str, got: bool, sure: bool) -> None:
        """Keep what came of one attempt."""
        self.rows.append(
            {
                "object": self.owned.name,
                "of": self.owned.owner,
                "by": who,
                "attempt": attempt,
                "operation": self._operations().get(attempt) or "",
                "status": answer.status if answer else None,
                "got_through": got,
                "sure": sure,
                "left": "",
            }
        )


def others_table(evidence: Any) -> Any:
    """A data frame: one row an attempt at somebody else's object, and what came of it."""
    import pandas as pd

    columns = ["object", "of", "tried by", "attempt", "answer", "outcome"]
    rows = [
        {
            "object": r["object"],
            "of": r["of"],
            "tried by": r["by"],
            "attempt": r["attempt"],
            "answer": r["status"] or "–",
            "outcome": "got through" if r["got_through"] else "refused" if r["sure"] else "unclear",
        }
        for r in evidence.facts.get("others", [])
    ]
    return pd.DataFrame(rows, columns=columns)
