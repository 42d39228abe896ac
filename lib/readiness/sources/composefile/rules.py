"""What Compose would refuse: the specification's JSON schema, and what no schema can see."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError

from .ports import parse_port
from .reading import Project
from .variables import UNRESOLVED, Filled

SCHEMA = Path(__file__).with_name("compose-spec.schema.json")
SCHEMA_VERSION = "as shipped in check-jsonschema 0.39.0"
DURATION = re.compile(r"0|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d|w))+")
TIMES = ("interval", "timeout", "start_period", "start_interval")
SHAPES = {"object": "a mapping", "array": "a list", "string": "a text", "null": "nothing"}


def refuse_what_compose_would(project: Project) -> None:
    """Add to ``project.problems`` what is wrong in each file and in all of them together."""
    for file, document in project.documents:
        for where, problem in schema_problems(document):
            project.refuse(file, where, problem)
    files = " + ".join(dict.fromkeys(file for file, _ in project.documents))
    for where, problem in consistency_problems(project):
        project.refuse(files, where, problem)


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def schema_problems(document: dict[str, Any]) -> list[tuple[str, str]]:
    """Where a file breaks the schema, and how; never with a value, which may be a secret."""
    found: dict[tuple[str, str], None] = {}
    for error in _validator().iter_errors(document):
        for leaf in _leaves(error):
            if not _left_open(leaf) and (said := _said(leaf)):
                found[".".join(map(str, leaf.absolute_path)), said] = None
    return list(found)


def _leaves(error: ValidationError) -> Iterator[ValidationError]:
    """The errors at the bottom; of alternatives, those of the one that was meant."""
    if not error.context:
        yield error
        return
    branches: dict[Any, list[ValidationError]] = {}
    for one in error.context:
        branches.setdefault(one.schema_path[0], []).append(one)
    of_another_shape = [
        key
        for key, errors in branches.items()
        if any(e.validator == "type" and not e.path for e in errors)
    ]
    meant = [errors for key, errors in branches.items() if key not in of_another_shape]
    if not meant:
        yield error
        return
    for one in min(meant, key=len):
        yield from _leaves(one)


def _left_open(error: ValidationError) -> bool:
    """Whether a variable decides: Compose casts its value, or has none yet."""
    value = error.instance
    return isinstance(value, Filled) or (isinstance(value, str) and bool(UNRESOLVED.search(value)))


def _said(error: ValidationError) -> str:
    rule, value, schema = error.validator, cast("Any", error.validator_value), error.schema
    if rule in ("additionalProperties", "unevaluatedProperties"):
        # One bad value makes the library call its neighbours unevaluated too: ask the schema.
        given = [str(key) for key in cast("dict[str, Any]", error.instance)]
        unknown = sorted(key for key in given if not _known(cast("Any", schema), key))
        return f"unknown key: {', '.join(unknown)}" if unknown else ""
    if rule == "type":
        return f"must be {_shape(value)}"
    if rule in ("oneOf", "anyOf"):
        types = [str(s["type"]) for s in value if isinstance(s.get("type"), str)]
        return f"must be {' or '.join(SHAPES.get(t, t) for t in types) or 'of another form'}"
    if rule == "enum":
        return f"must be one of {', '.join(map(str, value))}"
    if rule == "required":
        return f"lacks {', '.join(key for key in value if key not in cast('Any', error.instance))}"
    return {"uniqueItems": "says the same twice"}.get(str(rule), f"breaks the rule {rule}")


def _shape(types: Any) -> str:
    return " or ".join(SHAPES.get(t, t) for t in ([types] if isinstance(types, str) else types))


def _known(schema: Mapping[str, Any], key: str) -> bool:
    """Whether a key is one of a schema's, looking through its references and parts."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        if _known(cast("Any", _validator().schema)["$defs"][name], key):
            return True
    if key in schema.get("properties", {}):
        return True
    if any(re.search(pattern, key) for pattern in schema.get("patternProperties", {})):
        return True
    return any(_known(part, key) for part in schema.get("allOf", []))


def consistency_problems(project: Project) -> Iterator[tuple[str, str]]:
    """References that lead nowhere, circles, and services that nothing can be started from."""
    services = project.section("services")
    if not services and not project.unread and not project.problems:
        yield "services", "no service is defined"
    for name, service in services.items():
        where = f"services.{name}"
        if not any(service.get(key) for key in ("image", "build", "provider")):
            yield where, "neither image nor build"
        if service.get("network_mode") and service.get("networks"):
            yield where, "network_mode and networks exclude each other"
        for kind, wanted in _references(service):
            defined = project.section(kind)
            if wanted not in defined and not (kind == "networks" and wanted == "default"):
                yield where, f"refers to {kind[:-1]} {wanted}, which is not defined"
        for needed in waits_for(service):
            other = services.get(needed["service"])
            if other is None and needed["required"]:
                yield where, f"depends on {needed['service']}, which is not defined"
            elif other and needed["required"] and _hidden_from(other, service):
                profile = ", ".join(map(str, other["profiles"]))
                yield where, f"depends on {needed['service']}, which only profile {profile} starts"
        yield from _bad_values(where, service)
    for circle in _circles(services):
        yield f"services.{circle[0]}", f"depends on itself: {' → '.join([*circle, circle[0]])}"
    taken: dict[str, str] = {}
    for name, service in services.items():
        called = service.get("container_name")
        if isinstance(called, str) and taken.setdefault(called, name) != name:
            yield f"services.{name}", f"container_name {called} is also that of {taken[called]}"
    for name, secret in project.section("secrets").items():
        if not isinstance(secret, dict) or not {"file", "environment", "external", "driver"} & set(
            secret
        ):
            yield f"secrets.{name}", "neither file, environment nor external"


def waits_for(service: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The services that must be there before this one, each with the condition waited for."""
    given = service.get("depends_on") or {}
    if isinstance(given, list):
        given = {str(name): {} for name in given}
    if not isinstance(given, dict):
        return []
    found = []
    for name, said in given.items():
        said = said if isinstance(said, dict) else {}
        condition = str(said.get("condition") or "service_started")
        required = str(said.get("required", True)).lower() != "false"
        found.append({"service": str(name), "condition": condition, "required": required})
    return found


def _references(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Everything of the project that a service refers to by name, except depends_on."""
    for kind in ("networks", "secrets", "configs", "models"):
        for entry in service.get(kind) or []:
            name = entry.get("source") if isinstance(entry, dict) else entry
            if isinstance(name, str) and not UNRESOLVED.search(name):
                yield kind, name
    for entry in service.get("volumes") or []:
        if isinstance(entry, dict):
            name = entry.get("source") if entry.get("type") == "volume" else None
        else:
            name, _, target = str(entry).partition(":")
            name = name if target else None
        if isinstance(name, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]+", name):
            yield "volumes", name
    for key in ("network_mode", "ipc", "pid"):
        if str(service.get(key, "")).startswith("service:"):
            yield "services", str(service[key]).removeprefix("service:")
    for key in ("links", "volumes_from"):
        for entry in service.get(key) or []:
            if not str(entry).startswith("container:"):
                yield "services", str(entry).split(":")[0]


def _hidden_from(other: Mapping[str, Any], service: Mapping[str, Any]) -> bool:
    """Whether ``other`` only starts with a profile that does not come with ``service``."""
    theirs = set(map(str, other.get("profiles") or []))
    own = set(map(str, service.get("profiles") or []))
    return bool(theirs) and not (own and own <= theirs)


def _bad_values(where: str, service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Values whose form the schema leaves open."""
    for number, entry in enumerate(service.get("ports") or []):
        try:
            parse_port(entry)
        except ValueError as broke:
            yield f"{where}.ports.{number}", str(broke)
    health = service.get("healthcheck") or {}
    for key in TIMES:
        value = health.get(key)
        if not isinstance(value, str) or UNRESOLVED.search(value):
            continue
        if not DURATION.fullmatch(value):
            yield f"{where}.healthcheck.{key}", "not a duration, like 10s or 1m30s"


def _circles(services: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Circles in the dependencies, each once, from its first service by name."""
    needs = {
        name: sorted(
            {n["service"] for n in waits_for(service)}
            | {wanted for kind, wanted in _references(service) if kind == "services"}
        )
        for name, service in services.items()
    }
    found: dict[tuple[str, ...], None] = {}
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        if name in path:
            circle = path[path.index(name) :]
            first = circle.index(min(circle))
            found[tuple(circle[first:] + circle[:first])] = None
        elif name in needs and name not in done:
            for other in needs[name]:
                walk(other, [*path, name])
            done.add(name)

    for name in sorted(needs):
        walk(name, [])
    return [list(circle) for circle in found]
