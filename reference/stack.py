"""Bring up the reference stack on this machine: PostgreSQL, the API with two workers, and the
outside provider that it asks (simulated).

    python reference/stack.py up | down | status | env | reports | faults | fault NAME | fault none
    python reference/stack.py database stop | start

Everything it makes is in one state folder, which `down` removes together with every process.
The functions `up`, `down`, `status`, `environment`, `reports`, `fault`, `set_fault` and
`clear_fault` do the same for a program.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from readiness import postgresql

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))  # they stand beside this file, however this was imported
try:
    import faults
    import provider
finally:
    sys.path.remove(str(HERE))

WORKERS = 2
DATABASE = "nps"
COPY = "nps_restored"
START_SECONDS = 60
STOP_SECONDS = 10
ROLES = {"admin": "admin", "moderator": "moderator", "user": "user", "user2": "user"}
ROLES["readonly"] = "readonly"
SUITES = ("unit", "integration", "coverage")


class StackError(RuntimeError):
    """The stack could not be brought up or down; the message says what to look at."""


class Stack:
    """The stack that lives in a state folder."""

    def __init__(self, state: Path) -> None:
        self.state = state

    # What is recorded -----------------------------------------------------------------------

    @property
    def record(self) -> dict[str, Any]:
        """Ports, processes, and the fault that is set; empty when there is no stack."""
        path = self.state / "stack.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def remember(self, **changes: Any) -> None:
        """Change the record, in one step for whoever reads it meanwhile."""
        path = self.state / "stack.json"
        path.with_suffix(".new").write_text(json.dumps({**self.record, **changes}, indent=2))
        path.with_suffix(".new").replace(path)

    @property
    def secrets(self) -> dict[str, Any]:
        """Passwords and keys, made for this stack alone."""
        return json.loads((self.state / "secrets.json").read_text())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.record['api_port']}"

    @property
    def provider_url(self) -> str:
        return f"http://127.0.0.1:{self.record['provider_port']}"

    @property
    def repository(self) -> Path:
        """The target's repository: this folder, or the copy that a fault changed."""
        return Path(self.record.get("repository") or HERE)

    @property
    def report_folder(self) -> Path:
        return self.state / (self.record.get("reports") or "reports")

    def database_url(self, role: str, database: str = DATABASE) -> str:
        """Over TCP and with a password, as in a deployment."""
        password, port = self.secrets["database"][role], self.record["database_port"]
        return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"

    def superuser(self, database: str = DATABASE) -> psycopg.Connection:
        """A connection through the socket, for what no role of the service may do."""
        address = f"{self._server().url(database)}&port={self.record['database_port']}"
        return psycopg.connect(address, autocommit=True)

    def environment(self) -> dict[str, str]:
        """The variables that `params/demo.yaml` refers to."""
        known = self.secrets
        variables = {
            "NPS_BASE_URL": self.url,
            "NPS_DATABASE_URL": self.database_url("nps_audit"),
            "NPS_RESTORED_DATABASE_URL": self.database_url("nps_audit", COPY),
            "NPS_BACKUP_DATABASE_URL": self.database_url("nps_backup"),
            "NPS_APP_DATABASE_URL": self.database_url("nps_app"),
            "NPS_ENCRYPTION_KEY": known["encryption_key"],
            "NPS_ENCRYPTION_SALT": known["encryption_salt"],
            "NPS_API_SECRET_KEY": known["api_secret_key"],
            "NPS_JWT_SECRET": known["jwt_secret"],
            "NPS_API_KEY": known["api_key"],
            "NPS_REPO": str(self.repository),
            "NPS_PYTHON": sys.executable,
            "NPS_REPORTS": str(self.report_folder),
            "NPS_LOG_FILE": str(self.state / "api.log"),
            "NPS_STACK": str(HERE / "stack.py"),
            "NPS_STATE": str(self.state),
            "NPS_COMMIT": self.record["commit"],
            "NPS_PROVIDER": str(HERE / "provider.py"),
            "NPS_PROVIDER_URL": self.provider_url,
            "NPS_PROVIDER_CONTROL": str(self.record["provider_control_port"]),
        }
        for name, account in known["accounts"].items():
            variables[f"NPS_{name.upper()}_USERNAME"] = account["username"]
            variables[f"NPS_{name.upper()}_PASSWORD"] = account["password"]
        return variables

    # Up -------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make everything from nothing."""
        self.state.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.state.chmod(0o711)  # PostgreSQL's user passes through to its own folder
        _write_private(self.state / "secrets.json", json.dumps(_new_secrets()))
        self.remember(
            commit=commit(),
            sources=sources(),
            postgresql=postgresql.installation().origin,
            database_port=_free_port(),
            api_port=_free_port(),
            provider_port=_free_port(),
            provider_control_port=_free_port(),
        )
        self.start_database()
        self._load_schema()
        self._seed()
        self._copy()
        self.start_provider()
        self.start_api()

    def _server(self) -> postgresql.Server:
        found = postgresql.installation(self.record["postgresql"])
        return postgresql.Server(self.state / "pg", found)

    def start_database(self) -> None:
        """Start PostgreSQL; one that runs is left alone."""
        with suppress(psycopg.OperationalError), self.superuser("postgres"):
            return
        # The socket is in a folder that only its owner may enter; TCP asks for a password.
        hba = self.state / "pg_hba.conf"
        hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        hba.chmod(0o644)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.record["database_port"]),
            "hba_file": str(hba),
            "synchronous_commit": "off",
            "log_min_duration_statement": "500",
        }
        found = postgresql.installation(self.record["postgresql"])
        postgresql.start(self.state / "pg", settings, found)

    def stop_database(self) -> None:
        """Stop PostgreSQL as if it had gone away; the API goes on."""
        self._server().stop()

    def _load_schema(self) -> None:
        with self.superuser("postgres") as connection:
            connection.execute("CREATE ROLE nps_owner CREATEROLE LOGIN")
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER nps_owner")
        with self.superuser() as connection:
            connection.execute("ALTER SCHEMA public OWNER TO nps_owner")
            connection.execute("SET ROLE nps_owner")
            connection.execute((HERE / "database/init.sql").read_bytes())
            connection.execute("RESET ROLE")
            connection.execute((HERE / "database/roles.sql").read_bytes())
            for role, password in self.secrets["database"].items():
                statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
                connection.execute(statement.format(sql.Identifier(role), sql.Literal(password)))

    def _api_environment(self) -> dict[str, str]:
        """Exactly what the API is told; nothing of this process's own environment leaks in."""
        known = self.secrets
        metrics = self.state / "prometheus"
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(self.repository / "api"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_URL": self.database_url("nps_app"),
            "NPS_JWT_SECRET": known["jwt_secret"],
            "NPS_ENCRYPTION_KEY": known["encryption_key"],
            "NPS_ENCRYPTION_SALT": known["encryption_salt"],
            "NPS_API_SECRET_KEY": known["api_secret_key"],
            "NPS_RATE_LIMIT_PER_MINUTE": "30000",
            "NPS_LOGIN_LIMIT_PER_MINUTE": "6000",
            "NPS_COMMIT": self.record["commit"],
            "NPS_AI_URL": self.provider_url,
            "NPS_AI_TIMEOUT_SECONDS": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            **self.record.get("environment", {}),
        }

    def _seed(self) -> None:
        variables = self._api_environment() | {
            "DATABASE_URL": self.database_url("nps_owner"),
            "NPS_SEED_ACCOUNTS": json.dumps(self.secrets["accounts"]),
            "NPS_SEED_API_KEY": self.secrets["api_key"],
        }
        (self.state / "prometheus").mkdir(exist_ok=True)
        command = [sys.executable, str(HERE / "seed.py")]
        done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise StackError(f"seeding failed: {done.stderr[-800:]}")

    def _copy(self) -> None:
        """The database as it was seeded, as if a backup of it had been restored."""
        with self.superuser("postgres") as connection:
            connection.execute(f"CREATE DATABASE {COPY} TEMPLATE {DATABASE}")

    def start_provider(self) -> None:
        """Start the outside provider and wait until it can be told what to do."""
        ports = [str(self.record[key]) for key in ("provider_port", "provider_control_port")]
        process = subprocess.Popen(
            [sys.executable, str(HERE / "provider.py"), "serve", *ports],
            cwd=self.state,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.remember(provider_group=process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not self.provider_answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError("the simulated provider did not start")
            time.sleep(0.02)

    def provider_answers(self) -> bool:
        """Whether the provider is there and does nothing that it was told to do for an audit."""
        try:
            told = provider.tell(self.record["provider_control_port"], "calls")
        except (OSError, KeyError):
            return False
        return bool(told["situation"] == "normal")

    def start_api(self) -> None:
        """Start the workers in a session of their own and wait until all of them answer."""
        metrics = self.state / "prometheus"
        shutil.rmtree(metrics, ignore_errors=True)  # a new start counts from zero
        metrics.mkdir()
        command = [sys.executable, "-m", "app.serve", "--workers", str(WORKERS)]
        command += ["--port", str(self.record["api_port"])]
        with (self.state / "api.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.state,
                env=self._api_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.remember(api_group=process.pid)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # By the files that each worker keeps, as a fault may have spoilt what they answer.
            started = {p.stem for p in metrics.glob("gauge_liveall_*.db")}
            if len(started) >= WORKERS and self.answers():
                return
            if process.poll() is not None:
                break
            time.sleep(0.05)
        tail = (self.state / "api.log").read_text(errors="replace")[-1500:]
        raise StackError(f"the API did not start; its log ends:\n{tail}")

    def answers(self) -> bool:
        """Whether the API says that it is ready."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/readiness", timeout=5) as response:
                return bool(response.status == 200)
        except (OSError, KeyError):  # no answer, an error as answer, or no port on record
            return False

    # Down -----------------------------------------------------------------------------------

    def stop_api(self) -> None:
        """End the workers."""
        self._end("api_group")

    def _end(self, key: str) -> None:
        """End the process group on record, and make sure of it."""
        group = self.record.get(key)
        if not group:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not _group(group, self.state):
                break
            with suppress(ProcessLookupError):
                os.killpg(group, number)
            deadline = time.monotonic() + STOP_SECONDS
            while _group(group, self.state) and time.monotonic() < deadline:
                with suppress(ChildProcessError):  # ours to bury if this process started it
                    os.waitpid(group, os.WNOHANG)
                time.sleep(0.02)
        with suppress(ChildProcessError):
            os.waitpid(group, os.WNOHANG)
        if left := _group(group, self.state):
            raise StackError(f"processes that do not end: {left}")
        self.remember(**{key: None})

    def stop(self) -> None:
        """End every process and remove the state."""
        self.stop_api()
        self._end("provider_group")
        postmaster = self.state / "pg/data/postmaster.pid"
        if postmaster.exists():
            number = int(postmaster.read_text().split()[0])
            self._server().stop()
            if postmaster.exists():  # not stopped by asking, or left behind by a crash
                with suppress(ProcessLookupError):
                    if _works_in(number, self.state):
                        os.kill(number, signal.SIGQUIT)
            deadline = time.monotonic() + STOP_SECONDS
            while _works_in(number, self.state):
                if time.monotonic() > deadline:
                    raise StackError(f"PostgreSQL does not end: process {number}")
                time.sleep(0.02)
        shutil.rmtree(self.state, ignore_errors=True)

    # Reports --------------------------------------------------------------------------------

    def reports(self) -> Path:
        """Run the stack's own suites, unless the reports at hand are of these very sources."""
        folder = self.state / "reports"
        digest = sources("api", "frontend", "tests") + self.record["sources"]
        stamp = folder / "digest"
        if not (stamp.exists() and stamp.read_text() == digest):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            with ThreadPoolExecutor() as pool:  # a browser mostly waits
                browser = pool.submit(self.run_suite, "e2e", folder)
                for suite in SUITES:
                    self.run_suite(suite, folder)
                browser.result()
            stamp.write_text(digest)
        return self.report_folder

    def run_suite(self, suite: str, folder: Path) -> None:
        """Run one suite of the repository. Tests that fail are for the report to tell."""
        folder.mkdir(exist_ok=True)
        tests = self.repository / "tests"
        variables = self._api_environment() | self.environment()
        variables |= {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(self.state)}
        variables["COVERAGE_FILE"] = str(self.state / ".coverage")
        variables.pop("PROMETHEUS_MULTIPROC_DIR")  # the suites are no workers
        if suite == "e2e":
            command = [sys.executable, str(tests / "e2e/run.py"), str(folder / "e2e.json")]
        else:
            command = [sys.executable, "-m", "pytest", "-q", "-c", str(tests / "pytest.ini")]
            command += ["-p", "no:cacheprovider"]
            if suite == "coverage":  # the same tests, in the one process that can be watched
                variables["NPS_IN_PROCESS"] = "yes"
                command += ["--cov-append", f"--cov-report=xml:{folder}/coverage.xml"]
                command += [str(tests / "integration")]
            else:
                command += [f"--junitxml={folder / f'{suite}.xml'}", str(tests / suite)]
            if suite != "integration":
                command += ["--cov=app", "--cov-branch"]
        done = subprocess.run(
            command, cwd=self.repository, env=variables, capture_output=True, text=True, timeout=120
        )
        (folder / f"{suite}.log").write_text(done.stdout + done.stderr)
        if done.returncode not in (0, 1):
            raise StackError(f"suite {suite} did not run: {(done.stdout + done.stderr)[-1500:]}")

    # Faults ---------------------------------------------------------------------------------

    def set_fault(self, name: str) -> faults.Fault:
        """Spoil the stack in one way; another fault that is set is undone first."""
        fault = faults.load(name)
        # Where the next fault starts the API anew, undoing the one before need not.
        self._undo(restart=not fault.restarts or bool(fault.reports or fault.rerun))
        if fault.reports or fault.rerun:
            self.reports()
        self.remember(fault=name)  # first: what fails halfway can be undone all the same
        try:
            self._apply(fault)
        except BaseException:
            self.clear_fault()
            raise
        return fault

    def _apply(self, fault: faults.Fault) -> None:
        if fault.sql:
            known = self.secrets
            with self.superuser() as database:
                values = {
                    name: faults.seal(
                        recipe, known["encryption_key"], known["encryption_salt"], database
                    )
                    for name, recipe in fault.ciphertexts.items()
                }
                faults.run_sql(fault.sql, values, database)
        if fault.files:
            copy = faults.copy_repository(HERE, self.state / "repository")
            faults.change(copy, fault.files)
            self.remember(repository=str(copy))
        if fault.reports or fault.rerun:
            spoilt = self.state / "reports-fault"
            shutil.rmtree(spoilt, ignore_errors=True)
            shutil.copytree(self.state / "reports", spoilt)
            for suite in fault.rerun:
                self.run_suite(suite, spoilt)
            faults.change(spoilt, fault.reports)
            self.remember(reports=spoilt.name)
        if fault.restarts:
            self.stop_api()
            self.remember(environment=fault.environment)
            self.start_api()

    def clear_fault(self) -> str | None:
        """Undo the fault that is set; its name, or None when there was none."""
        return self._undo(restart=True)

    def _undo(self, restart: bool) -> str | None:
        name = self.record.get("fault")
        if not name:
            return None
        fault = faults.load(name)
        self.remember(repository=None, reports=None, environment={})
        if fault.restarts:
            self.stop_api()
            if restart:
                self.start_api()
        if fault.undo:
            with self.superuser() as database:
                faults.run_sql(fault.undo, {}, database)
        self.remember(fault=None)
        shutil.rmtree(self.state / "repository", ignore_errors=True)
        shutil.rmtree(self.state / "reports-fault", ignore_errors=True)
        return name


# For programs: each takes the lock, so that two of them do not get in each other's way ------------


def default_state() -> Path:
    """One state for each checkout and user; short, as a Unix socket's path is limited."""
    digest = hashlib.sha256(f"{HERE}:{os.geteuid()}".encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"readiness-reference-{digest}"


@contextmanager
def _locked(state: Path | None) -> Iterator[Stack]:
    folder = (state or default_state()).absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.geteuid()):
        raise StackError(f"{folder} is not this user's own folder")
    descriptor = os.open(
        folder.with_name(folder.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
    )
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Stack(folder)
    finally:
        os.close(descriptor)


@contextmanager
def _running(state: Path | None) -> Iterator[Stack]:
    with _locked(state) as stack:
        if not stack.record:
            raise StackError("the reference stack is not up: run `readiness reference up`")
        yield stack


def up(state: Path | None = None) -> Stack:
    """Bring the stack up. One that runs is left alone, unless it is broken or of other sources."""
    with _locked(state) as stack:
        if (
            stack.record.get("sources") == sources()
            and stack.answers()
            and stack.provider_answers()
        ):
            return stack
        stack.stop()
        try:
            stack.start()
        except BaseException:
            with suppress(StackError):
                stack.stop()
            raise
        return stack


def down(state: Path | None = None) -> None:
    """End everything and remove it; nothing to do when it is not up."""
    with _locked(state) as stack:
        stack.stop()


def status(state: Path | None = None) -> dict[str, Any]:
    """Whether it is up and answers, where, and with which fault."""
    stack = Stack((state or default_state()).absolute())
    if not stack.record:
        return {"up": False, "state": str(stack.state)}
    return {
        "up": stack.answers(),
        "state": str(stack.state),
        "url": stack.url,
        "commit": stack.record["commit"],
        "fault": stack.record.get("fault"),
    }


def environment(state: Path | None = None) -> dict[str, str]:
    """The variables that `params/demo.yaml` refers to, as they stand now."""
    with _running(state) as stack:
        return stack.environment()


def reports(state: Path | None = None) -> Path:
    """The folder with the reports of the stack's own suites, which are run if need be."""
    with _running(state) as stack:
        return stack.reports()


def set_fault(name: str, state: Path | None = None) -> faults.Fault:
    """Spoil the running stack in one way."""
    with _running(state) as stack:
        return stack.set_fault(name)


def clear_fault(state: Path | None = None) -> str | None:
    """Undo whatever fault is set; its name."""
    with _running(state) as stack:
        return stack.clear_fault()


def set_database(running: bool, state: Path | None = None) -> None:
    """Stop or start the database of a running stack: a dependency that goes away and comes back."""
    with _running(state) as stack:
        stack.start_database() if running else stack.stop_database()


@contextmanager
def fault(name: str, state: Path | None = None) -> Iterator[faults.Fault]:
    """The running stack, spoilt within the block."""
    fault = set_fault(name, state)
    try:
        yield fault
    finally:
        clear_fault(state)


def commit() -> str:
    """The commit that the stack is of."""
    if given := os.environ.get("NPS_COMMIT"):
        return given
    with suppress(OSError):
        command = ["git", "-C", str(HERE), "rev-parse", "HEAD"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    return "unknown"


def sources(*parts: str) -> str:
    """A digest of the commit and of the files that a running stack was made from."""
    digest = hashlib.sha256(commit().encode())
    for part in parts or ("api", "database", "frontend", "seed.py", "provider.py"):
        for path in sorted([HERE / part, *(HERE / part).rglob("*")]):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()


# Small things -------------------------------------------------------------------------------------


def _new_secrets() -> dict[str, Any]:
    """Random ones each time: a demo with fixed secrets would be a demo of a finding."""
    roles = ("nps_owner", "nps_app", "nps_audit", "nps_backup")
    return {
        "database": {role: secrets.token_hex(24) for role in roles},
        "jwt_secret": secrets.token_hex(32),
        "encryption_key": secrets.token_hex(32),
        "encryption_salt": secrets.token_hex(16),
        "api_secret_key": secrets.token_hex(32),
        "api_key": "nps_" + secrets.token_urlsafe(32),
        "accounts": {
            name: {"username": f"nps-{name}", "password": secrets.token_urlsafe(18), "role": role}
            for name, role in ROLES.items()
        },
    }


def _write_private(path: Path, content: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _group(group: int, state: Path) -> list[int]:
    """The living processes of a group, if it is the stack's: numbers are used again."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if fields[0] != "Z" and int(fields[2]) == group:
                number = int(stat.parent.name)
                if _works_in(number, state):
                    found.append(number)
    return found


def _works_in(number: int, state: Path) -> bool:
    """Whether a process lives and works in the state folder."""
    with suppress(OSError):
        return Path(f"/proc/{number}/cwd").readlink().is_relative_to(state)
    return False


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--state", type=Path, help="folder that the stack lives in")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in {
        "up": "bring it up",
        "down": "end everything and remove it",
        "status": "whether it is up",
        "env": "the variables of an audit, for `eval`; they hold secrets",
        "reports": "run the stack's own suites",
        "faults": "list what can be spoilt",
    }.items():
        commands.add_parser(name, help=text)
    spoil = commands.add_parser("fault", help="spoil the stack in one way")
    spoil.add_argument("name", help="a name of `faults`, or `none` to undo")
    database = commands.add_parser("database", help="stop or start the database alone")
    database.add_argument("action", choices=("stop", "start"))
    given = parser.parse_args(arguments)
    try:
        _run(given)
    except (StackError, faults.FaultError, postgresql.PostgresqlError) as error:
        print(f"reference: {error}", file=sys.stderr)
        return 2
    return 0


def _run(given: argparse.Namespace) -> None:
    match given.command:
        case "up":
            print(f"up: {up(given.state).url}")
        case "down":
            down(given.state)
            print("down")
        case "status":
            for name, value in status(given.state).items():
                print(f"{name}: {value}")
        case "env":
            for name, value in environment(given.state).items():
                print(f"export {name}={shlex.quote(value)}")
        case "reports":
            print(reports(given.state))
        case "faults":
            for name in faults.names():
                print(f"{name:28} {faults.load(name).shows}")
        case "database":
            set_database(given.action == "start", given.state)
        case "fault" if given.name == "none":
            print(f"undone: {clear_fault(given.state) or 'there was no fault'}")
        case "fault":
            spoilt = set_fault(given.name, given.state)
            print(f"{spoilt.shows}\nto be seen by: {', '.join(spoilt.flips)}")


if __name__ == "__main__":
    sys.exit(main())
