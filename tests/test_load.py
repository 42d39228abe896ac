"""Load: samples are whole, corrected and merged; what was cut short is kept, and said."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
from hdrh.histogram import HdrHistogram
from readiness import loopback
from readiness.check import catalogue
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.sources import load
from readiness.sources.loading import analysis, drive, figures, samples
from readiness.target import Target

CHECKS = catalogue("performance")
PERMITTED = ["passive", "active", "load", "write"]


def target(url, **options):
    scenario = [{"operation": "GET /item", "category": "reads"}]
    given = {"scenario": scenario, "targets": {"reads": {"p95_ms": 500}}, "users": 4}
    given |= {
        "spawn_per_s": 100,
        "warm_up_s": 0.1,
        "duration_s": 1.5,
        "think_s": 0.01,
        "least_duration_s": 1,
    }
    http = {"base_url": url, "timeout_s": options.pop("timeout_s", 2)}
    http |= {"max_body_bytes": options.pop("max_body_bytes", 1_000_000)}
    raw = {"name": "shop", "http": http, "load": given | options}
    return validated(Target, raw, "here", specimen=True).allowing(PERMITTED)


def judged(evidence, name="PERF-LOAD", **criteria):
    check = CHECKS[name]
    return check.assess([evidence], check.criteria(**criteria))


def counting(delay=lambda n: 0.0):
    numbers = itertools.count(1)

    def answer(request):
        return loopback.Response(body=b"fine", delay_s=delay(next(numbers)))

    return answer, numbers


def test_an_estimate_is_the_exact_order_statistic():
    chance = np.random.default_rng(7)
    took = chance.lognormal(3, 1, 20_000)
    for q in analysis.QUANTILES.values():
        found = analysis.percentile(np.arange(20_000.0), took, q, 0.95)
        exact = np.sort(took)[int(np.ceil(20_000 * q)) - 1]
        assert found["estimate"] == exact
        assert found["low"] <= exact
        assert found["high"] is None or found["high"] >= exact


def test_a_target_that_no_sample_comes_near_is_met_although_they_hang_together():
    chance = np.random.default_rng(7)
    took = np.repeat(chance.exponential(10, 60), 10)
    category = {"category": "x", "targets": {"p95": 400.0}}
    row = analysis.percentile(np.arange(600.0), took, 0.95, 0.95)
    row |= analysis.beyond(np.arange(600.0), took, 400.0) | {"percentile": "p95"}
    assert load.percentiles([category | {"percentiles": [row]}])[0]["standing"] == "met"
    row |= analysis.beyond(np.arange(600.0), took, float(np.quantile(took, 0.95)))
    assert load.percentiles([category | {"percentiles": [row]}])[0]["standing"] == "open"
    row |= analysis.beyond(np.arange(600.0), took, float(np.quantile(took, 0.5)))
    assert load.percentiles([category | {"percentiles": [row]}])[0]["standing"] == "missed"


def test_samples_that_hang_together_are_worth_less():
    chance = np.random.default_rng(7)
    at = np.arange(4000.0)
    alone = chance.exponential(10, 4000)
    stretches = np.repeat(chance.exponential(10, 40), 100)  # a hundred in a row are alike
    assert analysis.percentile(at, alone, 0.95, 0.95)["worth"] > 2000
    assert analysis.percentile(at, stretches, 0.95, 0.95)["worth"] < 200


def test_bounds_hold_as_often_as_they_say_also_for_samples_that_hang_together():
    chance = np.random.default_rng(7)
    true, wrong, rounds = -10 * np.log(0.1), 0, 200
    for _ in range(rounds):
        took = np.repeat(chance.exponential(10, 300), 10)
        found = analysis.percentile(np.arange(3000.0), took, 0.9, 0.95)
        wrong += found["high"] is not None and found["high"] < true
    assert wrong <= rounds * 0.12  # 5 % of 200 are 10; taken for independent it would be some 60
    assert wrong >= 1


@pytest.mark.alone
def test_paced_users_show_what_a_stall_held_up():
    answer, _ = counting(lambda n: 0.6 if n == 30 else 0.0)
    with loopback.serve(answer) as url:
        found = load.run(target(url, users=1, think_s=0, pace_s=0.05, duration_s=2.5, warm_up_s=0))
    assert found.problem is None, found.problem
    import io

    import pyarrow.parquet as pq

    kept = pq.read_table(io.BytesIO(found.files["samples.parquet"]))
    took, corrected = kept["took_ms"].to_numpy(), kept["corrected_ms"].to_numpy()
    assert (took > 200).sum() == 1  # the stall itself
    assert (corrected > 200).sum() >= 5  # and those that could not be sent meanwhile


def test_several_generators_lose_no_sample():
    answer, numbers = counting()
    with loopback.serve(answer) as url:
        found = load.run(target(url, processes=2, warm_up_s=0.5))
    assert found.problem is None, found.problem
    assert len(found.facts["generators"]) == 2
    sent = next(numbers) - 1
    assert sent - 8 <= found.facts["generated"] <= sent  # those under way at the end are no samples
    assert found.facts["seconds"] == pytest.approx(1.5, abs=0.5)


def test_a_generator_that_is_killed_leaves_its_samples():
    answer, _ = counting()
    killed = []

    def kill():
        for _ in range(200):
            time.sleep(0.1)
            for child in psutil.Process().children():
                if "loading.generator" in " ".join(child.cmdline()) and seen:
                    time.sleep(1.6)
                    os.kill(child.pid, signal.SIGKILL)
                    killed.append(child.pid)
                    return

    seen = []

    def noted(request):
        seen.append(1)
        return answer(request)

    with loopback.serve(noted) as url:
        thread = threading.Thread(target=kill)
        thread.start()
        found = load.run(target(url, duration_s=8))
        thread.join()
    assert killed
    assert found.problem is None, found.problem
    assert "generator was lost" in found.facts["stopped"]
    assert found.facts["generated"] > 20
    answer = judged(found)
    assert (answer.status, answer.reason) == (Status.NOT_MEASURED, Reason.INCONCLUSIVE)
    assert "generator was lost" in answer.observed


def test_a_target_that_dies_stops_the_run():
    numbers = itertools.count()

    def dies(request):
        if next(numbers) > 200:
            raise ConnectionError  # nothing is answered any more
        return loopback.Response(body=b"fine")

    with loopback.serve(dies) as url:
        found = load.run(target(url, duration_s=30, timeout_s=0.5))
    assert "target was failing" in found.facts["stopped"]
    assert found.facts["seconds"] < 25
    assert judged(found).status is Status.FAIL


def test_an_answer_without_end_is_given_up():
    def endless(request):
        return loopback.Response(body=b"x" * 5_000_000)

    with loopback.serve(endless) as url:
        found = load.run(target(url, max_body_bytes=10_000, users=2))
    assert set(found.records[0]["problems"]) == {"too large"}
    assert judged(found).status is Status.NOT_MEASURED


def test_the_number_of_requests_is_bounded():
    answer, _ = counting()
    with loopback.serve(answer) as url:
        found = load.run(target(url, max_requests=60, think_s=0.05, duration_s=10))
    assert "max_requests" in found.facts["stopped"]
    assert found.facts["generated"] < 400  # looked at ten times a second


@pytest.fixture(scope="module")
def quick():
    answer, _ = counting()
    with loopback.serve(answer) as url:
        return load.run(target(url, think_s=0.02))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"ceiling_per_s": 10.0}, "generator was the limit"),
        ({"generators": [{"late_p95_ms": 900.0}]}, "generator itself was late"),
        ({"seconds": 0.3, "stopped": "interrupted"}, "interrupted"),
    ],
)
def test_what_is_not_the_services_doing_is_not_held_against_it(quick, changed, said):
    assert judged(quick).status is Status.PASS, judged(quick)
    answer = judged(replace(quick, facts=quick.facts | changed))
    assert (answer.status, answer.reason) == (Status.NOT_MEASURED, Reason.INCONCLUSIVE)
    assert said in answer.observed


def test_a_miss_is_no_miss_when_the_generator_was_the_limit(quick):
    late = [p | {"beyond_target": p["samples"], "worth_at_target": p["worth"]}
            for p in quick.records[0]["percentiles"]]  # fmt: skip
    slow = [row | {"targets": {"p50": 0.001}, "percentiles": late} for row in quick.records]
    assert judged(replace(quick, records=slow)).status is Status.FAIL
    limited = replace(quick, records=slow, facts=quick.facts | {"ceiling_per_s": 10.0})
    assert judged(limited).status is Status.NOT_MEASURED


def test_figures_hold_what_was_measured(quick):
    assert figures.by_category(quick)["target is"].tolist() == ["met"]
    assert len(figures.timeline_figure(quick).data) == 5
    assert sum(figures.answers(quick)["requests"]) == quick.records[0]["requests"]
    assert figures.heat_figure(quick).figure.data[0].type == "heatmap"


def test_locusts_percentiles_stand_beside_those_of_the_samples(quick):
    rows = figures.against_locust(quick)
    assert rows["percentile"].tolist() == list(analysis.QUANTILES)
    assert (abs(rows["requests"] - rows["samples"]) <= 4).all()  # under way at the end
    assert (abs(rows["Locust, ms"] - rows["samples, ms"]) <= rows["samples, ms"] * 0.1 + 1).all()


@pytest.mark.parametrize("processes", [1, 2])
def test_histograms_of_all_generators_say_what_the_samples_say(processes):
    import io

    import pyarrow.parquet as pq

    answer, _ = counting(lambda n: n % 10 / 1000)
    with loopback.serve(answer) as url:
        found = load.run(target(url, processes=processes, warm_up_s=0))
    took = pq.read_table(io.BytesIO(found.files["samples.parquet"]))["corrected_ms"].to_numpy()
    lines = found.files["latencies.hlog"].decode().splitlines()
    tag, _, _, most, payload = lines[-1].split(",")
    held = HdrHistogram.decode(payload)
    assert (tag, held.get_total_count()) == ("Tag=GET_/item", len(took))
    assert float(most) == pytest.approx(took.max(), rel=0.002)
    for q in (0.5, 0.95, 0.99):
        rank = int(len(took) * q)  # HdrHistogram rounds ranks where we take the next
        low, high = np.sort(took)[[rank - 1, rank + 1]]
        assert low * 0.998 <= held.get_value_at_percentile(100 * q) / 1000 <= high * 1.002


def test_a_batch_that_was_cut_off_is_left_out(tmp_path):
    batch = samples.Batch()
    batch.add(1.0, 2.0, 3.0, 0, 200, 0)
    stream = samples.Stream(tmp_path / "samples-0.arrows")
    stream.write(batch.to_bytes())
    stream.write(batch.to_bytes())
    stream.close()
    path = tmp_path / "samples-0.arrows"
    path.write_bytes(path.read_bytes()[:-5])
    assert samples.read(tmp_path).num_rows == 1


def test_nothing_is_left_running(quick):
    assert not [
        c for c in psutil.Process().children(recursive=True) if "loading" in str(c.cmdline())
    ]
    assert drive.ceiling(4, 1) == quick.facts["ceiling_per_s"] or drive.ceiling(4, 1) > 100
