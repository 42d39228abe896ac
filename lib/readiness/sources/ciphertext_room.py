"""Columns with a length limit that leaves ciphertext too little room."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..target import Encryption

Record = dict[str, Any]
SHORT_TEXT = 255  # bytes: what a field of a form may well be filled with
FERNET_BYTES = 1 + 8 + 16  # version, time and padding, beside nonce and tag


def mark(records: Sequence[Record], formats: Sequence[Encryption]) -> None:
    """Say at each column that is to hold ciphertext how much text fits (``ciphertext_room``,
    bytes), where its limit leaves less than a short text takes."""
    given = {
        ("public", *column.split("."))[-3:]: format
        for format in formats
        for column in format.columns
    }
    for record in records:
        if record["kind"] != "column":
            continue
        format = given.get((record["schema"], record["table"], record["name"]))
        limit = re.fullmatch(r"character varying\((\d+)\)", record["type"])
        if format and limit and (room := bytes_of_text(format, int(limit[1]))) < SHORT_TEXT:
            record["ciphertext_room"] = room


def bytes_of_text(format: Encryption, limit: int) -> int:
    """How many bytes of text fit as ciphertext of this format into ``limit`` characters."""
    characters = limit - len(format.prefix) - 2 * len(format.separator)
    stored = characters // 2 if format.encoding == "hex" else characters // 4 * 3
    beside = format.header_bytes + format.tag_bytes
    beside += FERNET_BYTES if format.scheme == "fernet" else 0
    return max(0, stored - beside)
