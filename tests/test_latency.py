"""Latency: the intervals keep their promise, and the source measures what it says."""

from __future__ import annotations

import json
import random
from fractions import Fraction
from math import comb, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness import loopback, statistics
from readiness.checks.performance.latency import Baseline, latency_baseline
from readiness.finding import Reason, Status
from readiness.parameters import validated
from readiness.sources import latency
from readiness.target import Target

quantiles = st.sampled_from([0.5, 0.9, 0.95, 0.99])
confidences = st.sampled_from([0.9, 0.95, 0.9875, 0.99])


def exact_tail(n: int, q: Fraction, least: int) -> Fraction:
    """P(B >= least), without any rounding."""
    return sum((comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(least, n + 1)), Fraction(0))


@given(st.integers(1, 120), quantiles, confidences)
@settings(deadline=None, max_examples=80)
def test_ranks_are_the_exact_binomial_ones(n, q, confidence):
    below, above = statistics.quantile_ranks(n, q, confidence)
    share, risk = Fraction(str(q)), 1 - Fraction(str(confidence))
    # P(sample r above the quantile) = P(B <= r - 1); P(sample s below it) = P(B >= s).
    if above is None:
        assert exact_tail(n, share, n) > risk
    else:
        assert exact_tail(n, share, above) <= risk
        assert above == 1 or exact_tail(n, share, above - 1) > risk
    if below is None:
        assert 1 - exact_tail(n, share, 1) > risk
    else:
        assert 1 - exact_tail(n, share, below) <= risk
        assert 1 - exact_tail(n, share, below + 1) > risk


@pytest.mark.parametrize("q", [0.5, 0.95, 0.99])
def test_each_bound_covers_as_often_as_it_says(q):
    chance = random.Random(20260216)
    n, rounds = 450, 600
    true = -log(1 - q)  # of the exponential distribution drawn from
    under = over = 0
    for _ in range(rounds):
        interval = statistics.quantile_interval([chance.expovariate(1) for _ in range(n)], q, 0.95)
        under += interval.low is not None and interval.low > true
        over += interval.high is not None and interval.high < true
    # 5 % each; 600 rounds of a fair 5 % exceed 48 once in a hundred times or less.
    assert under <= 48
    assert over <= 48
    # Not by being useless: an order statistic further in would break the promise.
    assert under + over > 10


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=200), quantiles, st.randoms())
def test_the_order_in_which_samples_came_says_nothing(samples, q, chance):
    shuffled = list(samples)
    chance.shuffle(shuffled)
    assert statistics.quantile_interval(samples, q) == statistics.quantile_interval(shuffled, q)


@given(st.lists(st.floats(0.01, 1000), min_size=1, max_size=200), quantiles)
def test_bounds_enclose_the_estimate(samples, q):
    interval = statistics.quantile_interval(samples, q)
    assert interval.low is None or interval.low <= interval.estimate
    assert interval.high is None or interval.high >= interval.estimate


@given(quantiles, confidences)
def test_the_number_of_samples_asked_for_is_the_least_that_serves(q, confidence):
    enough = statistics.samples_for_bound(q, confidence)
    assert statistics.quantile_ranks(enough, q, confidence)[1] is not None
    assert enough == 1 or statistics.quantile_ranks(enough - 1, q, confidence)[1] is None


def test_the_known_number_for_a_99th_percentile():
    assert statistics.samples_for_bound(0.99, 0.95) == 299


def test_how_many_more_are_needed():
    needed = statistics.samples_to_decide(0.98, 0.95)
    assert needed is not None
    above = statistics.quantile_ranks(needed, 0.95, 0.95)[1]
    assert above is not None
    assert round(0.98 * needed) >= above
    assert statistics.samples_to_decide(0.95, 0.95) is None


@given(st.integers(0, 60), st.integers(1, 60))
@settings(deadline=None)
def test_the_share_shown_is_clopper_pearson(hits, extra):
    n = hits + extra
    least = statistics.share_at_least(hits, n, 0.95)
    assert 0 <= least <= hits / n
    if hits:
        assert float(exact_tail(n, Fraction(least), hits)) == pytest.approx(0.05, abs=1e-6)


def ask(answer, **wanted):
    """Measure one endpoint of a service that answers so."""
    sampling = wanted.pop("sampling", {"warm_up": 2})
    endpoint = {"operation": "GET /x", "p95_ms": 500, **wanted}
    with loopback.serve(answer) as url:
        http = {
            "base_url": url,
            "requests_per_minute": 1_000_000,
            "latency": [endpoint],
            "latency_sampling": sampling,
        }
        target = validated(Target, {"name": "t", "http": http}, "test")
        return latency.baseline(target.allowing(["passive", "active"]))


def test_samples_are_kept_unrounded_and_warm_up_apart():
    evidence = ask(lambda request: loopback.Response(delay_s=0.001))
    (record,) = evidence.records
    assert len(record["samples_ms"]) == 86  # what a 95th percentile takes at four looks
    assert len(record["warm_up_ms"]) == 2
    assert all(sample > 1 for sample in record["samples_ms"])
    assert any(sample != round(sample, 4) for sample in record["samples_ms"])
    assert 0 < evidence.facts["client_ms"]["quickest"] <= evidence.facts["client_ms"]["p50"]
    assert len(record["client_ms"]) == 40


def test_no_wait_for_the_limiter_is_taken_for_latency():
    numbers = iter(range(10_000))

    def answer(request):
        if next(numbers) % 40 == 39:
            return loopback.Response(429, [("Retry-After", "1")])
        return loopback.Response()

    (record,) = ask(answer, sampling={"warm_up": 2, "max_samples": 60}).records
    assert max(record["samples_ms"]) < 900
    assert len(record["warm_up_ms"]) > 2  # the answer after each wait is set apart
    assert record["errors"] == {}


def test_writes_are_made_unique_and_taken_away():
    things: dict[str, str] = {}
    made = []

    def answer(request):
        if request.method == "DELETE":
            del things[request.path.rsplit("/", 1)[1]]
            return loopback.Response(204)
        name = json.loads(request.body)["name"]
        if name in things.values():
            return loopback.Response(409)
        number = str(len(made))
        made.append(name)
        things[number] = name
        return loopback.Response(201, body=json.dumps({"key": number}).encode())

    evidence = ask(
        answer,
        operation="POST /things",
        json={"name": "audit {unique}"},
        status=201,
        remove="DELETE /things/{id}",
        id_field="key",
        sampling={"warm_up": 1, "max_samples": 20},
    )
    assert len(evidence.records[0]["samples_ms"]) == 20
    assert len(set(made)) == 21
    assert things == {}
    assert evidence.records[0]["not_removed"] == 0


def test_what_could_not_be_taken_away_is_counted():
    def answer(request):
        if request.method == "DELETE":
            return loopback.Response(403)
        return loopback.Response(201, body=b'{"id": "../users"}')

    evidence = ask(
        answer,
        operation="POST /things",
        status=201,
        remove="DELETE /things/{id}",
        sampling={"warm_up": 1, "max_samples": 10},
    )
    assert evidence.records[0]["not_removed"] == 11
    assert len(evidence.records[0]["samples_ms"]) == 10


def test_what_may_not_be_sent_costs_its_endpoint_only():
    with loopback.serve(lambda request: loopback.Response()) as url:
        http = {
            "base_url": url,
            "requests_per_minute": 1_000_000,
            "never_call": ["GET /never"],
            "latency": [
                {"operation": "GET /never", "p95_ms": 500},
                {"operation": "GET /x", "p95_ms": 500},
            ],
        }
        target = validated(Target, {"name": "t", "http": http}, "test").allowing(["active"])
        evidence = latency.baseline(target)
    judged = latency_baseline.assess([evidence], Baseline())
    assert judged.status is Status.NOT_MEASURED
    assert judged.reason is Reason.INCONCLUSIVE
    assert "GET /never" in judged.observed
    assert len(evidence.records[1]["samples_ms"]) == 86


def test_a_miss_smaller_than_the_clients_own_share_is_not_claimed():
    evidence = ask(lambda request: loopback.Response(), p95_ms=0.05)
    (record,) = evidence.records
    record["client_ms"] = [1e6] * 40
    evidence.facts["client_ms"] = latency.own_time([record])
    judged = latency_baseline.assess([evidence], Baseline())
    assert judged.reason is Reason.INCONCLUSIVE
    record["client_ms"] = [0.01] * 40
    evidence.facts["client_ms"] = latency.own_time([record])
    assert latency_baseline.assess([evidence], Baseline()).status is Status.FAIL


def test_on_a_busy_machine_only_a_gross_miss_counts():
    evidence = ask(lambda request: loopback.Response(delay_s=0.04), p95_ms=10)
    (record,) = evidence.records
    record["client_ms"] = [1.0] * 30 + [20.0] * 10
    evidence.facts["client_ms"] = latency.own_time([record])
    judged = latency_baseline.assess([evidence], Baseline())
    assert judged.reason is Reason.INCONCLUSIVE
    assert "20 times" in judged.observed
    record["targets"]["p95"] = 1
    assert latency_baseline.assess([evidence], Baseline()).status is Status.FAIL


def test_views_say_what_was_judged():
    evidence = ask(lambda request: loopback.Response(), p50_ms=400)
    table = latency.summary(evidence)
    assert list(table["percentile"]) == ["p50", "p95"]
    assert list(table["target is"]) == ["met", "met"]
    figure = latency.distribution_figure(evidence)
    drawn = {trace.name for trace in figure.data}
    assert {"p50", "p95", "target", "sample"} <= drawn
    nothing = ask(lambda request: loopback.Response(404))
    assert list(latency.summary(nothing)["target is"]) == ["open"]
    latency.distribution_figure(nothing)
