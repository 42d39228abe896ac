"""The database: one engine for each worker, and the metadata that `database/init.sql` equals."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.orm import DeclarativeBase, Session

from app.config import settings

# PostgreSQL's own way to name things, so that init.sql reads naturally and both agree.
NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


POOL_SIZE, POOL_OVERFLOW = 15, 5  # two workers stay well under PostgreSQL's default of 100


class Base(DeclarativeBase):
    """Every table of the service."""

    metadata = MetaData(naming_convention=NAMES)


@cache
def engine() -> Engine:
    """This worker's connections, made when first needed."""
    url = settings().database_url.replace("postgresql://", "postgresql+psycopg://", 1)
    return create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=5,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 3, "options": "-c statement_timeout=5000"},
    )


@contextmanager
def transaction() -> Iterator[Session]:
    """A session that commits at the end of the block and rolls back when it raises.

    Keep the block short, and never wait in it for anything but the database: while it is open it
    holds one of the few connections.
    """
    with Session(engine(), expire_on_commit=False) as session, session.begin():
        yield session
