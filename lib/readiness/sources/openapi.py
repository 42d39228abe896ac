"""The service's OpenAPI document: which operations there are, and how each is asked for.

The document comes from the service, from a file of its repository, or, where there is neither,
from the list of operations in the parameters. It is the target's own text: what it says is used to
ask and never believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

import yaml

from ..documents import ROOT
from ..finding import NotMeasured, Reason
from ..target import Http, Target, need
from .client import Client
from .examples import Schema, example_of, invented_like, resolve

METHODS = ("get", "head", "options", "post", "put", "patch", "delete")
SAFE = ("GET", "HEAD", "OPTIONS")
LARGEST_FILE = 20_000_000  # bytes
BODY_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True)
class Operation:
    """One operation of the document; ``template`` is its path, parameters in braces."""

    method: str
    template: str
    parameters: list[Schema] = field(default_factory=list)
    body_type: str | None = None
    body_schema: Schema = field(default_factory=dict)
    secured: bool | None = None  # whether the document asks for credentials; None: it says nothing
    scopes: list[list[str]] = field(default_factory=list)  # any of these sets of scopes will do

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def safe(self) -> bool:
        return self.method in SAFE

    @property
    def shape(self) -> str:
        """The operation whatever its parameters are called and whether a slash ends it."""
        return shape(self.name)


@dataclass(frozen=True)
class Api:
    """The operations of a service and where they were read."""

    operations: list[Operation]
    read_from: str
    served: bool  # by the service itself
    document: Schema
    left_out: list[str]  # what stood in the document and cannot be asked for


def shape(operation: str) -> str:
    return re.sub(r"\{[^/}]*\}", "{}", operation).rstrip("/")


def read_api(target: Target, client: Client) -> Api:
    """Read the operations; raises NotMeasured when there is nothing to read them from."""
    http = need(target.http, "target.http")
    parts = [operation.split(" ", 1) for operation in http.operations]
    listed = [Operation(method, path) for method, path in parts]
    if http.openapi is None:
        need(http.operations or None, "target.http.openapi (or target.http.operations)")
        return Api(listed, "target.http.operations", False, {}, [])
    served = http.openapi.startswith("/")
    text = _from_service(client, http.openapi) if served else _from_file(target, http.openapi)
    document = _parsed(text, http.openapi)
    left_out: list[str] = []
    operations = list(_operations(document, http, left_out))
    if not operations:
        raise NotMeasured(Reason.NO_SAMPLES, f"{http.openapi} holds no operation")
    known = {operation.shape for operation in operations}
    operations += [operation for operation in listed if operation.shape not in known]
    return Api(operations, http.openapi, served, document, left_out)


def _from_service(client: Client, path: str) -> str:
    exchange = client.send("GET", path)
    authentication = client.http.authentication
    if exchange.status in (301, 302, 303, 307, 401, 403, 404) and authentication:
        exchange = client.send("GET", path, headers=client.credentials(authentication.token_role))
    if exchange.status != 200:
        raise NotMeasured(
            Reason.UNREACHABLE,
            f"{path} answered {exchange.status or exchange.error}; name the document's file in the "
            "repository as target.http.openapi, or list target.http.operations",
        )
    if len(exchange.body) >= client.http.max_body_bytes:
        raise NotMeasured(
            Reason.INCONCLUSIVE, f"{path} is larger than target.http.max_body_bytes: raise it"
        )
    return exchange.text


def _from_file(target: Target, name: str) -> str:
    path = (target.repository.folder if target.repository else ROOT) / name
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise NotMeasured(Reason.INCONCLUSIVE, f"{name} is larger than {LARGEST_FILE} bytes")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broke:
        raise NotMeasured(Reason.NO_PARAMETER, f"target.http.openapi: {name}: {broke}") from None


def _parsed(text: str, name: str) -> Schema:
    document: Any = None
    try:
        if text.lstrip().startswith("{"):
            document = json.loads(text)
        elif re.search(r"^(openapi|swagger|paths)\s*:", text, re.M):  # YAML takes its time
            document = yaml.safe_load(text)
    except (ValueError, RecursionError, yaml.YAMLError):
        pass
    if not isinstance(document, Mapping) or not isinstance(document.get("paths"), Mapping):
        raise NotMeasured(Reason.INCONCLUSIVE, f"{name} is no OpenAPI document")
    return document


def _prefix(document: Schema, http: Http, *parts: Schema) -> str:
    """What stands before the document's paths, unless base_url ends with it already.

    ``api_base`` of the parameters wins; then the first of ``servers``, which ``parts`` of the
    document may have of their own; then ``basePath``, as Swagger 2.0 writes it.
    """
    if http.api_base is not None:
        return http.api_base
    named = next((part["servers"] for part in (*parts, document) if part.get("servers")), None)
    first = named[0] if isinstance(named, list) else {}
    first = first if isinstance(first, Mapping) else {}
    variables = first.get("variables")
    variables = variables if isinstance(variables, Mapping) else {}
    url = re.sub(
        r"\{([^}]*)\}",
        lambda m: str((variables.get(m[1]) or {}).get("default", m[0])),
        str(first.get("url", "")),
    )
    served_at = http.openapi if (http.openapi or "").startswith("/") else "/"
    prefix = urlsplit(urljoin(str(served_at), url)).path if url else ""
    prefix = (prefix or str(document.get("basePath", ""))).rstrip("/")
    known = urlsplit(http.base_url.value()).path.rstrip("/")
    return "" if "{" in prefix or known.endswith(prefix) else prefix


def _operations(document: Schema, http: Http, left_out: list[str]) -> Iterator[Operation]:
    for path, raw in document["paths"].items():
        item = resolve(document, raw)
        for method in METHODS:
            if not isinstance(item.get(method), Mapping):
                continue
            template = _prefix(document, http, item[method], item) + str(path)
            if not re.fullmatch(r"/(?!/)[^\x00-\x20\x7f?#]*", template):
                left_out.append(f"{method.upper()} {template[:80]!r}")
                continue
            yield _operation(document, method.upper(), template, item, item[method])


def _operation(
    document: Schema, method: str, template: str, item: Schema, raw: Schema
) -> Operation:
    given = [*_list(item.get("parameters")), *_list(raw.get("parameters"))]
    parameters = [p for p in (resolve(document, one) for one in given) if "name" in p]
    content = resolve(document, raw.get("requestBody")).get("content")
    content = content if isinstance(content, Mapping) else {}
    known = [t for t in BODY_TYPES if any(str(name).split(";")[0] == t for name in content)]
    body_type = known[0] if known else next(iter(map(str, content)), None)
    media: Any = next((m for n, m in content.items() if str(n).split(";")[0] == body_type), {})
    schema = resolve(document, media).get("schema") if isinstance(media, Mapping) else None
    swagger = [p for p in parameters if p.get("in") == "body"]  # as Swagger 2.0 writes it
    if swagger:
        body_type, schema = BODY_TYPES[0], swagger[0].get("schema")
    security = raw.get("security", document.get("security"))
    secured = bool(security) and {} not in security if isinstance(security, list) else None
    schema = schema if isinstance(schema, Mapping) else {}
    scopes = [_scopes(one) for one in _list(security)] if secured else []
    return Operation(method, template, parameters, body_type, schema, secured, scopes)


def _scopes(requirement: Any) -> list[str]:
    """The scopes that one security requirement asks for, of all its schemes."""
    found = requirement.values() if isinstance(requirement, Mapping) else []
    return sorted({str(scope) for scopes in found for scope in _list(scopes)})


def path_of(api: Api, operation: Operation, examples: Mapping[str, Any]) -> str:
    """The operation's path with its parameters, and the query it requires, filled in.

    ``examples`` name things that exist, so only reading uses them; whatever could change or remove
    something is asked for with an identifier that nobody has.
    """

    def value(name: str, schema: Any) -> str:
        example = examples.get(name)
        if operation.safe and example is not None:
            return str(example)
        return invented_like(api.document, schema if isinstance(schema, Mapping) else {}, example)

    schemas = {(str(p.get("in")), str(p["name"])): p.get("schema", p) for p in operation.parameters}
    path = re.sub(
        r"\{([^/}]*)\}",
        lambda m: quote(value(m[1], schemas.get(("path", m[1]), {})), safe=""),
        operation.template,
    )
    query = {
        str(p["name"]): value(str(p["name"]), p.get("schema", p))
        for p in operation.parameters
        if p.get("in") == "query" and p.get("required") is True
    }
    return f"{path}?{urlencode(query)}" if query else path


def body_of(api: Api, operation: Operation, filled: bool) -> dict[str, Any]:
    """What ``Client.send`` needs to send the operation's body: empty, or as its schema asks."""
    if operation.safe:
        return {}
    value = example_of(api.document, operation.body_schema) if filled else {}
    if operation.body_type in (None, *BODY_TYPES[:1]):
        return {"json": value if value is not None else {}}
    fields = {k: str(v) for k, v in value.items()} if isinstance(value, dict) else {}
    if operation.body_type == BODY_TYPES[1]:
        return {"form": fields}
    if operation.body_type == BODY_TYPES[2]:
        edge = "readiness-7d1c5b0a"
        parts = [
            f'--{edge}\r\nContent-Disposition: form-data; name="{quote(k)}"\r\n\r\n{v}\r\n'
            for k, v in fields.items()
        ]
        content = "".join([*parts, f"--{edge}--\r\n"]).encode()
        return {
            "content": content,
            "headers": {"Content-Type": f"{BODY_TYPES[2]}; boundary={edge}"},
        }
    return {"content": b"", "headers": {"Content-Type": operation.body_type or ""}}


def wrong_base(http: Http, asked: int, absent: int) -> str:
    """What to say where every operation answers as a path does that is not there; else nothing."""
    if not asked or absent < asked or not http.openapi:
        return ""
    now = "now the document's servers say it" if http.api_base is None else f"now {http.api_base!r}"
    return (
        f"all {asked} operations of {http.openapi} that were asked for answer like a path that "
        f"does not exist: what stands before the document's paths is not right. Set "
        f"target.http.api_base, such as /api ({now})"
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
