"""A JupyterHub on PostgreSQL, as its makers ship it: something to audit that nobody here wrote.

python stack.py up | down | status | env

Everything lives in ``.state/`` beside this file and in one short folder under /tmp for the
database server. The programs (a Python environment, the proxy's Node modules) are kept from run
to run; the database and every secret are new with each ``up`` and gone with ``down``.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import http.client
import json
import os
import random
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from readiness import postgresql

HERE = Path(__file__).resolve().parent
STATE = HERE / ".state"
VENV = STATE / "venv"
PROXY = STATE / "proxy"
RUN = STATE / "run"  # gone with `down`: working folder, log and record of the running hub
RECORD = RUN / "stack.json"
MARK = "READINESS_STACK"  # every process of this stack carries it in its environment
DATABASE = "jupyterhub"
INSTALL_SECONDS = 900
START_SECONDS = 90
STOP_SECONDS = 20
UNUSUAL_PORTS = range(20_000, 32_000)  # below those the kernel hands to outgoing connections

# Who may what in the database. Passwords come in as psql variables, on standard input.
ROLES = """
CREATE ROLE jupyterhub LOGIN PASSWORD :'hub';
CREATE DATABASE jupyterhub OWNER jupyterhub;
REVOKE ALL ON DATABASE jupyterhub FROM PUBLIC;
CREATE ROLE auditor LOGIN PASSWORD :'auditor';
CREATE ROLE backup LOGIN PASSWORD :'backup';
GRANT CONNECT ON DATABASE jupyterhub TO auditor, backup;
GRANT pg_read_all_data TO auditor, backup;
GRANT pg_monitor TO auditor;
ALTER ROLE auditor SET default_transaction_read_only = on;
ALTER ROLE backup SET default_transaction_read_only = on;
"""
# The socket's folder admits its owner only; everybody else needs a password.
ADMISSION = f"""
local all {postgresql.OWNER} trust
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
"""


_started: list[subprocess.Popen] = []  # the hub, when this very process started it


class StackError(RuntimeError):
    """The stack could not be brought up or down; the message says why."""


def up() -> None:
    """Bring everything up; nothing happens when it is up already."""
    with _alone():
        if _is_whole(_record()):
            return
        _down()
        _install()
        RUN.mkdir(mode=0o700)
        try:
            _start()
        except BaseException:
            _down(keep_log=True)
            raise


def down() -> None:
    """End every process of the stack, remove its database and secrets, and check that it did."""
    with _alone():
        _down()


def status() -> dict[str, str]:
    """Each part of the stack and whether it runs."""
    record = _record()
    return {
        "jupyterhub": "answers" if _answers(record) else "down",
        "postgresql": "up" if record and _postmaster(Path(record["database_folder"])) else "down",
        "processes": " ".join(map(str, _processes())) or "none",
    }


def environment() -> dict[str, str]:
    """What an audit of the running stack needs to know, secrets included."""
    record = _record()
    if not record or "environment" not in record:
        raise StackError("the stack is not up: run `stack.py up` first")
    return record["environment"]


def _start() -> None:
    ports = dict(zip(("public", "hub", "proxy", "database"), _free_ports(4), strict=True))
    password = {who: secrets.token_hex(24) for who in ("hub", "auditor", "backup", "login")}
    token = {who: secrets.token_hex(32) for who in ("audit", "metrics")}
    folder = Path(tempfile.mkdtemp(prefix="rd-hub-", dir="/tmp"))
    record = {"ports": ports, "database_folder": str(folder)}
    _write(RECORD, json.dumps(record))  # before anything runs, so that `down` finds it

    def database_url(role: str, who: str) -> str:
        return f"postgresql://{role}:{password[who]}@127.0.0.1:{ports['database']}/{DATABASE}"

    _start_database(folder, ports["database"], password)
    _write(
        RECORD,
        json.dumps(
            {
                **record,
                "environment": {
                    "JUPYTERHUB_BASE_URL": f"http://127.0.0.1:{ports['public']}",
                    "JUPYTERHUB_DATABASE_URL": database_url("auditor", "auditor"),
                    "JUPYTERHUB_BACKUP_DATABASE_URL": database_url("backup", "backup"),
                    "JUPYTERHUB_PYTHON": str(VENV / "bin" / "python"),
                    "JUPYTERHUB_API_TOKEN": token["audit"],
                    "JUPYTERHUB_METRICS_TOKEN": token["metrics"],
                    "JUPYTERHUB_USERNAME": "admin",
                    "JUPYTERHUB_PASSWORD": password["login"],
                },
            },
            indent=1,
        ),
    )
    _start_hub(
        {
            "PUBLIC_PORT": str(ports["public"]),
            "HUB_PORT": str(ports["hub"]),
            "PROXY_API_PORT": str(ports["proxy"]),
            "DATABASE_URL": database_url("jupyterhub", "hub").replace(":", "+psycopg2:", 1),
            "LOGIN_PASSWORD": password["login"],
            "API_TOKEN": token["audit"],
            "METRICS_TOKEN": token["metrics"],
            "CONFIGPROXY_AUTH_TOKEN": secrets.token_hex(32),
        }
    )
    _write(RECORD, json.dumps(_with_expired_token(_record() or {}), indent=1))


def _with_expired_token(record: dict) -> dict:
    """The record with a token that was valid for a second: an audit tries whether it still is."""
    admin = f"token {record['environment']['JUPYTERHUB_API_TOKEN']}"
    connection = http.client.HTTPConnection("127.0.0.1", record["ports"]["public"], timeout=10)
    body = json.dumps({"expires_in": 1, "note": "to expire"})
    connection.request("POST", "/hub/api/users/admin/tokens", body, {"Authorization": admin})
    answer = connection.getresponse()
    if answer.status != 201:
        raise StackError(f"no token could be made: the hub answered {answer.status}")
    record["environment"]["JUPYTERHUB_EXPIRED_TOKEN"] = json.load(answer)["token"]
    connection.close()
    return record


def _start_database(folder: Path, port: int, password: dict[str, str]) -> None:
    """A server that demands passwords from the first moment it listens on TCP."""
    server = postgresql.start(folder)
    (folder / "data" / "pg_hba.conf").write_text(ADMISSION)
    server.stop()
    settings = {"listen_addresses": "127.0.0.1", "port": str(port)}
    server = postgresql.start(folder, settings)
    names = [f"\\set {who} '{password[who]}'\n" for who in ("hub", "auditor", "backup")]
    _run(
        [
            str(server.installation.bin / "psql"),
            *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
            f"--dbname={server.url()}&port={port}",
        ],
        "setting up the database",
        stdin="".join(names) + ROLES,
    )


def _start_hub(settings: dict[str, str]) -> None:
    node = _program("node")
    proxy = PROXY / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    with _private(RUN / "jupyterhub.log") as log:
        hub = subprocess.Popen(
            [VENV / "bin" / "python", "-m", "jupyterhub", "-f", HERE / "jupyterhub_config.py"],
            cwd=RUN,
            env={
                "PATH": f"{VENV / 'bin'}:{os.defpath}",
                "HOME": str(RUN),
                "LC_ALL": "C.UTF-8",
                MARK: str(STATE),
                "PROXY_COMMAND": shlex.join([node, str(proxy)]),
                **settings,
            },
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _started.append(hub)
    deadline = time.monotonic() + START_SECONDS
    while not _answers(_record()):
        if hub.poll() is not None:
            raise StackError(f"jupyterhub ended with {hub.returncode}:\n{_log_tail()}")
        if time.monotonic() > deadline:
            raise StackError(f"jupyterhub did not answer in {START_SECONDS} s:\n{_log_tail()}")
        time.sleep(0.2)


def _is_whole(record: dict | None) -> bool:
    """The hub says it is healthy even without its database, so both are asked."""
    return bool(record and _postmaster(Path(record["database_folder"])) and _answers(record))


def _answers(record: dict | None) -> bool:
    """Whether the hub answers as itself, through its proxy."""
    if not record:
        return False
    connection = http.client.HTTPConnection("127.0.0.1", record["ports"]["public"], timeout=5)
    try:
        connection.request("GET", "/hub/health")
        answer = connection.getresponse()
        return answer.status == 200 and answer.getheader("X-JupyterHub-Version") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _down(keep_log: bool = False) -> None:
    # Asked to end, the hub ends its proxy and its users' servers too; if it cannot, we do.
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        if _within(STOP_SECONDS, lambda: not _processes()):
            break
    else:
        raise StackError(f"still running: {_processes()}")
    while _started:
        _started.pop().wait()
    if record := _record():
        _remove_database(Path(record["database_folder"]))
    if keep_log and (RUN / "jupyterhub.log").exists():
        (RUN / "jupyterhub.log").replace(STATE / "failed.log")
    if RUN.exists():
        shutil.rmtree(RUN)


def _remove_database(folder: Path) -> None:
    if pid := _postmaster(folder):
        os.kill(pid, signal.SIGINT)  # PostgreSQL's fast shutdown
        if not _within(STOP_SECONDS, lambda: not _postmaster(folder)):
            raise StackError(f"PostgreSQL in {folder} did not stop")
    if folder.exists():
        shutil.rmtree(folder)


def _processes() -> list[int]:
    """Every process that carries this stack's mark: the hub, its proxy, its users' servers."""
    mark = f"{MARK}={STATE}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # gone, or another user's
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return sorted(found)


def _postmaster(folder: Path) -> int | None:
    """The process id of the database server in ``folder``, if it runs."""
    with suppress(OSError, ValueError, IndexError):
        pid = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if str(folder / "data").encode() in command:
            return pid
    return None


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _install() -> None:
    """Make the Python environment and the proxy's modules, unless these very ones exist."""
    requirements = HERE / "requirements.txt"
    if not _is_current(VENV, requirements):
        shutil.rmtree(VENV, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(VENV)], "python -m venv")
        install = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        install += ["--disable-pip-version-check", "--require-hashes", "-r", str(requirements)]
        _run(install, "pip install")
        _stamp(VENV, requirements)
    lock = HERE / "package-lock.json"
    if not _is_current(PROXY, lock):
        shutil.rmtree(PROXY, ignore_errors=True)
        PROXY.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, PROXY)
        install = [_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(install, "npm ci", cwd=PROXY)
        _stamp(PROXY, lock)


def _is_current(folder: Path, wanted: Path) -> bool:
    stamp = folder / ".installed"
    return stamp.exists() and stamp.read_text() == hashlib.sha256(wanted.read_bytes()).hexdigest()


def _stamp(folder: Path, installed: Path) -> None:
    (folder / ".installed").write_text(hashlib.sha256(installed.read_bytes()).hexdigest())


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    raise StackError(f"{name} is not installed: the proxy needs Node.js 20 or newer, with npm")


def _run(command: Sequence[str], what: str, cwd: Path | None = None, stdin: str = "") -> None:
    done = subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=INSTALL_SECONDS,
    )
    if done.returncode:
        raise StackError(f"{what} failed ({done.returncode}):\n{done.stdout.strip()[-2000:]}")


def _free_ports(count: int) -> list[int]:
    """Ports on the loopback that nobody listens on."""
    with ExitStack() as held:
        found: list[int] = []
        for port in random.sample(UNUSUAL_PORTS, 200):
            listener = held.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise StackError("no free ports on 127.0.0.1")


def _record() -> dict | None:
    return json.loads(RECORD.read_text()) if RECORD.exists() else None


def _write(path: Path, text: str) -> None:
    """Replace a file that only its owner may read, whole or not at all."""
    new = path.with_suffix(".new")
    with _private(new) as file:
        file.write(text)
    new.replace(path)


def _private(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")


def _log_tail() -> str:
    return (RUN / "jupyterhub.log").read_text(errors="replace")[-2000:]


@contextmanager
def _alone() -> Iterator[None]:
    """One `up` or `down` at a time."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """The command line; `status` exits 0 when the stack is whole and 1 when not."""
    commands = ("up", "down", "status", "env")
    parser = argparse.ArgumentParser(description="JupyterHub on PostgreSQL, to be audited")
    parser.add_argument("command", choices=commands)
    command = parser.parse_args().command
    try:
        if command == "up":
            up()
        elif command == "down":
            down()
        elif command == "env":
            for name, value in environment().items():
                print(f"export {name}={shlex.quote(value)}")
        else:
            parts = status()
            for part, state in parts.items():
                print(f"{part:<12}{state}")
            return 0 if (parts["jupyterhub"], parts["postgresql"]) == ("answers", "up") else 1
    except (StackError, postgresql.PostgresqlError) as problem:
        print(problem, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
