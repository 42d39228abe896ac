"""How the target's schema is migrated."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..variables import Deferred
from .section import Section


class Migrations(Section):
    """The migrations of the repository; without this section, the repository is searched, and an
    alembic.ini that is found there is asked by the interpreter of ``target.orm``.

    ``alembic``: asked in the target's interpreter for its scripts and for the SQL of an offline
    upgrade, so that no database is connected to. ``django``: run in the target's interpreter
    against a scratch database. ``sql``: numbered files, loaded in their order.
    """

    tool: Literal["alembic", "django", "sql"]
    folder: Deferred | None = None  # of alembic.ini or of the SQL files; below the repository
    interpreter: Deferred | None = None
    path: list[Deferred] = []  # put on sys.path
    script_location: str | None = None  # alembic without alembic.ini: package:folder
    settings: str | None = None  # django: the settings module
    base: str | None = None  # sql: the script that the first migration starts from
    table: str = "schema_migrations"  # sql: where the database keeps what was applied
    replays: bool = True  # false: the history was never meant to start from nothing
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=120, gt=0)

    @model_validator(mode="after")
    def _complete(self) -> Migrations:
        if self.tool != "sql" and self.interpreter is None:
            raise ValueError(f"{self.tool} needs the target's interpreter")
        if self.tool == "alembic" and not (self.folder or self.script_location):
            raise ValueError("alembic needs folder (of alembic.ini) or script_location")
        if self.tool == "django" and self.settings is None:
            raise ValueError("django needs settings")
        if self.tool == "sql" and self.folder is None:
            raise ValueError("sql needs folder")
        return self
