"""Runs in the target's own Python: its Django models as DDL, plus what DDL cannot say.

    python -c <this file> '{"path": [], "imports": [], "settings": "app.settings",
                            "database": {"host": ...}, "answer": F}'

``database`` is a scratch database: Django wants one to ask for its version, and must not find the
application's. The answer is JSON in the file F. This file knows nothing of readiness.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def set_up(job: dict[str, Any]) -> None:
    """Django with the application's settings and the scratch database instead of its own."""
    os.environ["DJANGO_SETTINGS_MODULE"] = job["settings"]
    import django
    from django.conf import settings

    given = job["database"]
    settings.DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": given["dbname"],
            "HOST": given["host"],
            "USER": given["user"],
            "PASSWORD": "",
        }
    }
    django.setup()
    for module in job["imports"]:
        importlib.import_module(module)


def statements(models: list[Any]) -> list[str]:
    """What ``migrate --run-syncdb`` would send to an empty database."""
    from django.db import connection

    with connection.schema_editor(collect_sql=True) as editor:
        for model in models:
            if not model._meta.auto_created:  # a table between two comes with one of them
                editor.create_model(model)
    return [one for one in editor.collected_sql if not one.startswith("--")]


def columns(models: list[Any]) -> list[dict[str, Any]]:
    """For each column, what an INSERT of the ORM will do about it: it names all but those that
    the database fills."""
    from django.db.models import NOT_PROVIDED, AutoField, BigAutoField, SmallAutoField

    rows = []
    for model in models:
        for field in model._meta.local_concrete_fields:
            counts = isinstance(field, (AutoField, BigAutoField, SmallAutoField))
            filled = getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED or getattr(
                field, "generated", False
            )
            own = (
                field.has_default()
                or getattr(field, "auto_now", False)
                or getattr(field, "auto_now_add", False)
                or (not field.null and field.empty_strings_allowed)  # an empty text is sent
            )
            rows.append(
                {
                    "schema": None,
                    "table": model._meta.db_table,
                    "column": field.column,
                    "nullable": field.null,
                    "client_default": bool(own and not counts),
                    "server_default": bool(filled),
                    "autoincrement": counts,
                }
            )
    return rows


def foreign_keys(models: list[Any]) -> list[dict[str, Any]]:
    """The foreign keys as the models declare them."""
    rows = []
    for model in models:
        for field in model._meta.local_concrete_fields:
            if field.remote_field and field.db_constraint:
                other = field.target_field
                rows.append(
                    {
                        "schema": None,
                        "table": model._meta.db_table,
                        "columns": [field.column],
                        "ref_schema": None,
                        "ref_table": other.model._meta.db_table,
                        "ref_columns": [other.column],
                        "match": "SIMPLE",
                    }
                )
    return rows


def main(job: dict[str, Any]) -> dict[str, Any]:
    sys.path[:0] = job["path"]
    set_up(job)
    import django
    from django.apps import apps

    models = [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped
    ]
    python = ".".join(map(str, sys.version_info[:3]))
    return {
        "schemas": [],
        "tables": len(models),
        "statements": statements(models),
        "columns": columns(models),
        "foreign_keys": foreign_keys(models),
        "tools": {"Django": django.get_version(), "Python of the target": python},
    }


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    sys.argv[1:] = []
    try:
        answer = main(job)
    except BaseException as broke:
        said = " ".join(str(broke).split())
        answer = {"error": type(broke).__name__, "message": said[:1000]}
    Path(job["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    os._exit(0)  # not waiting for threads that the application started
