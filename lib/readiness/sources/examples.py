"""A plausible value for a JSON schema: the least that its document would accept.

Values are invented: an identifier made here belongs to nothing that exists.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

DEEPEST = 8  # levels of nesting; a schema may contain itself
MOST_ITEMS = 5
UNUSED_NUMBER = 2_000_000_000  # fits 32 bits, and no sequence is there yet
FORMATS = {
    "date": "2001-02-03",
    "date-time": "2001-02-03T04:05:06Z",
    "time": "04:05:06Z",
    "duration": "PT1H",
    "email": "nobody@readiness.invalid",
    "hostname": "readiness.invalid",
    "uri": "https://readiness.invalid/",
    "url": "https://readiness.invalid/",
    "ipv4": "192.0.2.1",  # reserved for documentation, as are the next two
    "ipv6": "2001:db8::1",
    "byte": "cmVhZGluZXNz",
    "binary": "readiness",
}

Schema = Mapping[str, Any]


def resolve(document: Schema, node: Any) -> Schema:
    """A part of the document with its reference followed; what leads nowhere is empty."""
    for _ in range(DEEPEST):
        if not isinstance(node, Mapping):
            return {}
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return node
        target: Any = document
        for key in reference.removeprefix("#/").split("/"):
            key = key.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, Mapping) else None
        node = target if reference.startswith("#/") else None
    return {}


def example_of(document: Schema, node: Any, depth: int = 0) -> Any:
    """The smallest value that the schema asks for."""
    schema = resolve(document, node)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if depth > DEEPEST:
        return None
    parts = [p for p in schema.get("allOf", []) if isinstance(p, Mapping)]
    if parts:
        values = [example_of(document, p, depth + 1) for p in [*parts, _without(schema, "allOf")]]
        objects = [v for v in values if isinstance(v, dict)]
        return {k: v for o in objects for k, v in o.items()} if objects else values[0]
    for key in ("oneOf", "anyOf"):
        for option in schema.get(key, []):
            if resolve(document, option).get("type") != "null":
                return example_of(document, option, depth + 1)
    return _of_type(document, schema, depth)


def _without(schema: Schema, key: str) -> Schema:
    return {k: v for k, v in schema.items() if k != key}


def _of_type(document: Schema, schema: Schema, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if kind is None and "properties" in schema:
        kind = "object"
    if kind == "object":
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        wanted = [name for name in schema.get("required", []) if isinstance(name, str)]
        return {n: example_of(document, properties.get(n, {}), depth + 1) for n in wanted}
    if kind == "array":
        count = min(_number(schema.get("minItems"), 0), MOST_ITEMS)
        return [example_of(document, schema.get("items", {}), depth + 1) for _ in range(int(count))]
    if kind in ("integer", "number"):
        return _a_number(schema, kind)
    if kind == "boolean":
        return False
    if kind == "null":
        return None
    return _a_text(schema)


def _a_number(schema: Schema, kind: str) -> float:
    step = _number(schema.get("multipleOf"), 1) or 1
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    if above is True:  # as OpenAPI 3.0 writes it
        above, least = least, None
    if _is_number(above):
        value = _number(above, 0) + step
    elif _is_number(least):
        value = _number(least, 0)
    else:
        value = min(step, _number(schema.get("maximum"), step))
    value = -(-value // step) * step
    return int(value) if kind == "integer" else value


def _a_text(schema: Schema) -> str:
    known = FORMATS.get(str(schema.get("format")))
    if schema.get("format") == "uuid":
        known = str(uuid4())
    if known is None and "pattern" in schema:  # only its author knows what it accepts
        given = [schema.get("example"), schema.get("default"), *_list(schema.get("examples"))]
        known = next((value for value in given if isinstance(value, str)), None)
    text = known or "readiness"
    shortest = min(int(_number(schema.get("minLength"), 0)), 10_000)
    longest = int(_number(schema.get("maxLength"), 10_000))
    return (text if known else text.ljust(shortest, "x"))[: max(longest, 0)]


def invented_like(document: Schema, schema: Schema, example: Any) -> str:
    """An identifier of the kind that the schema, or else an example, shows; nobody has it."""
    schema = resolve(document, schema)
    kind = str(schema.get("type", ""))
    if schema.get("enum") or "const" in schema:
        return str(example_of(document, schema))
    if kind == "integer" or isinstance(example, int) or str(example).isdecimal():
        most = _number(schema.get("maximum"), UNUSED_NUMBER + 100_000_000)
        return str(int(min(most, UNUSED_NUMBER + secrets.randbelow(100_000_000))))
    if schema.get("format") == "uuid" or _is_uuid(example):
        return str(uuid4())
    if kind == "string" and ("pattern" in schema or schema.get("format") in FORMATS):
        return str(_a_text(schema))
    longest = int(_number(schema.get("maxLength"), 26))
    return f"readiness-{secrets.token_hex(8)}"[: max(longest, 1)]


def _is_uuid(value: Any) -> bool:
    try:
        return bool(UUID(str(value)))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any, otherwise: float) -> float:
    return value if _is_number(value) else otherwise


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
