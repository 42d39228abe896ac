"""What a document is made of: a few blocks, written once and rendered as HTML, Markdown or text.

The assessment says the same thing in every format because there is only one of it. Strings are
always data: renderers escape them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..finding import Status

Tone = Literal["good", "caution", "bad", "unknown", "none"]
SHAPES: dict[Tone, str] = {"good": "●", "caution": "▲", "bad": "■", "unknown": "○", "none": "–"}
_TONES: dict[str, Tone] = {
    "PASS": "good",
    "FAIL": "bad",
    "NOT_MEASURED": "unknown",
    "NOT_APPLICABLE": "none",
    "ERROR": "bad",
    "GREEN": "good",
    "YELLOW": "caution",
    "RED": "bad",
    "GO": "good",
    "GO*": "caution",
    "CONDITIONAL GO": "caution",
    "NO-GO": "bad",
}


@dataclass(frozen=True)
class Code:
    """An identifier, a path, a digest: set in the fixed-width face."""

    text: str


@dataclass(frozen=True)
class Strong:
    text: str


@dataclass(frozen=True)
class Quiet:
    """What is said aside."""

    text: str


@dataclass(frozen=True)
class Link:
    text: str
    href: str


@dataclass(frozen=True)
class Mark:
    """A state: a shape and a word first, then a colour."""

    tone: Tone
    word: str

    @property
    def shape(self) -> str:
        return "✕" if self.word == "ERROR" else SHAPES[self.tone]

    def __str__(self) -> str:
        return f"{self.shape} {self.word}"

    @classmethod
    def of(cls, state: str) -> Mark:
        """The mark of a status, a colour, a verdict or a cell of the matrix."""
        return cls(_TONES.get(state, "unknown"), state.replace("_", " "))

    @classmethod
    def status(cls, status: Status) -> Mark:
        return cls.of(status.value)

    verdict = of


Piece: TypeAlias = "str | int | float | Code | Strong | Quiet | Link | Mark"
Text: TypeAlias = "Piece | Sequence[Piece]"
Head: TypeAlias = "str | Column"


@dataclass(frozen=True)
class Heading:
    level: int
    text: Text
    anchor: str = ""


@dataclass(frozen=True)
class Paragraph:
    text: Text
    kind: str = ""  # a class of the style sheet: lead, note, ...


@dataclass(frozen=True)
class Bullets:
    items: Sequence[Text]
    ordered: bool = False


@dataclass(frozen=True)
class Column:
    """A column's title, with the unit; numbers are set to the right."""

    title: str
    number: bool = False


@dataclass(frozen=True)
class Table:
    columns: Sequence[Head]
    rows: Sequence[Sequence[Text]]
    caption: str = ""
    row_header: int | None = None
    kind: str = ""
    note: str = ""  # beneath it: how many rows were left out, what a sign means

    def heads(self) -> list[Column]:
        return [c if isinstance(c, Column) else Column(c) for c in self.columns]


@dataclass(frozen=True)
class Facts:
    """Names and what they are, one a line."""

    pairs: Sequence[tuple[str, Text]]


@dataclass(frozen=True)
class Fold:
    """What proves a statement: folded until asked for, open on paper."""

    summary: Text
    body: Sequence[Block]
    anchor: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Section:
    """Blocks that belong together, of one kind."""

    kind: str
    body: Sequence[Block]


Block: TypeAlias = "Heading | Paragraph | Bullets | Table | Facts | Fold | Section"


def pieces(text: Text) -> list[Piece]:
    return list(text) if isinstance(text, Sequence) and not isinstance(text, str) else [text]


def prose(text: str) -> list[Piece]:
    """Text of this tool's own, in which `backticks` set an identifier apart."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one backtick too many: as it stands
        return [text]
    return [Code(part) if n % 2 else part for n, part in enumerate(parts) if part]


def number(given: float, digits: int = 0) -> str:
    """A number as it is set in a table: thousands apart, so many digits after the point."""
    return f"{given:,.{digits}f}"
