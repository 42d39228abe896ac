"""What may stand in clear, and where copies of what is written may turn up."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..variables import Deferred
from .section import Section

KindName = Literal[
    "private key (WIF)",
    "extended private key",
    "seed phrase (BIP-39)",
    "private key (PEM)",
    "credential of a provider",
    "password in a URL",
    "JSON Web Token",
    "card number",
    "e-mail address",
    "phone number",
    "field named like a sensitive column",
]
ColumnPattern = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+){1,2}$")]


class Plaintext(Section):
    """A declaration of what stands in clear on purpose: ``users.email: [e-mail address]``.

    What is declared is not looked for in that column, and the finding says so. ``logs`` and
    ``backups`` are files with * and ?; those that were written to after a canary was sent are
    searched for it.
    """

    allowed: dict[ColumnPattern, list[KindName]] = {}  # [schema.]table.column, with * and ?
    logs: list[Deferred] = []
    backups: list[Deferred] = []  # also gzipped, and pg_dump's own format
