"""The oracle itself, and the outside provider that words its answers."""

from __future__ import annotations

import json
import logging
import urllib.request
from datetime import date, datetime
from typing import Any

from app.config import settings

MASTER_NUMBERS = (11, 22, 33)


log = logging.getLogger(__name__)


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


def interpret(number: int) -> tuple[str, str]:
    """A number in words, and whose words they are: the provider's, or the oracle's own where it
    gives none in time.

    Only the number leaves the service, never the question.
    """
    try:
        return ask_provider({"number": number}), "provider"
    except (OSError, ValueError, KeyError) as broke:  # no answer, an error as answer, or no words
        log.warning("the provider gave no words: %s", type(broke).__name__)
        return own_words(number), "oracle"


def ask_provider(body: dict[str, Any]) -> str:
    """The provider's words; waits no longer than it may."""
    request = urllib.request.Request(settings().ai_url, json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=settings().ai_timeout_seconds) as answer:
        return str(json.load(answer)["text"])


def own_words(number: int) -> str:
    """What the oracle says by itself."""
    return f"The number {number} speaks for itself today. 🌱"
