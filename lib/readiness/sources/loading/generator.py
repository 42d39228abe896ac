"""The load generator: Locust's users and runners in a process of its own.

    python -m readiness.sources.loading.generator FOLDER               the plan by standard input
    python -m readiness.sources.loading.generator --master HOST:PORT   a further one, elsewhere

Samples are written as they come, to one stream a generator in FOLDER: a run that is cut short
keeps what it has. What is said once (phases, the generator's own CPU and lateness, Locust's
percentiles of the same requests) is in FOLDER/summary.json; times as HDR histograms, those of all
generators merged, are in FOLDER/latencies.hlog. Between master and workers the plan
travels over Locust's own channel, credentials included: keep that to a private network.
"""

from __future__ import annotations

# ruff: noqa: I001  (locust patches the standard library and must come first)
import locust  # noqa: F401
import gevent

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from locust.env import Environment

from readiness.sources.loading import histograms
from readiness.sources.loading.recorder import FAILING_OVER_S, Own, Recorder
from readiness.sources.loading.samples import Stream
from readiness.sources.loading.user import user_class

FLUSH_S = 1.0
FAILING_AT_LEAST = 20  # answers in that time
WORKERS_WITHIN_S = 60
TOLD = ("own", "failing", "count", "not_removed", "histograms")  # by each worker, so far


def environment(plan: dict[str, Any], recorder: Recorder) -> Environment:
    made = Environment(user_classes=[user_class(plan, recorder)], host=plan["base_url"])
    made.most_bytes = plan["max_body_bytes"]
    made.not_removed = 0
    return made


def work(master: str) -> None:
    """Be one generator of several: the plan comes from the master, the samples go to it."""
    host, port = master.rsplit(":", 1)
    recorder, own = Recorder(), Own()
    made = Environment(user_classes=[], host="")

    def begin(environment: Environment, msg: Any, **_: Any) -> None:
        plan = json.loads(msg.data)
        cls = user_class(plan, recorder)
        environment.user_classes = [cls]
        environment.most_bytes, environment.not_removed = plan["max_body_bytes"], 0

    def report(client_id: str, data: dict[str, Any]) -> None:
        data["samples"], data["own"] = recorder.taken(), own.told()
        data["failing"], data["count"] = recorder.failing_share(), recorder.count
        data["not_removed"] = getattr(made, "not_removed", 0)
        data["histograms"] = recorder.histograms.encoded()

    made.events.report_to_master.add_listener(report)
    runner = made.create_worker_runner(host, int(port))
    runner.register_message("plan", begin)
    gevent.spawn(own.watch)
    runner.greenlet.join()


class Conductor:
    """Runs the phases, alone or over workers, and writes what comes of it."""

    def __init__(self, plan: dict[str, Any], folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.recorder, self.own = Recorder(), Own()
        self.environment = environment(plan, self.recorder)
        self.streams: dict[str, Stream] = {}
        self.workers: dict[str, dict[str, Any]] = {}
        self.children: list[subprocess.Popen[bytes]] = []
        self.phases: list[dict[str, Any]] = []
        self.stopped = ""
        self.several = plan["processes"] > 1 or plan["hosts"] > 0
        self.runner: Any = None

    def run(self) -> None:
        try:
            self.runner = self._over_workers() if self.several else self._alone()
            for phase in self.plan["phases"]:
                if self.stopped:
                    break
                self._phase(phase)
        finally:
            if self.runner:
                self.runner.quit()
                gevent.sleep(0.5 if self.several else 0)
            self._flush()
            for stream in self.streams.values():
                stream.close()
            for child in self.children:
                child.kill()
            self._summary()

    def _alone(self) -> Any:
        runner = self.environment.create_local_runner()
        gevent.spawn(self.own.watch)
        return runner

    def _over_workers(self) -> Any:
        host, port = (self.plan["listen"] or "127.0.0.1:0").rsplit(":", 1)
        runner = self.environment.create_master_runner(host, _port(int(port)))
        self.environment.events.worker_report.add_listener(self._take)
        for _ in range(self.plan["processes"]):
            command = [
                sys.executable,
                "-m",
                __spec__.name,
                "--master",
                f"127.0.0.1:{runner.master_bind_port}",
            ]
            self.children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        wanted = self.plan["processes"] + self.plan["hosts"]
        with gevent.Timeout(WORKERS_WITHIN_S, False):
            while len(runner.clients.ready) < wanted:
                gevent.sleep(0.1)
        came = len(runner.clients.ready)
        if came < wanted:
            raise SystemExit(f"{came} of {wanted} generators came within {WORKERS_WITHIN_S} s")
        for client in runner.clients.ready:
            runner.send_message("plan", json.dumps(self.plan), client.id)
        return runner

    def _take(self, client_id: str, data: dict[str, Any]) -> None:
        self._stream(client_id).write(data.pop("samples", b""))
        self.workers[client_id] = {key: data.pop(key, None) for key in TOLD}

    def _stream(self, name: str) -> Stream:
        if name not in self.streams:
            number = len(self.streams)
            self.streams[name] = Stream(self.folder / f"samples-{number}.arrows")
        return self.streams[name]

    def _flush(self) -> None:
        if not self.several:
            self._stream("own").write(self.recorder.taken())

    def _phase(self, phase: dict[str, Any]) -> None:
        began = time.time()
        self.runner.start(phase["users"], phase["spawn_per_s"], wait=False)
        reached = time.perf_counter()
        while self.runner.user_count < phase["users"] and not self.stopped:
            self._tick()
        counted = time.time() + phase["warm_up_s"]
        ends = time.perf_counter() + phase["warm_up_s"] + phase["seconds"]
        while time.perf_counter() < ends and not self.stopped:
            self._tick(min(FLUSH_S, max(0.01, ends - time.perf_counter())))
        ended = time.time()
        self.phases.append(
            {
                "users": phase["users"],
                "began": began,
                # What failed so early that it was stopped in its warm-up counts all the same.
                "counted_from": counted if ended > counted else began,
                "ended": ended,
                "ramp_s": round(time.perf_counter() - reached, 3),
            }
        )

    def _tick(self, seconds: float = 0.1) -> None:
        gevent.sleep(seconds)
        self._flush()
        share, n = self._failing()
        sent = self.recorder.count + sum(w["count"] or 0 for w in self.workers.values())
        if sent >= self.plan["max_requests"]:
            self.stopped = f"target.load.max_requests ({self.plan['max_requests']}) is used up"
        if n >= FAILING_AT_LEAST and share >= self.plan["stop_at_error_rate"]:
            self.stopped = (
                f"the target was failing: {share:.0%} of {n} answers in {FAILING_OVER_S} s"
            )
        if self.several and not self.runner.clients.running and not self.runner.clients.ready:
            self.stopped = self.stopped or "every generator was lost"

    def _failing(self) -> tuple[float, int]:
        if not self.several:
            return self.recorder.failing_share()
        told = [worker["failing"] for worker in self.workers.values() if worker["failing"]]
        n = sum(of for _, of in told)
        return (sum(share * of for share, of in told) / n if n else 0.0), n

    def _summary(self) -> None:
        own = [self.own.told()] if not self.several else [w["own"] for w in self.workers.values()]
        left = [
            self.environment.not_removed,
            *(w["not_removed"] or 0 for w in self.workers.values()),
        ]
        entries = self.environment.stats.entries.values()
        told = {
            "phases": self.phases,
            "stopped": self.stopped,
            "generators": own,
            "not_removed": sum(left),
            "locust": [
                {
                    "request": f"{entry.method} {entry.name}",
                    "requests": entry.num_requests,
                    **{
                        f"p{q:g}": entry.get_response_time_percentile(q / 100)
                        for q in (50, 95, 99, 99.9)
                    },
                }
                for entry in entries
                if entry.num_requests
            ],
        }
        (self.folder / "summary.json").write_text(json.dumps(told))
        parts = [self.recorder.histograms.encoded()]
        parts += [worker["histograms"] or {} for worker in self.workers.values()]
        requests = [f"{one['method']} {one['path']}" for one in self.plan["requests"]]
        began = self.phases[0]["began"] if self.phases else time.time()
        text = histograms.log(histograms.merged(parts), requests, began, time.time())
        (self.folder / "latencies.hlog").write_text(text)


def _port(wanted: int) -> int:
    """``wanted``, or a free port: Locust cannot be told to choose one."""
    if wanted:
        return wanted
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    os.umask(0o077)
    if sys.argv[1] == "--master":
        return work(sys.argv[2])
    conductor = Conductor(json.loads(sys.stdin.read()), Path(sys.argv[1]))

    def stop(*_: object) -> None:
        conductor.stopped = conductor.stopped or "interrupted"

    gevent.signal_handler(signal.SIGTERM, stop)
    gevent.signal_handler(signal.SIGINT, stop)
    conductor.run()
    # Locust's greenlets may hold the interpreter's end up; everything is written.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
