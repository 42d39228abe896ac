"""Seed phrases of wallets (BIP-39): words of one of twelve languages with a checksum that holds."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import cache

LENGTHS = (24, 21, 18, 15, 12)  # words of a phrase
WORD = re.compile(r"[^\W\d_]+")


def found_in(text: str) -> str | None:
    """The first phrase in a text, in any language, whatever stands between its words.

    Upper case, accents composed or not, commas, numbers or line ends between the words make no
    difference. Chinese, whose words are single characters, is looked for where they stand apart:
    twelve common characters in a row are any sentence.
    """
    marks = unicodedata.normalize("NFC", text)  # so that an accent does not end a word
    places = [(match.start(), match.end()) for match in WORD.finditer(marks)]
    words = [_plain(marks[start:end]) for start, end in places]
    for index in _languages():
        numbers = [index.get(word) for word in words]
        start = 0
        while start + LENGTHS[-1] <= len(numbers):
            run = start
            while run < len(numbers) and numbers[run] is not None:
                run += 1
            for first in range(start, run - LENGTHS[-1] + 1):
                for length in LENGTHS:
                    if first + length <= run and _holds(numbers[first : first + length]):
                        return marks[places[first][0] : places[first + length - 1][1]]
            start = run + 1
    return None


def _plain(word: str) -> str:
    return unicodedata.normalize("NFKD", word.lower())


def _holds(numbers: list[int | None]) -> bool:
    """Whether the last bits are the beginning of the SHA-256 of the others (BIP-39)."""
    value = 0
    for number in numbers:
        value = value << 11 | (number or 0)
    checked = len(numbers) // 3
    entropy = (value >> checked).to_bytes(checked * 4, "big")
    return hashlib.sha256(entropy).digest()[0] >> (8 - checked) == value & ((1 << checked) - 1)


@cache
def _languages() -> list[dict[str, int]]:
    """The place of each word, language by language, written apart (NFKD) as BIP-39 has it."""
    from mnemonic import Mnemonic

    return [
        {_plain(word): place for place, word in enumerate(Mnemonic(language).wordlist)}
        for language in Mnemonic.list_languages()
    ]
