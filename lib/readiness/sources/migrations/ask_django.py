"""Runs in the target's own Python: its Django migrations, run in a scratch database.

    python -c <this file> '{"path": [], "settings": "app.settings", "database": {"host": ...},
                            "answer": F}'

The scratch database stands in for the application's before Django is set up. The answer is JSON in
the file F. This file knows nothing of readiness.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def main(job: dict[str, Any]) -> dict[str, Any]:
    sys.path[:0] = job["path"]
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
    from django.core.management import call_command
    from django.db.migrations.loader import MigrationLoader

    loader = MigrationLoader(None, ignore_no_migrations=True)
    conflicts = loader.detect_conflicts()
    heads = [f"{app}.{name}" for app, names in conflicts.items() for name in names]
    answer: dict[str, Any] = {
        "revisions": [
            {"revision": f"{app}.{name}", "name": "", "undo": True}
            for app, name in sorted(loader.disk_migrations)
        ],
        "heads": heads or ["one of each app"],
        "tools": {"Django": django.get_version()},
        "unwritten": False,
    }
    try:
        call_command("migrate", verbosity=0, interactive=False)
    except BaseException as broke:
        said = " ".join(str(broke).split())
        answer["failed"] = f"{type(broke).__name__}: {said}"[:600]
    try:
        call_command("makemigrations", check=True, dry_run=True, verbosity=0, interactive=False)
    except SystemExit:
        answer["unwritten"] = True  # the models are ahead of the migrations
    except BaseException:
        pass  # conflicts, which are told as heads
    return answer


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    sys.argv[1:] = []
    try:
        answer = main(job)
    except BaseException as broke:
        said = " ".join(str(broke).split())
        answer = {"error": type(broke).__name__, "message": said[:1000]}
    Path(job["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    os._exit(0)
