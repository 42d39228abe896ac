"""What the contents of the tables are compared with, and which of them may not change."""

from __future__ import annotations

from ..variables import Deferred, Secret
from .section import Section


class Checksums(Section):
    """The tables as the previous run saw them, as a replica has them, as a backup restored them.

    The previous run is the newest one of the environment unless it is named. Tables are named as
    [schema.]table, with * and ?.
    """

    previous: Deferred | None = None  # a run's folder
    replica_url: Secret | None = None
    restored_url: Secret | None = None  # a database into which a backup was restored
    immutable: list[str] = []  # no row is added, changed or removed
    append_only: list[str] = []  # rows are added and stay as they are; the key rises
