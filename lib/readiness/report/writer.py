"""How blocks become text: one walk over them, which each format fills with its own signs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from .blocks import (
    Block,
    Bullets,
    Code,
    Facts,
    Fold,
    Heading,
    Link,
    Mark,
    Paragraph,
    Piece,
    Quiet,
    Section,
    Strong,
    Table,
    Text,
    pieces,
)
from .text import value


class Writer(ABC):
    """Writes blocks in one format. Every string that it is given is data, and is escaped by it."""

    between = "\n"  # blocks

    def write(self, blocks: Sequence[Block]) -> str:
        return self.between.join(text for block in blocks if (text := self._block(block)))

    def inline(self, text: Text) -> str:
        return "".join(self._piece(piece) for piece in pieces(text))

    def _block(self, block: Block) -> str:
        match block:
            case Heading():
                return self.heading(block)
            case Paragraph():
                return self.paragraph(block)
            case Bullets():
                return self.bullets(block)
            case Facts():
                return self.facts(block)
            case Fold():
                return self.fold(block)
            case Section():
                return self.section(block)
            case Table():
                return self.table(block)

    def _piece(self, piece: Piece) -> str:
        match piece:
            case str():
                return self.text(piece)
            case Mark():
                return self.mark(piece)
            case Code(text):
                return self.code(text)
            case Strong(text):
                return self.strong(text)
            case Quiet(text):
                return self.quiet(text)
            case Link(text, href):
                return self.link(text, href)
            case _:
                return self.text(value(piece))

    def paragraph(self, block: Paragraph) -> str:
        return self.inline(block.text)

    def section(self, block: Section) -> str:
        return self.write(block.body)

    def mark(self, mark: Mark) -> str:
        return self.text(str(mark))

    def code(self, text: str) -> str:
        return self.text(text)

    def strong(self, text: str) -> str:
        return self.text(text)

    def quiet(self, text: str) -> str:
        return self.text(text)

    def link(self, text: str, href: str) -> str:
        return self.text(text)

    @abstractmethod
    def text(self, text: str) -> str: ...

    @abstractmethod
    def heading(self, block: Heading) -> str: ...

    @abstractmethod
    def bullets(self, block: Bullets) -> str: ...

    @abstractmethod
    def facts(self, block: Facts) -> str: ...

    @abstractmethod
    def fold(self, block: Fold) -> str: ...

    @abstractmethod
    def table(self, block: Table) -> str: ...
