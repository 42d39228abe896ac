"""What a person says of the target, where nothing can be measured."""

from __future__ import annotations

from datetime import date

from .section import Section


class Declaration(Section):
    """A statement with who made it and when; without ``valid_until`` it is believed for a year."""

    statement: str
    holds: bool = True  # false: it is known not to be so
    by: str
    stated: date
    valid_until: date | None = None
    reference: str | None = None  # a document, a ticket
