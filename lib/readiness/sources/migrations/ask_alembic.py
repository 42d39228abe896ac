"""Runs in the target's own Python: its Alembic revisions, and the SQL of an upgrade from nothing.

    python -c <this file> '{"path": [], "ini": "F/alembic.ini", "script_location": null,
                            "upgrade": true, "answer": F}'

The upgrade is Alembic's offline mode, which connects to no database. The answer is JSON in the
file F. This file knows nothing of readiness.
"""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

NOWHERE = "postgresql://nobody@localhost/nowhere"  # for its dialect


def main(job: dict[str, Any]) -> dict[str, Any]:
    sys.path[:0] = job["path"]
    import alembic
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    written = io.StringIO()
    config = Config(job["ini"], output_buffer=written)
    if job["ini"]:
        os.chdir(Path(job["ini"]).parent)
    if job["script_location"]:
        config.set_main_option("script_location", job["script_location"])
    config.set_main_option("sqlalchemy.url", NOWHERE)
    scripts = ScriptDirectory.from_config(config)
    revisions = [
        {"revision": one.revision, "name": one.doc or "", "undo": True}
        for one in scripts.walk_revisions()
    ]
    answer: dict[str, Any] = {
        "revisions": revisions,
        "heads": list(scripts.get_heads()),
        "tools": {"Alembic": alembic.__version__},
        "sql": None,
    }
    if not job["upgrade"]:
        return answer
    try:
        with redirect_stdout(sys.stderr):  # what env.py prints
            command.upgrade(config, "heads", sql=True)
        answer["sql"] = written.getvalue()
    except BaseException as broke:
        said = " ".join(str(broke).split())
        answer["failed"] = f"{type(broke).__name__}: {said}"[:600]
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
