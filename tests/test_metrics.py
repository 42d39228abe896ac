"""Metrics: whatever a page holds, reading it neither breaks nor believes it."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from readiness import loopback
from readiness.checks.operations.metrics import Metrics, metrics_exposition
from readiness.evidence import Evidence
from readiness.finding import Status
from readiness.parameters import validated
from readiness.sources import metrics, prometheus, scrape
from readiness.sources.client import Exchange
from readiness.target import Target

TEXT = ("content-type", "text/plain; version=0.0.4")
OPENMETRICS = ("content-type", "application/openmetrics-text; version=1.0.0")


def page(content: bytes, content_type=TEXT) -> Exchange:
    return Exchange("GET", "/metrics", 200, [content_type], content)


def sound() -> bytes:
    registry = CollectorRegistry()
    Counter("requests", "Requests.", ["path"], registry=registry).labels("/users/7").inc(3)
    Histogram("took_seconds", "Time.", registry=registry).observe(0.2)
    return generate_latest(registry)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
@settings(max_examples=300)
def test_no_page_breaks_the_reader(content):
    for content_type in (TEXT, OPENMETRICS):
        read = scrape.read(page(content, content_type))
        assert read.problem or read.values
        scrape.bad_histograms(read)


@given(st.integers(0, 600), st.binary(min_size=1, max_size=4))
def test_a_damaged_page_is_read_or_refused(place, damage):
    content = sound()
    read = scrape.read(page(content[:place] + damage + content[place + len(damage) :]))
    assert read.problem or read.values
    scrape.bad_histograms(read)


@given(st.dictionaries(st.sampled_from(["a", "b", "c_total"]), st.floats(), min_size=1))
def test_what_was_written_is_read(values):
    written = "".join(f'{name}{{to="x y"}} {value}\n' for name, value in values.items())
    read = scrape.read(page(written.encode()))
    assert read.problem is None
    found = {name: value for (name, _), value in read.values.items()}
    assert set(found) == set(values)
    assert all(found[n] == values[n] or found[n] != found[n] for n in values)


def collect(answer, **section) -> Evidence:
    with loopback.serve(answer) as url:
        http = {
            "base_url": url,
            "requests_per_minute": 1_000_000,
            "metrics": {"settle_s": 0, **section},
        }
        target = validated(Target, {"name": "t", "http": http}, "t", {"THE_TOKEN": "s3cret-t0ken"})
        return metrics.exposition(target)


def judged(evidence: Evidence):
    return metrics_exposition.assess([evidence], Metrics())


def test_label_values_and_tokens_stay_out_of_the_evidence():
    seen = []

    def answer(request):
        seen.append(request.headers.get("authorization"))
        return loopback.Response(200, [TEXT], b'logins_total{user="mary@example.org"} 1\n')

    evidence = collect(
        answer, headers={"Authorization": "token ${THE_TOKEN}"}, series=["logins_total"]
    )
    assert seen[0] == "token s3cret-t0ken"
    assert "mary@example.org" not in evidence.to_json()
    assert "s3cret-t0ken" not in evidence.to_json()


def test_every_scrape_comes_over_a_connection_of_its_own():
    closing = []

    def answer(request):
        if request.path == "/metrics":
            closing.append(request.headers.get("connection"))
        return loopback.Response(200, [TEXT], b"up 1\n")

    evidence = collect(answer, series=["up"])
    assert len(closing) == len(evidence.facts["scrapes"]) > 5
    assert set(closing) == {"close"}


def test_a_page_that_is_cut_by_our_own_limit_is_not_judged():
    with loopback.serve(lambda request: loopback.Response(200, [TEXT], sound())) as url:
        http = {
            "base_url": url,
            "max_body_bytes": 200,
            "requests_per_minute": 1_000_000,
            "metrics": {"settle_s": 0, "series": ["requests_total"]},
        }
        evidence = metrics.exposition(validated(Target, {"name": "t", "http": http}, "t"))
    assert judged(evidence).status is Status.NOT_MEASURED
    assert "max_body_bytes" in judged(evidence).observed


def test_metrics_may_have_an_address_of_their_own():
    count = iter(range(1, 100))

    def exporter(request):
        return loopback.Response(200, [TEXT], f"jobs_total {next(count)}\n".encode())

    with loopback.serve(exporter) as there:
        evidence = collect(
            lambda request: loopback.Response(404), base_url=there, series=["jobs_total"]
        )
    assert judged(evidence).status is Status.PASS, judged(evidence).observed
    table = metrics.wanted(evidence)
    assert list(table["moved"]) == [True]
    assert not metrics.overview(evidence).empty


def read_configuration(folder, text: str):
    (folder / "prometheus.yml").write_text(text)
    raw = {"name": "t", "repository": {"path": str(folder)}}
    return prometheus.configuration(validated(Target, raw, "t"), "prometheus.yml")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]", None),
        ("scrape_configs: [{job_name: a, kubernetes_sd_configs: [{role: pod}]}]", None),
        ("- a list", "no mapping"),
        ("scrape_configs: {job_name: a}", "no list"),
        ("scrape_configs: [{static_configs: []}]", "without job_name"),
        ("scrape_configs: [{job_name: a}, {job_name: a}]", "two jobs"),
        ("scrape_configs: [{job_name: a, static_configs: [{targets: ['http://a']}]}]", "host:port"),
        ("scrape_configs: [{job_name: a, static_configs: [{targets: [8000]}]}]", "host:port"),
        ("scrap_configs: []", "unknown keys"),
        ("a: !!python/object:os.system {}", "no YAML"),
        ("\x00", "no YAML"),
    ],
)
def test_configurations_are_read_without_promtool(tmp_path, monkeypatch, text, wrong):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    read, tools = read_configuration(tmp_path, text)
    assert tools == {}
    assert read["problem"] is None if wrong is None else wrong in read["problem"]


@pytest.mark.skipif(
    not shutil.which("promtool") and "CI" not in os.environ, reason="promtool is not installed"
)
def test_promtool_finds_what_a_reading_does_not(tmp_path):
    mistyped = (
        "scrape_configs: [{job_name: a, metric_path: /m, static_configs: [{targets: ['a:1']}]}]"
    )
    read, tools = read_configuration(tmp_path, mistyped)
    assert "metric_path" in read["problem"]
    assert tools["promtool"][0].isdigit()
    fine = "scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}]}]"
    assert read_configuration(tmp_path, fine)[0]["problem"] is None
