"""The oracle's arithmetic."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from app.config import settings
from app.services import oracle


@pytest.mark.parametrize(
    ("number", "reduced"), [(0, 0), (9, 9), (10, 1), (11, 11), (29, 11), (38, 11), (1990, 1)]
)
def test_numbers_reduce_to_one_digit_or_a_master(number, reduced):
    assert oracle.reduce_number(number) == reduced


def test_life_path():
    assert oracle.life_path(date(1990, 5, 15)) == 3


def test_a_moment_has_a_number():
    read = oracle.read_time(datetime(2026, 2, 16, 22, 0, tzinfo=UTC))
    assert read == {"hour_number": 22, "day_number": 1, "number": 5}


def test_a_reading_does_not_give_the_question_away():
    assert oracle.read_question("secret").keys() == {"number"}


def test_without_a_provider_the_oracle_has_words_of_its_own(monkeypatch):
    monkeypatch.setattr(oracle, "settings", lambda: replace(settings(), ai_url=""))
    words, whose = oracle.interpret(7)
    assert (words, whose) == (oracle.own_words(7), "oracle")
