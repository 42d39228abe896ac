"""Secrets and other values that parameters name by variable: looked up at the moment of use.

A params file never holds a secret, it names one: ``${NAME}``. A secret that was looked up is
remembered, so that it can be cut out of anything the audit writes.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import PydanticCustomError, core_schema

VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

SHORTEST_SECRET = 6  # characters; cutting out anything shorter would cut up ordinary text

_secrets: dict[str, str] = {}  # value -> the name it is replaced by


def keep_secret(value: str, name: str) -> str:
    """Remember a secret value, so that ``redact`` replaces it by ``name``; returns the value."""
    if len(value) >= SHORTEST_SECRET:
        _secrets[value] = name
    return value


def redact(text: str) -> str:
    """``text`` without any secret known to this process, in whatever way it was written down."""
    for value, name in sorted(_secrets.items(), key=lambda item: -len(item[0])):
        for form in _written(value):
            text = text.replace(form, f"[{name}]")
    return text


@cache
def _written(value: str) -> tuple[str, ...]:
    """The forms in which a value may stand in a file, longest first.

    As it is, in a URL, in base64, and quoted as JSON or Python quote it, up to JSON within JSON:
    what a notebook's cell printed as JSON or as a dict.
    """
    forms = {value, quote(value, safe=""), quote_plus(value)}
    forms.add(base64.b64encode(value.encode()).decode().rstrip("="))
    for _ in range(2):
        forms |= {json.dumps(form, ensure_ascii=a)[1:-1] for form in forms for a in (True, False)}
        forms |= {repr(form)[1:-1] for form in forms}
    return tuple(sorted(forms, key=len, reverse=True))


class Deferred:
    """A text that may name variables, ``${NAME}/path``, looked up when it is used."""

    secret = False

    def __init__(self, template: str, variables: Mapping[str, str] | None) -> None:
        self.template = template
        self._variables = variables

    def names(self) -> list[str]:
        return VARIABLE.findall(self.template)

    def missing(self) -> list[str]:
        """The variables that are not set."""
        return [n for n in self.names() if n not in self._environment()]

    def _environment(self) -> Mapping[str, str]:
        return os.environ if self._variables is None else self._variables

    def value(self) -> str:
        """The text with its variables filled in; a secret is remembered for redaction."""
        filled = VARIABLE.sub(lambda m: self._environment()[m.group(1)], self.template)
        if self.secret:
            label = self.template if self.names() else "secret"
            for name in self.names():
                keep_secret(self._environment()[name], f"${{{name}}}")
            keep_secret(filled, label)
            if "://" in filled and (password := _password(filled)):
                for form in (password, unquote(password)):
                    keep_secret(form, f"password of {label}")
        return filled

    def __repr__(self) -> str:
        return self.template

    __str__ = __repr__

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> Deferred:
        if isinstance(value, Deferred):
            return value
        if not isinstance(value, str) or not value:
            raise PydanticCustomError("text", "must be a text, e.g. ${NAME}")
        context = info.context or {}
        made = cls(value, context.get("variables"))
        if cls.secret and not made.names() and not context.get("specimen"):
            raise PydanticCustomError(
                "literal_secret",
                "must name a variable, like ${NAME}: a secret written here would be copied "
                "into every notebook",
            )
        if not cls.secret and "://" in value and _password(VARIABLE.sub("x", value)):
            raise PydanticCustomError("literal_secret", "holds a password: use ${NAME}")
        for name in made.missing():
            raise PydanticCustomError("unset", "the variable {name} is not set", {"name": name})
        return made


class Secret(Deferred):
    """A deferred text whose value must never be written anywhere."""

    secret = True


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
