"""Finds: what is proved of values that came through the sieve, kept without their content."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from psycopg.sql import SQL, Composable, Literal

from .detectors import CARD, KINDS, Kind, card_like, luhn
from .envelope import Envelope, EnvelopeError
from .envelope import Kind as Value
from .leaves import Fields, leaves, redacted
from .masking import shown

MOST_HITS = 100  # of one kind in one column; then the kind is not looked for there any more
FIELD = "field named like a sensitive column"
CARDS = "card number"
SHARED = "_-."  # letters that marks share, and few values have


class Full(Exception):
    """There is no more to be learnt about a kind in a column."""


class Proofs:
    """The kinds that are looked for, fields named like sensitive columns among them."""

    def __init__(self, sensitive: list[str], formats: list[Envelope]) -> None:
        self._formats = formats
        self._fields = Fields(sensitive)
        field = Kind(FIELD, self._fields.sieve, lambda text: None, marks=self._fields.marks)
        self.kinds = {kind.name: kind for kind in (*KINDS, *([field] if field.sieve else []))}
        self._sieves = {name: re.compile(kind.sieve) for name, kind in self.kinds.items()}

    def sifted(self, text: Composable, kinds: set[str]) -> Composable:
        """The server's condition that a text may hold one of some kinds.

        Each kind for itself, the cheap part first: one expression for all would take the server,
        which builds it anew for each value, a hundred times as long.
        """
        conditions = [
            SQL("({})").format(SQL(" AND ").join(_conditions(text, kind)))
            for name, kind in self.kinds.items()
            if name in kinds
        ]
        return SQL("({})").format(SQL(" OR ").join(conditions))

    def around(self, kinds: set[str]) -> str:
        """One expression for what these kinds let through and what stands around it."""
        sieves = "|".join(f"(?:{k.sieve})" for n, k in self.kinds.items() if n in kinds)
        return f"(.{{0,200}}(?:{sieves}).{{0,250}})"

    def finds(self, text: str, kinds: set[str]) -> Iterator[tuple[str, str, str]]:
        """What is proved of a value: kind, path, and the find itself, which must not be kept."""
        looked_for = [n for n in kinds if n != FIELD and self._sieves[n].search(text)]
        field = FIELD in kinds
        seen: set[str] = set()
        whole = list(leaves(text))
        for path, names, leaf in whole:
            for name in looked_for:
                if found := self.kinds[name].proof(leaf):
                    seen.add(name)
                    yield name, path, found
            if field and names and self._fields.named(names) and self._in_clear(leaf):
                yield FIELD, path, leaf
            if field and not path:
                for value in self._fields.in_text(leaf):
                    if self._in_clear(value):
                        yield FIELD, path, value
        words = "seed phrase (BIP-39)"
        apart = len(whole) > 1 and words in looked_for and words not in seen
        if apart and (found := self.kinds[words].proof(text)):  # a word in each element of a list
            yield words, "$", found

    def _in_clear(self, value: str) -> bool:
        if redacted(value):
            return False
        for envelope in self._formats:
            try:
                envelope.unpack(value)
            except EnvelopeError as closed:
                if closed.kind is Value.LEGACY:
                    return False
                continue
            return False
        return True


def _conditions(text: Composable, kind: Kind) -> Iterator[Composable]:
    if kind.least:
        yield SQL("octet_length({}) >= {}").format(text, Literal(kind.least))
    if kind.marks:
        yield _marked(text, kind.marks)
    for expression in filter(None, (kind.glance, kind.sieve)):
        yield SQL("{} ~ {}").format(text, Literal(expression))


def _marked(text: Composable, marks: tuple[str, ...]) -> Composable:
    """One of the marks is in it. Most values have none of the letters that many marks share: where
    the letter is not, those need not be looked for."""

    def has(mark: str) -> Composable:
        pattern = f"%{mark.replace('_', '~_')}%"
        return SQL("{} LIKE {} ESCAPE '~'").format(text, Literal(pattern))

    shared: dict[str, list[str]] = {}
    for mark in marks:
        letter = next((one for one in SHARED if one in mark), "")
        shared.setdefault(letter, []).append(mark)
    parts = []
    for letter, those in shared.items():
        any_of = SQL("({})").format(SQL(" OR ").join(map(has, those)))
        worth_it = letter and len(those) > 1
        parts.append(SQL("{} AND {}").format(has(letter), any_of) if worth_it else any_of)
    return SQL("({})").format(SQL(" OR ").join(parts))


class Reader:
    """What one reading of a table has found; thrown away when a kind has filled a column."""

    def __init__(
        self,
        proofs: Proofs,
        table: str,
        kinds: dict[str, set[str]],
        full: list[dict[str, Any]],
    ) -> None:
        self.numbers = 0  # digits with the look of a card that are as good as random
        self._proofs = proofs
        self._table = table
        self._kinds = kinds
        self._full = full
        self._hits: list[dict[str, Any]] = []
        self._count = Counter[tuple[str, str]]()
        self._alike = Counter[str]()  # by column: numbers like a card's without its check digit

    def look(self, row: str, columns: list[str], texts: list[str | None]) -> None:
        for column, text in zip(columns, texts, strict=True):
            if text is None:
                continue
            self._alike[column] += _unlike_cards(text)
            for kind, path, found in self._proofs.finds(text, self._kinds[column]):
                self._count[column, kind] += 1
                place = {"column": f"{self._table}.{column}", "row": row, "kind": kind}
                bare = kind == CARDS and found.isdigit()
                self._hits.append({**place, "path": path, **shown(found), "bare": bare})
                if self._count[column, kind] == MOST_HITS:
                    self._drop(column, kind)

    def _drop(self, column: str, kind: str) -> None:
        kept = self.kept(column, kind)
        self._full += [hit | {"and_more": True} for hit in kept]
        self._kinds[column] = self._kinds[column] - {kind}
        raise Full

    def kept(self, column: str | None = None, kind: str | None = None) -> list[dict[str, Any]]:
        """The finds; of bare digits, only where half of those like a card's have its check digit:
        of any numbers, one in ten has."""
        wanted = [
            hit
            for hit in self._hits
            if (column is None or hit["column"] == f"{self._table}.{column}")
            and (kind is None or hit["kind"] == kind)
        ]
        bare = Counter(hit["column"] for hit in self._hits if hit["bare"])
        random = {
            name
            for name, number in bare.items()
            if number < self._alike[name.removeprefix(f"{self._table}.")]
        }
        self.numbers = sum(bare[name] for name in random)
        return [
            {key: value for key, value in hit.items() if key != "bare"}
            for hit in wanted
            if not (hit["bare"] and hit["column"] in random)
        ]


def _unlike_cards(text: str) -> int:
    """How many bare numbers of a text have the look of a card's and not its check digit."""
    found = re.findall(rf"(?<![0-9A-Za-z.+/=_-]){CARD}(?![0-9A-Za-z/=_])", text[:10_000])
    return sum(digits.isdigit() and card_like(digits) and not luhn(digits) for digits in found)
