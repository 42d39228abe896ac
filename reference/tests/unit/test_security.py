"""Field encryption."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest
from app.services import security
from app.services.security import decrypt_aes256gcm, derive_key, encrypt_aes256gcm

KEY = derive_key("a password for the tests", "a salt for the tests")
TEXTS = {
    "ascii": "Will it rain?",
    "empty": "",
    "persian": "آیا فردا باران می‌بارد؟",
    "emoji": "🌙✨👩‍👩‍👧",
    "combining": "e\u0301 is not \u00e9",
    "right-to-left marks": "\u202bشب\u202c\u200f",
    "beside NUL": "\x00a\x00",
    "long": "x" * 10_000,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_what_is_sealed_opens_unchanged(text):
    assert decrypt_aes256gcm(encrypt_aes256gcm(text, KEY), KEY) == text


def test_an_envelope_is_nonce_text_and_tag():
    raw = b64decode(encrypt_aes256gcm("four", KEY).removeprefix("ENC4:"), validate=True)
    assert len(raw) == 12 + 4 + 16


def test_two_envelopes_of_one_text_differ():
    assert len({encrypt_aes256gcm("same", KEY) for _ in range(200)}) == 200


@pytest.mark.parametrize("position", [0, 11, 12, 15, 16, -16, -1])
def test_a_changed_byte_is_refused(position):
    raw = bytearray(b64decode(encrypt_aes256gcm("text", KEY).removeprefix("ENC4:")))
    raw[position] ^= 1
    with pytest.raises(ValueError, match="changed"):
        decrypt_aes256gcm("ENC4:" + b64encode(raw).decode(), KEY)


@pytest.mark.parametrize("value", ["", "text", "ENC:00", "enc4:AAAA", "PLAIN:text"])
def test_another_prefix_is_refused(value):
    with pytest.raises(ValueError, match="not an ENC4"):
        decrypt_aes256gcm(value, KEY)


@pytest.mark.parametrize("value", ["ENC4:", "ENC4:AAAA", "ENC4:!!!!", "ENC4:" + "A" * 36])
def test_a_damaged_envelope_is_refused(value):
    with pytest.raises(ValueError, match="damaged"):
        decrypt_aes256gcm(value, KEY)


def test_another_spelling_of_the_same_bytes_is_refused():
    value = encrypt_aes256gcm("a", KEY)  # 29 bytes: the last letter has bits to spare
    other = value[:-2] + chr(ord(value[-2]) + 1) + "="
    with pytest.raises(ValueError, match="damaged"):
        decrypt_aes256gcm(other, KEY)


def test_another_key_is_refused():
    with pytest.raises(ValueError, match="another key"):
        decrypt_aes256gcm(encrypt_aes256gcm("text", KEY), derive_key("other", "salt"))


@pytest.mark.parametrize(
    ("salt", "padded"), [("s", b"s".ljust(32, b"\0")), ("é" * 30, b"\xc3\xa9" * 16)]
)
def test_the_key_is_what_the_specification_says(salt, padded):
    assert derive_key("p", salt) == hashlib.pbkdf2_hmac("sha256", b"p", padded, 600_000, 32)


def test_old_values_are_still_read():
    nonce, text = bytes(16), b"old"
    stream = hmac.digest(KEY, nonce + bytes(8), "sha256")
    sealed = bytes(a ^ b for a, b in zip(text, stream, strict=False))
    tag = hmac.digest(KEY, nonce + sealed, "sha256")
    value = "ENC:" + (nonce + tag + sealed).hex()
    assert security.decrypt_legacy(value, KEY) == "old"
    with pytest.raises(ValueError, match="changed"):
        security.decrypt_legacy(value[:-2] + "00", KEY)


def test_columns_keep_null(monkeypatch):
    monkeypatch.setattr(security, "field_key", lambda: KEY)
    assert security.seal(None) is None
    assert security.unseal(None) is None
    assert security.unseal(security.seal("text")) == "text"
