"""The oracle itself, and the outside provider that words its answers."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Any

from app.config import settings

MASTER_NUMBERS = (11, 22, 33)


class ProviderTimeout(Exception):
    """The provider did not answer in time."""


def reduce_number(number: int) -> int:
    """Add up the digits until one digit or a master number is left."""
    while number > 9 and number not in MASTER_NUMBERS:
        number = sum(int(digit) for digit in str(number))
    return number


def life_path(birthday: date) -> int:
    """The number of a birthday."""
    return reduce_number(
        sum(reduce_number(n) for n in (birthday.year, birthday.month, birthday.day))
    )


def read_time(moment: datetime) -> dict[str, Any]:
    """What the numbers of a moment say."""
    hour, day = reduce_number(moment.hour), life_path(moment.date())
    return {"hour_number": hour, "day_number": day, "number": reduce_number(hour + day)}


def read_question(question: str) -> dict[str, Any]:
    """The number of a question; says nothing that would give the question away."""
    return {"number": reduce_number(sum(ord(letter) for letter in question))}


def interpret(number: int) -> str:
    """Ask the provider to word an answer. It is simulated: it takes its time and then agrees.

    Only the number leaves the service, never the question.
    """
    latency, patience = settings().ai_latency_seconds, settings().ai_timeout_seconds
    time.sleep(min(latency, patience))
    if latency > patience:
        raise ProviderTimeout
    return f"The number {number} asks for patience; what is measured twice stands. 🌱 صبر کن."
