"""The database, the models that are meant to fit it, and its backups."""

from __future__ import annotations

from pydantic import Field, model_validator

from ..variables import Deferred, Secret
from .section import Section


class Database(Section):
    url: Secret
    schemas: list[str] = ["public"]
    statement_timeout_s: float = Field(default=60, gt=0)
    lock_timeout_s: float = Field(default=2, gt=0)
    connect_timeout_s: int = Field(default=5, gt=0)
    ignore_tables: list[str] = []  # a table of a tool and not of the application, with * and ?


class Orm(Section):
    """The target's models, asked for their DDL in the target's own interpreter: one of
    ``metadata`` (SQLAlchemy), ``django``, and ``command`` (any program that prints DDL)."""

    interpreter: Deferred | None = None
    path: list[Deferred] = []  # put on sys.path
    imports: list[str] = []  # modules to import first, so that every model is registered
    metadata: str | None = Field(default=None, pattern=r"^[\w.]+:[\w.]+$")  # module:object
    django: str | None = Field(default=None, pattern=r"^[\w.]+$")  # the settings module
    command: list[Deferred] = []
    environment: dict[str, Deferred] = {}
    timeout_s: float = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> Orm:
        if sum(map(bool, (self.metadata, self.django, self.command))) != 1:
            raise ValueError("say one of metadata, django and command")
        if not self.command and self.interpreter is None:
            raise ValueError("metadata and django need the target's interpreter")
        return self

    @property
    def about(self) -> str:
        """What the models are called in a sentence."""
        return self.metadata or self.django or "target.orm.command"


class Backup(Section):
    """How the target takes a backup and restores it: the commands as they are run in earnest.

    ``{file}`` is the backup, in a folder of the run's own; a script that names its file itself is
    given ``{folder}`` instead. URLs go by environment and never by argument, under the variables
    named here and as libpq's PGHOST, PGUSER and so on; ``{database}`` is the database's bare name.
    """

    dump: list[Deferred] = []
    restore: list[Deferred] = []
    source_url: Secret
    source_variable: str = "DATABASE_URL"
    target_variable: str = "DATABASE_URL"
    environment: dict[str, Deferred] = {}
    folder: Deferred | None = None  # where the commands are run; the repository if there is one
    timeout_s: float = Field(default=300, gt=0)
    ignore_tables: list[str] = []  # whose rows are left out on purpose, with * and ?
    stored: list[Deferred] = []  # files with * and ?: the backups kept; the newest one is dated
