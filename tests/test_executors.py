"""A run over a real Dask cluster: notebooks on two workers, one of which is killed meanwhile."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from readiness import runner
from readiness.cli.audit import carrier
from readiness.finding import Status
from readiness.parameters import Parameters, validated
from readiness.record import Record

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers on loopback: a client of it, and the workers' processes."""
    from distributed import Client

    programs, file = [], str(tmp_path / "scheduler.json")

    def start(kind, *arguments):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--scheduler-file", file]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        options = ("--no-dashboard", *arguments)
        programs.append(subprocess.Popen([*command, *options], start_new_session=True, **quiet))
        return programs[-1]

    try:
        start("scheduler", "--host", "127.0.0.1", "--port", "0")
        single = ("--nworkers", "1", "--nthreads", "1", "--no-nanny", "--host", "127.0.0.1")
        workers = {str(n): start("worker", *single, "--name", str(n)) for n in range(2)}
        with Client(scheduler_file=file, timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            yield client, workers
    finally:
        for program in programs:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()


def busy(dask_scheduler):
    return [str(one.name) for one in dask_scheduler.workers.values() if one.processing]


def kill_a_busy_worker(client, workers, killed):
    deadline = time.monotonic() + 60
    while not killed and time.monotonic() < deadline:
        names = client.run_on_scheduler(
            lambda dask_scheduler: [
                str(w.name) for w in dask_scheduler.workers.values() if w.processing
            ]
        )
        for name in names[:1]:
            time.sleep(1)  # in the middle of its notebook
            os.killpg(workers[name].pid, signal.SIGKILL)
            killed.append(name)
        time.sleep(0.05)


def test_a_run_is_whole_although_a_worker_is_killed(cluster, tmp_path):
    client, workers = cluster
    raw = {"environment": "tiny", "target": {"name": "tiny"}}
    parameters = validated(Parameters, raw, "tiny")
    areas = ["deployment", "testing"]
    wanted = runner.Request(parameters, raw, areas=areas, outputs=tmp_path / "outputs")
    killed = []
    killer = threading.Thread(target=kill_a_busy_worker, args=(client, workers, killed))
    killer.start()
    with carrier(client.scheduler.address.replace("tcp://", "dask://")) as executor:
        run = runner.audit(wanted, executor)
    killer.join(70)
    assert killed
    assert len(client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.workers))) == 1
    kept = Record.read(run)
    assert {n.area: n.problem for n in kept.notebooks} == dict.fromkeys(areas)
    checks = [finding.check for finding in kept.findings]
    assert len(checks) == len(set(checks))
    assert {f.status for f in kept.findings} == {Status.NOT_MEASURED}
    assert len(list((tmp_path / "outputs" / "tiny").glob("2*"))) == 1
