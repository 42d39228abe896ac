"""Values as they stand: the leaves of documents with their paths, and fields by their names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

ENDINGS = ("_enc", "_encrypted", "_ciphertext", "_cipher")  # of a column, not of what it holds
DEEPEST = 100
# What a field holds once somebody has taken care of it.
REDACTED = re.compile(
    r"[\W_]*|\W*(?:redacted|masked|hidden|removed|filtered|null|none|true|false|x+)\W*", re.I
)


def leaves(text: str) -> Iterator[tuple[str, list[str], str]]:
    """Every text and number of a document with its path and the names on the way to it; a text
    that is no document is its own leaf."""
    if text[:1] in "{[":
        try:
            yield from _walk(json.loads(text), "$", [], 0)
            return
        except (ValueError, RecursionError):
            pass
    yield "", [], text


def _walk(
    value: Any, path: str, names: list[str], depth: int
) -> Iterator[tuple[str, list[str], str]]:
    if depth > DEEPEST:
        yield path, names, json.dumps(value, ensure_ascii=False)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield path, [], name  # a key may give away as much as a value
            yield from _walk(inner, f"{path}.{name}", [*names, name], depth + 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _walk(inner, f"{path}[{place}]", names, depth + 1)
    elif isinstance(value, str) and value[:1] in "{[" and value[-1:] in "}]":
        for inner_path, inner_names, leaf in leaves(value):
            yield path + inner_path.removeprefix("$"), names + inner_names, leaf
    elif isinstance(value, str):
        yield path, names, value
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, names, str(value)


class Fields:
    """Fields with the names of sensitive columns, as a document or a log line writes them."""

    def __init__(self, columns: Iterable[str]) -> None:
        plain = {name.split(".")[-1] for name in columns}
        for ending in ENDINGS:
            plain |= {name.removesuffix(ending) for name in plain}
        self._names = {_bare(name) for name in plain}
        spelt = "|".join(sorted(_spelt(name) for name in plain))
        # In quotes before a colon, as a tag of XML, or before an equals sign.
        self.sieve = (
            f"""["'](?:{spelt})\\\\?["'] ?:|<(?:{spelt})>|(?:^|[^A-Za-z0-9_])(?:{spelt})=[^=]"""
            if plain
            else ""
        )
        ends = {name.split("_")[-1][1:].lower() + "=" for name in plain}
        self.marks = ('":', '" :', "':", "</", *sorted(ends))
        self._in_text = re.compile(
            rf"""["'](?:{spelt})\\?["']\s*:\s*\\?["'](?P<q>[^"'\\]+)"""
            rf"""|<(?:{spelt})>(?P<x>[^<]+)<"""
            rf"""|(?<![A-Za-z0-9_])(?:{spelt})=(?![=\s])["']?(?P<e>[^\s"'&;,]+)"""
        )

    def named(self, names: list[str]) -> bool:
        """Whether a leaf stands under a field with such a name."""
        return any(_bare(name) in self._names for name in names)

    def in_text(self, text: str) -> Iterator[str]:
        """The values of such fields in a text that is no document."""
        for match in self._in_text.finditer(text) if self.sieve else ():
            yield next(group for group in match.groups() if group)


def redacted(value: str) -> bool:
    """Whether nothing is left in a field that somebody has emptied."""
    return bool(REDACTED.fullmatch(value.strip()))


def _bare(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _spelt(name: str) -> str:
    """A name in snake_case, kebab-case and camelCase."""
    words = [word for word in name.lower().split("_") if word]
    return "[_-]?".join(
        (f"[{word[0].upper()}{word[0]}]" if word[0].isalpha() else re.escape(word[0]))
        + re.escape(word[1:])
        for word in words
    )
