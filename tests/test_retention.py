"""Which runs are removed, and which never are."""

from datetime import timedelta

import pytest
import sample_run
from readiness.history import retention
from readiness.policy import Retention
from readiness.record import Record

DAY = timedelta(days=1)
RULE = Retention(keep_runs=2, keep_days=10)


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    return Record.read(sample_run.sample(tmp_path_factory.mktemp("run") / "20260216T095804Z"))


@pytest.fixture
def home(tmp_path, template):
    """Six runs, a day apart; the last is the newest."""
    folder = tmp_path / "demo"
    for day in range(6):
        add(folder, template, day)
    (folder / "latest").symlink_to(name(5))
    return folder


def name(day):
    return f"202601{day + 1:02}T000000Z"


def add(home, template, day, **changed):
    run = home / name(day)
    run.mkdir(parents=True, exist_ok=True)
    finished = sample_run.STARTED + day * DAY
    kept = template.model_copy(update={"run": run.name, "finished": finished, **changed})
    (run / "findings.json").write_text(kept.to_json())


def left(home, days_later=100, rule=RULE):
    at = sample_run.STARTED + days_later * DAY
    gone = {p.name for p in retention.prune(home.name, home.parent, rule, at)}
    days = [day for day in range(6) if (home / name(day)).exists()]
    assert gone == {name(day) for day in range(6)} - {name(day) for day in days}
    assert not list(home.glob(".2*"))
    return days


def test_old_runs_go_and_the_newest_stay(home):
    assert left(home) == [4, 5]


def test_young_runs_stay(home):
    assert left(home, days_later=12) == [3, 4, 5]


def test_a_signed_run_stays_whatever_the_signature_says(home):
    (home / name(0) / "attestation.json").write_text("broken")
    assert left(home) == [0, 4, 5]


def test_latest_and_the_newest_stay_also_when_they_are_two(home):
    (home / "latest").unlink()
    (home / "latest").symlink_to(name(1))
    assert left(home, rule=Retention(keep_runs=1, keep_days=0)) == [1, 5]


def test_a_run_that_cannot_be_read_stays(home):
    (home / name(1) / "findings.json").write_text("{")
    assert left(home) == [1, 4, 5]


def test_the_run_that_a_kept_one_carries_a_failure_over_from_stays(home, template):
    first = template.findings[0].model_copy(update={"carried_over": name(2)})
    add(home, template, 5, findings=[first, *template.findings[1:]])
    assert left(home) == [2, 4, 5]


def test_a_link_in_place_of_a_run_is_never_followed(home, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (home / name(0)).rename(elsewhere)
    (home / name(0)).symlink_to(elsewhere)
    assert left(home) == [0, 4, 5]
    assert (elsewhere / "findings.json").exists()
