"""Files and folders of requests, whatever format they are in, as one profile."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from . import access_log, parquet
from .endpoints import Endpoints
from .profile import Profile, Read


def profile_of(paths: Iterable[Path], latency: tuple[str, float] | None = None) -> Profile:
    """What the requests of all these files say together; in folders, of every file below them.

    A file that cannot be read is named in ``Profile.files`` and does not cost the others.
    """
    profile = Profile()
    endpoints = Endpoints(profile)
    for path, problem in _files(paths):
        if problem:
            profile.files.append(Read(str(path), problem=problem))
            continue
        reader = parquet.read if _is_parquet(path) else access_log.read
        profile.files.append(reader(path, profile, endpoints, latency))
    endpoints.settle()
    return profile


def profile_of_samples(content: bytes) -> Profile:
    """What the samples of a load run say, as it keeps them beside its evidence."""
    profile = Profile()
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(content)
        file.flush()
        profile.files.append(parquet.read(Path(file.name), profile, Endpoints(profile)))
    return profile


def _files(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    for path in paths:
        if path.is_dir():
            within = sorted(p for p in path.rglob("*") if p.is_file() and p.name[0] not in "._")
            yield from ((p, "") for p in within)
            if not within:
                yield path, "holds no file"
        else:
            yield path, "" if path.is_file() else "is not there"


def _is_parquet(path: Path) -> bool:
    if path.suffix in (".parquet", ".pq"):
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except OSError:
        return False
