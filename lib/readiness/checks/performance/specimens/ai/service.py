"""A provider and the service that asks it, in one: `/provider` is the first.

What the provider does stands in the file `situation`, its calls are lines of the file `calls`.
"""

import threading
import time
from pathlib import Path
from typing import Any

from readiness.loopback import Request, Response

SLOW_S, HANGS_S, PATIENCE_S = 0.15, 2.2, 0.2
_lock = threading.Lock()
_kept: set[str] = set()  # folders of specimens whose cache is warm


def answer(request: Request, options: dict[str, Any]) -> Response:
    folder, flaw = Path(options["SPECIMEN_FOLDER"]), options["flaw"]
    if request.path == "/provider":
        return Response(*_provider(folder, HANGS_S))
    if request.path == "/health":
        held = flaw == "holds everything" and _situation(folder) == "hanging"
        return Response(body=b"ok", delay_s=0.9 if held else 0)
    if flaw == "cached" and str(folder) in _kept:
        return Response(body=b"words of the provider")
    _kept.add(str(folder))
    if flaw == "slow":
        time.sleep(0.03)
    status, _, body = _provider(folder, HANGS_S if flaw == "no time-out" else PATIENCE_S)
    if status == 200 and body:
        return Response(body=b"words of the provider")
    return Response(500 if flaw == "passes errors on" else 200, body=b"words of its own")


def _provider(folder: Path, waits_s: float) -> tuple[int, list[tuple[str, str]], bytes]:
    """What the provider answers to who waits so long for it; nothing when that was too short."""
    situation = _situation(folder)
    with _lock, (folder / "calls").open("a") as calls:
        calls.write("1\n" if situation != "down" else "")
    if situation == "hanging":
        time.sleep(min(waits_s, HANGS_S))
        return 200, [], b"" if waits_s < HANGS_S else b"words"
    time.sleep(SLOW_S if situation == "slow" else 0)
    return {"down": 503, "rate_limited": 429}.get(situation, 200), [], b"words"


def _situation(folder: Path) -> str:
    return (folder / "situation").read_text().strip()
