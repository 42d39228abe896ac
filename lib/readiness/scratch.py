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
from .finding import NotMeasured, Reason

VARIABLE = "READINESS_SCRATCH"
_number = itertools.count(1)


@cache
def server() -> postgresql.Server:
    """The private server of this run, or of this process when it runs alone.

    Raises NotMeasured ``tool_missing`` when none can be had.
    """
    if folder := os.environ.get(VARIABLE):
        return postgresql.Server(Path(folder), postgresql.installation())
    stack = ExitStack()
    atexit.register(stack.close)
    try:
        return stack.enter_context(postgresql.temporary())
    except postgresql.PostgresqlError as broke:
        raise NotMeasured(Reason.TOOL_MISSING, f"no scratch server: {broke}") from None


@contextmanager
def database(script: str = "") -> Iterator[str]:
    """An empty database, with ``script`` (SQL) loaded; yields its URL and empties it after.

    One that can be made as new is given out again: making one copies three hundred files, which
    takes twenty times as long.
    """
    host = server()
    name = _spare.pop() if _spare else _created(host)
    try:
        if script:
            with psycopg.connect(host.url(name), autocommit=True) as connection:
                connection.execute(script.encode())
        yield host.url(name)
    finally:
        if _emptied(host, name):
            _spare.append(name)
        else:
            drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            with psycopg.connect(host.url(), autocommit=True) as admin:
                admin.execute(drop)


_spare: list[str] = []

# Everything that a script can leave behind, and what it can change of the schema public.
EMPTY = """
DO $$
DECLARE
    step text;
BEGIN
    FOR step IN
        SELECT format('DROP EXTENSION %I CASCADE', extname) FROM pg_extension
            WHERE extname <> 'plpgsql'
        UNION ALL
        SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', nspname) FROM pg_namespace
            WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_'
        UNION ALL
        SELECT 'DROP ' || replace(replace(type, 'composite ', ''), ' object', '')
                       || ' IF EXISTS ' || identity || ' CASCADE'
            FROM pg_depend, pg_identify_object(classid, objid, 0)
            WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'public'::regnamespace
        UNION ALL
        SELECT format('SELECT lo_unlink(%s)', oid) FROM pg_largeobject_metadata
    LOOP
        CONTINUE WHEN step IS NULL;  -- gone with what it depended on
        EXECUTE step;
    END LOOP;
END $$
"""
REMAINS = """
SELECT (SELECT count(*) FROM pg_depend WHERE objid >= 16384 OR refobjid >= 16384)
     + (SELECT count(*) FROM pg_class WHERE oid >= 16384)
     + (SELECT count(*) FROM pg_proc WHERE oid >= 16384)
     + (SELECT count(*) FROM pg_type WHERE oid >= 16384)
     + (SELECT count(*) FROM pg_operator WHERE oid >= 16384)
     + (SELECT count(*) FROM pg_collation WHERE oid >= 16384)
     + (SELECT count(*) FROM pg_namespace WHERE oid >= 16384 AND nspname !~ '^pg_(toast_)?temp_')
     + (SELECT count(*) FROM pg_extension WHERE oid >= 16384)
     + (SELECT count(*) FROM pg_event_trigger)
     + (SELECT count(*) FROM pg_publication)
     + (SELECT count(*) FROM pg_foreign_data_wrapper)
     + (SELECT count(*) FROM pg_default_acl)
     + (SELECT count(*) FROM pg_largeobject_metadata)
     + (SELECT count(*) FROM pg_seclabel)
     + (SELECT count(*) FROM pg_db_role_setting s, pg_database d
        WHERE d.oid = s.setdatabase AND d.datname = current_database())
     + (SELECT count(*) FROM pg_database d
        LEFT JOIN pg_shdescription c ON c.objoid = d.oid AND c.classoid = 'pg_database'::regclass
        WHERE d.datname = current_database() AND (d.datacl IS NOT NULL OR c.objoid IS NOT NULL
            OR d.datdba <> 10 OR NOT d.datallowconn OR d.datconnlimit <> -1))
"""
PUBLIC = """
SELECT nspowner, nspacl::text, obj_description(oid, 'pg_namespace')
FROM pg_namespace WHERE nspname = 'public'
"""


def _created(host: postgresql.Server) -> str:
    name = f"scratch_{os.getpid()}_{next(_number)}"
    with psycopg.connect(host.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return name


def _emptied(host: postgresql.Server, name: str) -> bool:
    """Empty a database and say whether it is as a new one."""
    others = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()"""
    try:
        with psycopg.connect(host.url(name), autocommit=True) as connection:
            connection.execute(others)
            connection.execute(EMPTY)
            connection.execute("SELECT pg_stat_reset()")
            remains = connection.execute(REMAINS).fetchone()
            return remains == (0,) and connection.execute(PUBLIC).fetchone() == _public(host)
    except psycopg.Error:
        return False


@cache
def _public(host: postgresql.Server) -> tuple[object, ...] | None:
    """The schema public as a new database has it."""
    with psycopg.connect(host.url()) as connection:
        return connection.execute(PUBLIC).fetchone()
