"""Deliberate flaws that show only when many ask, or when one asks for long (see flaws.py)."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi import FastAPI
from sqlalchemy import create_engine
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app import database
from app.config import settings
from app.flaws import flaw

HELD_SECONDS = 0.022  # of a connection, in each transaction of a pool of two
MOST_CALLERS = 20  # at once, before the quota of the flaw is used up
LATELY_SECONDS = 0.7

_kept: list[bytes] = []


class _Before:
    """Do something before each request is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not await self.answered(scope, receive, send):
            await self.app(scope, receive, send)

    async def answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Whether the request has been dealt with here."""
        raise NotImplementedError


class _Stall(_Before):
    numbers = itertools.count(1)

    async def answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        if next(self.numbers) % 100 == 0:
            await asyncio.sleep(1)
        return False


@flaw("stall-one-in-a-hundred")
def _stall(app: FastAPI) -> None:
    app.add_middleware(_Stall)


class _Leak(_Before):
    async def answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        _kept.append(os.urandom(8192))
        return False


@flaw("memory-leak")
def _leak(app: FastAPI) -> None:
    app.add_middleware(_Leak)


class _Quota(_Before):
    """Counts the callers of all workers, by a file of each worker; who came once is none yet."""

    seen: dict[tuple[str, int], tuple[float, float]] = {}
    told = 0.0

    async def answered(self, scope: Scope, receive: Receive, send: Send) -> bool:
        now, caller = time.monotonic(), tuple(scope["client"])
        self.seen[caller] = (self.seen.get(caller, (0.0, 0.0))[1], now)
        for old in [c for c, (_, last) in self.seen.items() if last < now - LATELY_SECONDS]:
            del self.seen[old]
        callers = sum(before > now - LATELY_SECONDS for before, _ in self.seen.values())
        folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        if now - self.told > 0.2:
            type(self).told = now
            (folder / f"callers-{os.getpid()}").write_text(str(callers))
        others = (p for p in folder.glob("callers-*") if p.name != f"callers-{os.getpid()}")
        recent = (p for p in others if p.stat().st_mtime > time.time() - LATELY_SECONDS)
        crowded = callers + sum(int(p.read_text() or 0) for p in recent) > MOST_CALLERS
        if not crowded or scope["path"] != "/api/oracle/users":
            return False
        await JSONResponse({"detail": "Internal error."}, 500)(scope, receive, send)
        return True


@flaw("errors-with-many-users")
def _errors(app: FastAPI) -> None:
    app.add_middleware(_Quota)


@flaw("pool-of-two")
def _pool_of_two(_app: FastAPI) -> None:
    url = settings().database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    small = create_engine(url, pool_size=2, max_overflow=0, pool_timeout=30)
    sound = database.transaction

    @contextmanager
    def slow_transaction() -> Iterator[object]:
        with sound() as session:
            yield session
            time.sleep(HELD_SECONDS)

    database.engine = lambda: small
    _everywhere(sound, slow_transaction)


def _everywhere(old: object, new: object) -> None:
    """Put ``new`` where modules have imported ``old`` by name."""
    import sys

    for name, module in list(sys.modules.items()):
        if name.startswith("app."):
            for key, value in list(vars(module).items()):
                if value is old:
                    setattr(module, key, new)
