"""What a cipher is tried on: texts that careless ones spoil, and ciphertexts that were spoilt."""

from __future__ import annotations

from ..target import Encryption
from .envelope import Envelopes

# Each must come back code point for code point.
SENTENCE = "The quick brown fox jumps over the lazy dog."
TEXTS = {
    "ASCII": SENTENCE,
    "one letter": "a",
    "empty": "",
    "zero": "0",
    "word null": "null",
    "Persian": "آیا امسال سفر می‌کنم؟ ۱۲۳",
    "Chinese": "明年会下雨吗？",
    "emoji": "🌙 👩🏽‍🚀 🏳️‍🌈 🇮🇷",
    "10,000 ASCII characters": ("0123456789" * 1_000),
    "10,000 Persian characters": ("سلام دنیا " * 1_000),
    "composed (NFC)": "caf\u00e9 \u1e69 \ud55c",
    "decomposed (NFD)": "cafe\u0301 s\u0323\u0307 \u1112\u1161\u11ab",
    "combining marks out of order": "q\u0307\u0323",
    "compatibility characters": "\ufb01 \u212b \u2460 \uff21 \u00bd",
    "right-to-left marks": "\u200fabc\u202edef\u202c \u2067\u05e9\u05dc\u05d5\u05dd\u2069\u200e",
    "zero-width": "a\u200bb\u200cc\u200dd\u2060e",
    "byte order mark": "\ufefftext",
    "NUL": "a\x00b",
    "next to NUL": "\x01\x02 \x7f\x80",
    "spaces": "   ",
    "spaces around": "  text  ",
    "line ends": "a\nb\r\nc\rd\n",
    "tab and vertical tab": "\ta\x0bb\x0c",
    "unusual spaces": "\u00a0a\u3000b\u2028c\u0085d",
    "last code points": "\uffff\U0010ffff",
    "quotes and backslashes": "'; -- \"\\n\\u0041 %s {0} $1",
    "base64": "aGVsbG8gd29ybGQ=",
    "JSON": '{"question": "\\u0041", "n": 1e3}',
}


def texts_for(format: Encryption) -> dict[str, str]:
    """The texts, with those that look encrypted already in the declared format."""
    looks = {f"begins like a ciphertext: {p}": f"{p}hello" for p in _prefixes(format)}
    return {**TEXTS, **looks}


def _prefixes(format: Encryption) -> list[str]:
    return [p for p in (format.prefix, *format.legacy_prefixes, *format.clear_prefixes) if p]


def spoilt(value: str, envelopes: Envelopes) -> list[tuple[str, str]]:
    """A ciphertext changed at every byte, cut, mixed with another, and under other prefixes."""
    form, raw = envelopes.format, envelopes.unpack(value)
    tag = len(raw) - form.tag_bytes
    cases = []
    header = form.header_bytes
    for place in range(len(raw)):
        part, start = ("nonce", 0) if place < header else ("ciphertext", header)
        part, start = ("tag", tag) if place >= tag else (part, start)
        changed = bytes([*raw[:place], raw[place] ^ 1, *raw[place + 1 :]])
        cases.append((f"{part} byte {place - start} changed", envelopes.pack(changed)))
    other = envelopes.unpack(envelopes.seal(SENTENCE[::-1]))
    cases += [
        ("last byte cut", envelopes.pack(raw[:-1])),
        ("tag cut", envelopes.pack(raw[: len(raw) - form.tag_bytes // 4])),
        ("tag cut off", envelopes.pack(raw[:tag])),
        ("ciphertext cut out", envelopes.pack(raw[:header] + raw[tag:])),
        ("nonce alone", envelopes.pack(raw[:header])),
        ("prefix alone", form.prefix),
        ("a byte more", envelopes.pack(raw + b"\0")),
        ("nonce of another", envelopes.pack(other[:header] + raw[header:])),
        ("tag of another", envelopes.pack(raw[:tag] + other[-form.tag_bytes :])),
        ("not encoded", f"{form.prefix}!!!!"),
        ("no prefix", value.removeprefix(form.prefix)),
        ("prefix twice", form.prefix + value),
        ("no envelope at all", SENTENCE),
    ]
    body = value.removeprefix(form.prefix)
    wrong = [form.prefix.swapcase(), *form.legacy_prefixes, *form.clear_prefixes]
    wrong += [form.prefix[:n] + "x" + form.prefix[n + 1 :] for n in range(len(form.prefix))]
    cases += [(f"prefix {prefix}", prefix + body) for prefix in wrong if prefix != form.prefix]
    return [(case, changed) for case, changed in cases if changed != value]
