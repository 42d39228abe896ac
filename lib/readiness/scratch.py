"""Scratch databases: throwaway space on a private server, never on the target's.

The runner starts one server for a run and names it to the notebooks by READINESS_SCRATCH; a
notebook that runs alone starts its own, once, and it goes when the process ends.
"""

from __future__ import annotations

import atexit
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql

from . import postgresql

VARIABLE = "READINESS_SCRATCH"
_number = itertools.count(1)


@cache
def server() -> postgresql.Server:
    """The private server of this run, or of this process when it runs alone."""
    if folder := os.environ.get(VARIABLE):
        return postgresql.Server(Path(folder), postgresql.installation())
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(postgresql.temporary())


@contextmanager
def database(script: str = "") -> Iterator[str]:
    """A new empty database, with ``script`` (SQL) loaded; yields its URL and drops it after."""
    host = server()
    name = f"scratch_{os.getpid()}_{next(_number)}"
    with psycopg.connect(host.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            if script:
                with psycopg.connect(host.url(name), autocommit=True) as connection:
                    connection.execute(script.encode())
            yield host.url(name)
        finally:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
            admin.execute(drop.format(sql.Identifier(name)))
