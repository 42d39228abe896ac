"""Where a probe can go: every query, path and body parameter of the API's operations."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from ..target import Http
from .client import excluded, hazardous
from .examples import Schema, example_of, invented_like, resolve
from .openapi import BODY_TYPES, Api, Operation

TYPED = ("integer", "number", "boolean")  # what a framework refuses anything else for
SESSION = re.compile(r"log-?out|sign-?out|revoke|register|sign-?up|password|token|refresh", re.I)
MOST_FIELDS = 12  # of one body


@dataclass(frozen=True)
class Point:
    """One parameter of one operation, with the value that is usual for it."""

    operation: Operation
    where: str  # query, path or body
    name: str
    value: str
    typed: bool  # the document says that it is a number, a date, one of a list

    @property
    def number(self) -> bool:
        return self.value.lstrip("-").isdecimal()


def points(api: Api, http: Http) -> Iterator[Point]:
    """Every point that may be probed, those of reading operations and of free text first."""
    found = [p for o in api.operations if may_probe(o, http) for p in _of(api, http, o)]
    yield from sorted(found, key=lambda p: (not p.operation.safe, p.typed))


def may_probe(operation: Operation, http: Http) -> bool:
    """Whether an operation is probed: not what removes, ends a session, or must not be called."""
    if operation.method in ("DELETE", "HEAD", "OPTIONS"):
        return False
    if any(excluded(one, http.never_call) for one in (operation.name, operation.shape)):
        return False
    if http.probing.operations:
        return operation.name in http.probing.operations
    if hazardous(operation.name):
        return False
    return operation.safe or not SESSION.search(operation.template) or is_login(operation)


def is_login(operation: Operation) -> bool:
    """Whether an operation is a login, by the words of its path."""
    return re.search(r"log-?in|sign-?in", operation.template, re.I) is not None


def _of(api: Api, http: Http, operation: Operation) -> Iterator[Point]:
    for parameter in operation.parameters:
        where, name = str(parameter.get("in")), str(parameter["name"])
        if where not in ("query", "path"):
            continue
        schema = resolve(api.document, parameter.get("schema", parameter))
        value = _usual(api, http, operation, parameter)
        yield Point(operation, where, name, value, _is_typed(api, schema))
    declared = {str(p["name"]) for p in operation.parameters if p.get("in") == "path"}
    for name in re.findall(r"\{([^/}]*)\}", operation.template):
        if name not in declared:
            value = _usual(api, http, operation, _undeclared(name))
            yield Point(operation, "path", name, value, False)
    if operation.body_type in BODY_TYPES[:2]:
        properties = _properties(api, operation)
        for name, schema in list(properties.items())[:MOST_FIELDS]:
            shape = resolve(api.document, schema)
            if shape.get("type") in ("object", "array") or "$ref" in shape:
                continue
            value = http.examples.get(name, example_of(api.document, schema))
            yield Point(operation, "body", name, _text(value), _is_typed(api, shape))


def _usual(api: Api, http: Http, operation: Operation, parameter: Schema) -> str:
    """The usual value of a parameter in query or path.

    Examples name things that exist, so only reading uses them in a path: a PATCH that takes them
    would change somebody's object.
    """
    schema = resolve(api.document, parameter.get("schema", parameter))
    given = parameter.get("example", schema.get("example"))
    value = http.examples.get(str(parameter["name"]), given)
    if parameter.get("in") == "path" and not operation.safe:
        return invented_like(api.document, schema, value)
    if value is None:
        value = example_of(api.document, schema)
    return _text(value)


def _undeclared(name: str) -> Schema:
    """A parameter of the path that the document does not describe."""
    return {"name": name, "in": "path", "example": "1"}


def _properties(api: Api, operation: Operation) -> Mapping[str, Any]:
    found = resolve(api.document, operation.body_schema).get("properties")
    return found if isinstance(found, Mapping) else {}


def _is_typed(api: Api, schema: Schema) -> bool:
    options = [schema, *(resolve(api.document, o) for o in schema.get("anyOf", []))]
    kinds = [o.get("type") for o in options if o.get("type") not in (None, "null")]
    formats = ("uuid", "date", "date-time", "email", "ipv4", "ipv6")
    closed = any(o.get("enum") or o.get("format") in formats for o in options)
    return closed or (bool(kinds) and all(kind in TYPED for kind in kinds))


def _text(value: Any) -> str:
    return "readiness" if value in (None, "") else str(value)


@dataclass(frozen=True)
class Sending:
    """A request with a value in the place of a point: what ``Client.send`` is given."""

    method: str
    path: str
    operation: str
    json: Any = None
    form: dict[str, str] | None = None


def sending(api: Api, http: Http, point: Point, value: str) -> Sending:
    """The request that carries ``value`` at ``point``, and the usual value everywhere else."""
    operation = point.operation
    query: dict[str, str] = {}
    filled: dict[str, str] = {}
    for parameter in operation.parameters:
        where, name = str(parameter.get("in")), str(parameter["name"])
        if where == "path":
            filled[name] = _usual(api, http, operation, parameter)
        elif where == "query" and parameter.get("required") is True:
            query[name] = _usual(api, http, operation, parameter)
    if point.where == "query":
        query[point.name] = value
    if point.where == "path":
        filled[point.name] = value
    path = re.sub(
        r"\{([^/}]*)\}",
        lambda m: quote(
            filled.get(m[1]) or _usual(api, http, operation, _undeclared(m[1])), safe=""
        ),
        operation.template,
    )
    path += f"?{urlencode(query)}" if query else ""
    if operation.safe:
        return Sending(operation.method, path, operation.name)
    body = example_of(api.document, operation.body_schema) if operation.body_type else {}
    body = copy.deepcopy(body) if isinstance(body, dict) else {}
    body |= {name: v for name, v in http.examples.items() if name in body}
    if point.where == "body":
        body[point.name] = value
    if operation.body_type == BODY_TYPES[1]:
        form = {name: str(v) for name, v in body.items()}
        return Sending(operation.method, path, operation.name, form=form)
    return Sending(operation.method, path, operation.name, json=body)
