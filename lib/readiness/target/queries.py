"""Queries that matter, where the server itself does not remember them, and what counts as large."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from ..variables import Deferred
from .section import Section


class Statement(Section):
    """A query as the service sends it, ``$1``, ``$2`` ... standing for ``values``."""

    name: str
    sql: str = Field(min_length=1)
    values: list[Any] | None = None  # without, such as the columns' statistics make likely


class Queries(Section):
    """What is explained when pg_stat_statements is not there."""

    statements: list[Statement] = []
    top: int = Field(default=10, ge=1, le=100)  # by total time, of pg_stat_statements
    timeout_s: float = Field(default=10, gt=0)  # for each
    logs: list[Deferred] = []  # the server's log files, with * and ?
