"""Large sample sets: percentiles are exact to a thousandth, memory is bounded, what is broken is
said, hostile lines do nothing, and a shift is called real when it is."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readiness.sources.latencies import figures, shift, tables
from readiness.sources.latencies.endpoints import MOST_NAMES
from readiness.sources.latencies.histogram import COARSE, FINE, quantile
from readiness.sources.latencies.profile import (
    ANSWERED,
    ENDPOINTS,
    FAILED,
    Batch,
    Profile,
    Read,
)
from readiness.sources.latencies.reading import profile_of
from readiness.sources.latencies.slices import MOST
from readiness.sources.loading import samples
from typer.testing import CliRunner

BEGIN = 1_760_000_000
RUN = CliRunner()


def exact(ms, q):
    return float(np.sort(ms)[max(0, math.ceil(len(ms) * q - 1e-9) - 1)])


def of(ms, at=None, **columns):
    profile = Profile()
    ms = np.asarray(ms, np.float64)
    at = None if at is None else np.asarray(at, np.float64)
    profile.add(Batch(ms, at=at, **columns), Read("x"))
    return profile


def line(second=0, request="GET /api/health HTTP/1.1", status=200, took="0.020", rest=""):
    when = datetime.fromtimestamp(BEGIN + second, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'10.0.0.1 - - [{when}] "{request}" {status} 512 "-" "curl/8" {took}{rest}\n'


def log(tmp_path, *lines, name="access.log"):
    path = tmp_path / name
    path.write_text("".join(lines), encoding="utf-8")
    return path


def names(profile):
    return [profile.names[n] for n in profile.used()]


# Histogram


@pytest.mark.parametrize(
    "ms",
    [
        np.random.default_rng(7).lognormal(3, 1, 200_000),
        np.random.default_rng(7).pareto(0.8, 200_000) + 0.001,
        np.random.default_rng(7).integers(0, 50, 200_000).astype(float),
        np.repeat([1.0, 1000.0], [99_000, 1000]),
    ],
    ids=["lognormal", "heavy tail", "whole milliseconds with zeros", "two values"],
)
def test_percentiles_are_within_a_thousandth_of_the_exact_ones(ms):
    profile = of(ms, BEGIN + np.arange(len(ms)) / 100)
    for q in (0.001, 0.5, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0):
        assert profile.quantile(q) == pytest.approx(exact(ms, q), rel=0.001, abs=1e-6)
        coarse = quantile(profile.histories().sum(axis=0), q, COARSE, profile.most[0])
        assert coarse == pytest.approx(exact(ms, q), rel=0.008, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.floats(0, 1e15), min_size=1, max_size=50),
    st.sampled_from([0.5, 0.95, 0.99, 0.999]),
)
def test_any_times_have_their_percentiles(ms, q):
    found, right = of(ms).quantile(q), exact(ms, q)
    if right < FINE.edges[1]:
        assert found == 0
    elif right < FINE.edges[-2]:
        assert found == pytest.approx(right, rel=0.001)
    else:
        assert found == max(ms)  # half a year and more: the longest is said


def test_bucket_edges_are_those_of_its_numbers():
    ms = np.random.default_rng(7).lognormal(0, 8, 10_000)
    for scale in (FINE, COARSE):
        bucket = scale.bucket(ms)
        inside = (ms >= scale.edges[0]) & (ms < scale.edges[-1])
        assert (scale.edges[bucket] <= ms)[inside].all()
        assert (ms < scale.edges[bucket + 1])[inside].all()


def test_what_is_no_time_is_rejected_and_said():
    profile = of([1.0, math.nan, -5.0, math.inf, 0.0])
    assert profile.requests == 2
    assert profile.broken == {"the time to answer is no time": 3}
    assert profile.quantile(0.5) == 0.0


def test_one_sample_and_none():
    one = of([42.0], [BEGIN])
    assert [one.quantile(q) for q in (0.5, 0.999)] == pytest.approx([42.0] * 2, rel=0.001)
    assert len(tables.over_time(one)) == 1
    assert figures.percentiles_figure(one)
    assert figures.heat_figure(one)
    nothing = Profile()
    assert nothing.quantile(0.5) is None
    assert tables.endpoints(nothing)["requests"].tolist() == [0]
    assert figures.percentiles_figure(nothing) is None
    assert figures.heat_figure(nothing) is None
    assert figures.failures_figure(nothing) is None
    assert shift.compare(nothing, one).shifts == []


# Time


def test_stretches_grow_with_the_span_and_lose_nothing():
    profile, file = Profile(), Read("x")
    chance = np.random.default_rng(7)
    for days in (0.001, 0.1, 1, 40, 3):  # also backwards: the last lies within what is there
        at = BEGIN - 86_400 + chance.random(1000) * 86_400 * days
        profile.add(Batch(chance.random(1000) * 100, at=at), file)
    assert profile.slices.count <= MOST
    assert profile.histories().sum() == profile.over_time[..., 0].sum() == 5000
    starts = profile.slices.starts()
    assert starts[0] <= BEGIN - 86_400 < starts[0] + profile.slices.width_s
    assert profile.slices.width_s == 10 * 3600 or profile.slices.width_s == 86_400


def test_a_stretch_holds_what_happened_in_it():
    at = BEGIN + np.arange(0, 7200, 0.5)
    ms = np.where((at >= BEGIN + 3600) & (at < BEGIN + 4200), 900.0, 10.0)
    frame = tables.over_time(of(ms, at))
    slow = frame[frame["p50, ms"] > 500]["from (UTC)"].tolist()
    assert 8 <= len(slow) <= 11
    assert slow[0] >= tables.when(BEGIN + 3600 - 60)


def test_a_time_years_away_does_not_flatten_the_rest():
    at = np.append(BEGIN + np.arange(1000.0), [0.0, math.nan, BEGIN + 3e9])
    profile = of(np.full(1003, 5.0), at)
    assert profile.requests == 1003
    assert profile.slices.width_s <= 15
    assert sum(profile.broken.values()) == 3


def test_a_clock_that_goes_back_is_said(tmp_path):
    seconds = [*range(300), *range(100, 200)]
    profile = profile_of([log(tmp_path, *(line(s) for s in seconds))])
    assert profile.files[0].jumps_back == 1
    assert profile.requests == 400
    assert profile.over_time[..., 0].sum() == 400


# Access logs


def test_combined_and_json_and_packed_say_the_same(tmp_path):
    rows = [(n, f"/api/users/{n}?limit=3", 200 + 300 * (n % 20 == 0), n / 1000) for n in range(400)]
    plain = log(tmp_path, *(line(s, f"GET {p} HTTP/1.1", c, f"{t:.3f}") for s, p, c, t in rows))
    packed = tmp_path / "access.json.gz"
    with gzip.open(packed, "wt") as file:
        for s, p, c, t in rows:
            when = datetime.fromtimestamp(BEGIN + s, UTC).isoformat()
            told = {"time": when, "method": "GET", "path": p, "status": c, "duration_s": t}
            file.write(json.dumps(told) + "\n")
    one, other = profile_of([plain]), profile_of([packed])
    assert names(one) == names(other) == ["GET /api/users/{id}"]
    assert tables.endpoints(one).equals(tables.endpoints(other))
    row = tables.endpoints(one).iloc[1]
    assert row["failed, %"] == 5.0
    assert row["p50, ms"] == pytest.approx(exact([n for n in range(400) if n % 20], 0.5), rel=1e-3)


@pytest.mark.parametrize(
    "rest", ["", " 0.019 .", " rt=0.020 uct=0.001", ' "203.0.113.9" 0.020', ', "x" "0.020"']
)
def test_request_time_is_found_where_people_put_it(tmp_path, rest):
    took = "-" if "0.020" in rest and not rest.startswith(" 0") else "0.020"
    profile = profile_of([log(tmp_path, line(took=took, rest=rest))])
    assert profile.quantile(0.5) == pytest.approx(20, rel=0.001)


def test_broken_lines_are_counted_and_shown(tmp_path):
    path = log(
        tmp_path,
        line(),
        "no log at all\n",
        '{"time": "2025-10-09T08:53:20Z", "path": "/x?token=geheim"\n',
        line(took="-"),
        "x" * 300_000 + "\n",
        "\n",
        line(request=r"\x16\x03\x01", status=400),
        line()[:40],
    )
    with path.open("ab") as file:
        file.write(b"\n\xff\xfe\x00binary\n" + line().encode())
    profile = profile_of([path])
    assert profile.requests == 3
    assert sum(profile.broken.values()) == 6
    assert profile.broken["no time to answer in it"] == 1
    assert profile.broken["longer than any line of a log"] == 1
    assert not any("geheim" in text for *_, text in profile.examples)
    assert [n for _, n, *_ in profile.examples][:3] == [2, 3, 4]


def test_a_failure_is_no_quick_answer(tmp_path):
    slow = [line(n, took="0.500") for n in range(100)]
    quick = [line(n, status=s, took="0.001") for n in range(100) for s in (500, 429, 401)]
    gone = [line(n, status=499, took="3.000") for n in range(10)]
    profile = profile_of([log(tmp_path, *slow, *quick, *gone)])
    row = tables.endpoints(profile).iloc[1]
    assert row["p50, ms"] == pytest.approx(500, rel=0.001)
    assert row["p99, ms"] == pytest.approx(3000, rel=0.001)
    assert row["failed, %"] == pytest.approx(100 * 110 / 410, abs=0.01)
    assert row["429, %"] == row["other 4xx, %"] == pytest.approx(100 * 100 / 410, abs=0.01)


def test_paths_become_a_bounded_number_of_endpoints(tmp_path):
    lines = [line(request="GET /api/health HTTP/1.1")] * 50
    for n in range(2000):
        lines.append(line(request=f"GET /u/person{chr(97 + n % 26)}{n}/posts HTTP/1.1"))
        lines.append(line(request=f"GET /wp-{n}.php HTTP/1.1", status=404))
        lines.append(line(request=f"GET /o/{n:08x}-0000-4000-8000-00000000{n:04d} HTTP/1.1"))
        lines.append(line(request=f"GET /{'/'.join('abcdefghijkl')}/{n} HTTP/1.1"))
    profile = profile_of([log(tmp_path, *lines)])
    assert set(names(profile)) == {
        "GET /api/health",
        "GET /u/{name}/posts",
        "GET (leads nowhere)",
        "GET /o/{id}",
        "GET /a/b/c/d/e/f/g/h/…",
    }
    assert profile.requests == len(lines)
    assert profile.counts.sum() == profile.samples


def test_who_makes_paths_up_fills_one_row(tmp_path):
    chance = np.random.default_rng(7)
    words = ["".join(map(chr, chance.integers(97, 123, 6))) for _ in range(3000)]
    lines = [line(request=f"GET /{a}/{b}/{a}{b} HTTP/1.1") for a in words for b in words[:2]]
    profile = profile_of([log(tmp_path, *lines)])
    assert len(names(profile)) <= ENDPOINTS
    assert len(profile.names) <= ENDPOINTS
    assert profile.requests == len(lines)
    assert len(names(profile)) == 2


def test_a_few_names_stay_apart(tmp_path):
    lines = [line(request=f"GET /api/page{chr(97 + n)} HTTP/1.1") for n in range(20)]
    assert len(names(profile_of([log(tmp_path, *lines)]))) == 20 <= MOST_NAMES


def test_a_packed_log_that_breaks_off_counts_as_far_as_it_goes(tmp_path):
    whole = gzip.compress("".join(line(n, took=f"{n / 1e3:.3f}") for n in range(20_000)).encode())
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    profile = profile_of([tmp_path / "cut.gz", log(tmp_path, line())])
    cut, other = profile.files
    assert "breaks off" in cut.problem
    assert cut.requests > 1000
    assert other.requests == 1


# Parquet


def parquet(file, **columns):
    pq.write_table(pa.table(columns), file, row_group_size=5000, write_page_checksum=True)
    return file


def test_a_corrupt_file_is_named_and_the_others_are_kept(tmp_path):
    folder = tmp_path / "day" / "hour"
    folder.mkdir(parents=True)
    ms = np.random.default_rng(7).lognormal(3, 1, 20_000)
    for name in "abc":
        parquet(folder / f"{name}.parquet", duration_ms=ms, at=BEGIN + np.arange(20_000.0))
    content = bytearray((folder / "a.parquet").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 5000] = b"\xff" * 5000
    (folder / "a.parquet").write_bytes(content)
    (folder / "b.parquet").write_bytes(b"PAR1 this is none")
    parquet(folder / "d.parquet", something=ms)
    (folder / "_SUCCESS").write_text("")
    profile = profile_of([tmp_path / "day", tmp_path / "absent"])
    said = {file.name: file for file in profile.files}
    assert "corrupt" in said["a.parquet"].problem
    assert "corrupt" in said["b.parquet"].problem
    assert "--latency" in said["d.parquet"].problem
    assert said[str(tmp_path / "absent")].problem == "is not there"
    assert (said["c.parquet"].requests, said["c.parquet"].problem) == (20_000, "")


def test_columns_of_other_types_mean_the_same(tmp_path):
    n = 1000
    micros = np.arange(n, dtype=np.int64) + 1
    at = pa.array((BEGIN + np.arange(n)) * 1000, pa.timestamp("ms", "UTC"))
    status = pa.array([200] * (n - 10) + [503] * 10, pa.int16())
    path = pa.array([f"/users/{k}" for k in range(n)])
    plain = parquet(
        tmp_path / "a.parquet", duration_us=micros, timestamp=at, status=status, path=path
    )
    other = parquet(
        tmp_path / "b.parquet",
        wait=pa.array(micros, pa.duration("us")),
        at=pa.array((BEGIN + np.arange(n)) * 1000),
        status=status.cast("string"),
        path=path.dictionary_encode(),
    )
    one, two = profile_of([plain]), profile_of([other], ("wait", 1.0))
    for profile in (one, two):
        assert profile.requests == n
        assert names(profile) == ["/users/{id}"]
        assert profile.quantile(0.5) == pytest.approx(0.495, rel=0.001)
        assert tables.endpoints(profile).iloc[0]["failed, %"] == 1.0
    assert one.slices == two.slices


def test_memory_does_not_grow_with_the_file(tmp_path):
    code = (
        "import sys; from pathlib import Path; import pyarrow as pa\n"
        "from readiness.sources.latencies.reading import profile_of\n"
        "print(profile_of([Path(sys.argv[1])]).requests, pa.default_memory_pool().max_memory())"
    )
    peaks = []
    for millions in (0.5, 4):
        ms = np.random.default_rng(7).random(int(millions * 1e6))
        pq.write_table(pa.table({"took_ms": ms}), tmp_path / "x.parquet", row_group_size=200_000)
        done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.parquet")],
                              check=True, capture_output=True, text=True)  # fmt: skip
        requests, peak = map(int, done.stdout.split())
        assert requests == len(ms)
        peaks.append(peak)
    assert peaks[1] < 1.1 * peaks[0] < 20e6


def test_nulls_are_no_times(tmp_path):
    ms = pa.array([1.0, None, 3.0])
    profile = profile_of([parquet(tmp_path / "a.parquet", took_ms=ms)])
    assert (profile.requests, profile.broken.total()) == (2, 1)


def test_samples_of_a_load_run_are_read_with_their_names(tmp_path):
    batch = samples.Batch()
    for n in range(100):
        batch.add(BEGIN + n, 10.0, 20.0, n % 2, 200, 0)
    batch.add(BEGIN, 5.0, 5.0, 0, 500, 3)
    batch.add(BEGIN, 2000.0, 2000.0, 0, 0, 1)
    with pa.ipc.open_stream(batch.to_bytes()) as reader:
        table = reader.read_all()
    for paced, ms in ((False, 10), (True, 20)):
        content = samples.to_parquet(table, ["GET /a", "POST /b"], paced)
        (tmp_path / "run.samples.parquet").write_bytes(content)
        profile = profile_of([tmp_path / "run.samples.parquet"])
        assert sorted(names(profile)) == ["GET /a", "POST /b"]
        assert profile.quantile(0.5) == pytest.approx(ms, rel=0.001)
        row = tables.endpoints(profile).iloc[0]
        assert row["failed, %"] == pytest.approx(100 * 2 / 102, abs=0.01)
        assert row["longest, ms"] == 2000


# Before and after


def day(seed, hang_together=0.7, factor=1.0, tail=1.0, n=20_000):
    """A day of samples that hang together over some half an hour."""
    chance = np.random.default_rng(seed)
    level = np.zeros(288)
    for k in range(1, 288):
        noise = chance.normal(0, 0.15 * math.sqrt(1 - hang_together**2))
        level[k] = hang_together * level[k - 1] + noise
    at = np.sort(chance.random(n) * 86_400)
    ms = np.exp(3 + level[(at // 300).astype(int)] + chance.normal(0, 0.6, n)) * factor
    ms = np.where(chance.random(n) < 0.03, ms * tail, ms)
    return of(ms, BEGIN + at)


def told(before, after):
    return {s.percentile: s.verdict for s in shift.compare(before, after).shifts}


def test_days_that_are_alike_are_seldom_told_apart():
    alarms = sum(
        any(v != "no shift shown" for v in told(day(2 * n), day(2 * n + 1)).values())
        for n in range(25)
    )
    assert alarms <= 4  # one in twenty is promised: more than 4 of 25 would come once in 140 times


def test_requests_taken_for_independent_would_be_told_apart_most_days():
    """Why it is not Mann and Whitney's test: on the same days it calls half of them different."""
    alarms = 0
    for n in range(25):
        old, new = (d.histories().sum(axis=0) for d in (day(2 * n), day(2 * n + 1)))
        delta = shift.cliffs_delta(old, new)
        alarms += abs(delta) > 1.96 * math.sqrt((old.sum() + new.sum()) / (3 * old.sum() ** 2))
    assert alarms >= 12


def test_a_real_shift_is_found_and_its_size_told():
    slower = shift.compare(day(1), day(2, factor=1.5))
    assert {s.verdict for s in slower.shifts} == {"slower"}
    assert all(s.low < 1.5 < s.high for s in slower.shifts)
    assert slower.shifts[0].size in ("small", "medium", "large")
    assert set(told(day(1), day(2, factor=0.6)).values()) == {"faster"}


def test_a_longer_tail_is_seen_although_most_requests_are_as_before():
    found = shift.compare(day(1), day(2, tail=30)).shifts
    verdicts = {s.percentile: s.verdict for s in found}
    assert verdicts["p99"] == "slower"
    assert found[0].ratio < 1.1
    assert found[0].size == "negligible"


def failing(seed, share, burst=0.0, n=20_000):
    """A day of which a share fails, evenly, and a share of it within half an hour."""
    chance = np.random.default_rng(seed)
    at = np.sort(chance.random(n) * 86_400)
    failed = (chance.random(n) < share) | ((at // 1800 == 7) & (chance.random(n) < burst))
    return of(np.full(n, 10.0), BEGIN + at, ended=np.where(failed, FAILED, ANSWERED))


@pytest.mark.parametrize(
    ("after", "verdict"),
    [
        (failing(2, 0.01), "no change shown"),
        (failing(2, 0.03), "more often"),
        (failing(2, 0.0), "less often"),
        (failing(2, 0.01, burst=0.5), "no change shown"),  # one bad half hour may be chance
    ],
    ids=["alike", "thrice", "never", "one half hour"],
)
def test_a_service_that_fails_more_often_is_not_just_quicker(after, verdict):
    (found,) = shift.compare(failing(1, 0.01), after).failures
    assert found.verdict == verdict
    assert found.low < found.after - found.before < found.high


@pytest.mark.parametrize("n", [1, 3000])
def test_too_little_says_so(n):
    few = of(np.full(n, 10.0), BEGIN + np.arange(n) / n)
    assert told(few, day(1))["p50"] == "too little to tell"


def test_a_delta_is_what_pairs_say():
    chance = np.random.default_rng(7)
    old, new = chance.lognormal(3, 1, 500), chance.lognormal(3.3, 1, 400)
    pairs = np.sign(new[:, None] - old[None, :]).mean()
    counts = [np.bincount(COARSE.bucket(x), minlength=COARSE.size) for x in (old, new)]
    assert shift.cliffs_delta(*counts) == pytest.approx(pairs, abs=0.01)


def test_students_quantile_is_that_of_the_tables():
    assert shift.student(0.975, 10) == pytest.approx(2.228, abs=0.003)
    assert shift.student(0.9995, 9) == pytest.approx(4.781, abs=0.03)


# The command and its page


def analyse(*arguments):
    from readiness.cli import app

    return RUN.invoke(app, ["analyse", *map(str, arguments)], catch_exceptions=False)


def test_a_log_without_a_request_is_said_and_writes_no_page(tmp_path):
    path = log(tmp_path, "nothing\n")
    done = analyse(path, "--output", tmp_path / "page.html")
    assert done.exit_code == 2
    assert "no request could be read" in done.output
    assert not (tmp_path / "page.html").exists()
    log(tmp_path, name="empty.log")
    assert analyse(tmp_path / "empty.log", "--output", tmp_path / "page.html").exit_code == 2


HOSTILE = "<img/src=x/onerror=document.title='owned'><script>document.title='owned'</script>"


@pytest.mark.slow
def test_the_page_shows_hostile_lines_and_obeys_none(tmp_path, browser):
    def lines(took):
        yield HOSTILE + "\n"
        yield '{"path": "</script>' + HOSTILE + '"\n'
        for n in range(3000):
            yield line(n * 20, took=f"{took + n % 50 / 1000:.3f}")
            yield line(n * 20, request=f"GET /{HOSTILE} HTTP/1.1", took="0.500")

    before = log(tmp_path, *lines(0.02), name="before.log")
    after = log(tmp_path, *lines(0.2), name=f"{HOSTILE.replace('/', '')[:60]}.log")
    done = analyse(after, "--before", before, "--output", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert "slower" in done.output
    page = browser.new_page()
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("figure.chart .main-svg")
    assert page.title() == "Requests and how long they took"
    assert said == [(tmp_path / "page.html").as_uri()]
    assert page.locator("figure.chart .main-svg").count() >= 4
    assert "onerror" in page.inner_text("main")  # shown as text
    assert page.locator("main img, main script:not([type])").count() == 0
    page.close()
