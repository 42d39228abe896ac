"""Reading an API document that may be large, wrong or hostile, and asking for what it names."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from readiness.check import catalogue
from readiness.finding import NotMeasured, Status
from readiness.loopback import Request, Response, serve
from readiness.parameters import validated
from readiness.sources.client import client
from readiness.sources.examples import example_of, invented_like
from readiness.sources.openapi import Api, Operation, body_of, path_of, read_api
from readiness.target import Repository, Target
from test_http import target_at

SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "string", "minLength": 12, "maxLength": 14},
    {"type": "string", "maxLength": 3},
    {"type": "string", "format": "email"},
    {"type": "string", "pattern": "^[A-Z]{3}$", "examples": [7, "ABC"]},
    {"type": ["null", "integer"], "minimum": 5},
    {"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4},
    {"type": "number", "maximum": -3},
    {"enum": ["a", "b"]},
    {"const": {"a": 1}},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
    {"anyOf": [{"type": "null"}, {"type": "integer"}]},
    {"allOf": [{"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}]},
    {
        "allOf": [{"$ref": "#/components/schemas/Named"}],
        "type": "object",
        "required": ["size"],
        "properties": {"size": {"type": "number"}},
    },
    {"$ref": "#/components/schemas/Named"},
    {"type": "object", "required": ["undescribed"]},
]
DOCUMENT = {
    "components": {
        "schemas": {
            "Named": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": {"type": "string"}},
            },
            "Endless": {
                "type": "object",
                "required": ["next"],
                "properties": {"next": {"$ref": "#/components/schemas/Endless"}},
            },
            "Circle": {"$ref": "#/components/schemas/Circle"},
        }
    }
}


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_an_example_is_what_its_schema_asks_for(schema: dict[str, Any]):
    value = example_of(DOCUMENT, schema)
    Draft202012Validator({**DOCUMENT, **schema}).validate(value)


def test_what_has_no_end_or_leads_nowhere_ends():
    assert json.dumps(example_of(DOCUMENT, {"$ref": "#/components/schemas/Endless"}))
    for nowhere in ("#/components/schemas/Circle", "#/nowhere", "http://example.org/x", 7):
        assert example_of(DOCUMENT, {"$ref": nowhere}) == "readiness"
    for wrong in (None, 7, [], {"type": 7}, {"properties": 3, "type": "object", "required": [1]}):
        json.dumps(example_of(DOCUMENT, wrong))


def test_an_invented_identifier_is_of_the_kind_of_the_example_and_never_the_example():
    assert int(invented_like({}, {"type": "integer"}, 1)) > 1_000_000
    assert int(invented_like({}, {}, "1")) > 1_000_000
    assert int(invented_like({}, {"type": "integer", "maximum": 99}, None)) == 99
    known = "1b4e28ba-2fa1-41d2-883f-0016d3cca427"
    for schema, example in (({"format": "uuid"}, None), ({}, known)):
        made = invented_like({}, schema, example)
        assert re.fullmatch(r"[0-9a-f-]{36}", made)
        assert made != known
    assert invented_like({}, {}, "reader").startswith("readiness-")
    assert invented_like({}, {"enum": ["week", "day"]}, None) == "week"


def test_only_reading_uses_what_exists():
    api = Api([], "", False, {}, [])
    for method, used in (("GET", True), ("DELETE", False), ("POST", False), ("PUT", False)):
        path = path_of(api, Operation(method, "/users/{name}"), {"name": "a/b"})
        assert (path == "/users/a%2Fb") is used


def test_required_queries_are_asked_for_and_bodies_are_empty_first():
    query = [{"name": "q", "in": "query", "required": True}, {"name": "r", "in": "query"}]
    schema = DOCUMENT["components"]["schemas"]["Named"]
    api = Api([], "", False, DOCUMENT, [])
    operation = Operation("POST", "/x", query, "application/json", schema)
    assert re.fullmatch(r"/x\?q=readiness-[0-9a-f]{16}", path_of(api, operation, {}))
    assert body_of(api, operation, filled=False) == {"json": {}}
    assert body_of(api, operation, filled=True) == {"json": {"name": "readiness"}}
    form = Operation("POST", "/x", [], "application/x-www-form-urlencoded", schema)
    assert body_of(api, form, filled=True) == {"form": {"name": "readiness"}}
    upload = body_of(api, Operation("POST", "/x", [], "multipart/form-data", schema), filled=True)
    assert b'name="name"\r\n\r\nreadiness' in upload["content"]
    assert body_of(api, Operation("GET", "/x"), filled=True) == {}


def read(document: Any, path: str = "", **http: Any) -> Api:
    """The API of a service that serves this document, below ``path``."""
    text = document if isinstance(document, str) else json.dumps(document)

    def answer(request: Request) -> Response:
        found = request.path == f"{path}/openapi"
        return Response(200, body=text.encode()) if found else Response(404)

    with serve(answer) as url:
        raw = {"name": "x", "http": {"base_url": url + path, "openapi": "/openapi", **http}}
        target = validated(Target, raw, "test", {}, specimen=True)
        with client(target) as http_client:
            return read_api(target, http_client)


def names(api: Api) -> list[str]:
    return [operation.name for operation in api.operations]


def test_documents_of_all_versions_are_read_with_their_prefix():
    paths = {"/a/{id}": {"get": {}, "parameters": [], "x-note": {}}, "/b": {"delete": {}}}
    assert names(read({"paths": paths})) == ["GET /a/{id}", "DELETE /b"]
    assert names(read({"paths": paths, "basePath": "/v2"})) == ["GET /v2/a/{id}", "DELETE /v2/b"]
    servers = [{"url": "https://elsewhere.example.org/hub/api/"}]
    assert names(read({"paths": paths, "servers": servers}))[0] == "GET /hub/api/a/{id}"
    assert names(read({"paths": paths, "servers": servers}, path="/hub/api"))[0] == "GET /a/{id}"
    assert names(read("openapi: 3.0.0\npaths:\n  /y:\n    post: {}\n")) == ["POST /y"]
    swagger = {"post": {"parameters": [{"in": "body", "name": "b", "schema": {"type": "null"}}]}}
    assert read({"paths": {"/x": swagger}}).operations[0].body_type == "application/json"
    secured = read({"paths": {"/x": {"get": {"security": []}, "put": {}}}, "security": [{"t": []}]})
    assert [operation.secured for operation in secured.operations] == [False, True]


def test_operations_of_the_parameters_are_added_once():
    api = read({"paths": {"/a/{id}": {"get": {}}}}, operations=["GET /a/{other}", "GET /c"])
    assert names(api) == ["GET /a/{id}", "GET /c"]


def test_a_hostile_document_leads_nowhere_else():
    paths = {
        "//evil.example/x": {"get": {}},
        "http://evil.example/": {"get": {}},
        "/a\r\nHost: evil": {"get": {}},
        "relative": {"get": {}},
        "/fine": {"get": {"parameters": [{"name": 7}, "x", {"$ref": "#/paths"}]}, "post": []},
    }
    api = read({"paths": paths})
    assert names(api) == ["GET /fine"]
    assert len(api.left_out) == 4


@pytest.mark.parametrize(
    "text", ["<!doctype html>", "[]", "{", '{"paths": []}', '{"paths": {}}', "a: [", "[" * 9000, ""]
)
def test_what_is_no_document_is_not_measured(text: str):
    with pytest.raises(NotMeasured, match=r"no OpenAPI document|no operation"):
        read(text)


def test_a_document_larger_than_allowed_is_not_half_read():
    with pytest.raises(NotMeasured, match="max_body_bytes"):
        read({"paths": {"/a": {"get": {}}}}, max_body_bytes=20)


def test_a_file_of_the_repository_is_read_and_a_missing_one_is_named(tmp_path: Path):
    (tmp_path / "api.yml").write_text("paths: {/a: {get: {}}}")
    for name, hoped in (("api.yml", ["GET /a"]), ("none.yml", None)):
        raw = {
            "name": "x",
            "http": {"base_url": "http://127.0.0.1:9", "openapi": name},
            "repository": {"path": str(tmp_path)},
        }
        target = validated(Target, raw, "test", {}, specimen=True)
        with client(target) as http_client:
            if hoped:
                assert names(read_api(target, http_client)) == hoped
            else:
                with pytest.raises(NotMeasured, match=r"none\.yml"):
                    read_api(target, http_client)


GONE = b'{"detail":"Not Found"}'


def api_at(prefix: str, document: Any) -> Any:
    """A service whose one operation is below ``prefix``, and asks for credentials."""
    kind = [("Content-Type", "application/json")]

    def answer(request: Request) -> Response:
        if request.path == "/openapi.json":
            return Response(200, kind, json.dumps(document).encode())
        known = request.path.startswith(f"{prefix}/items")
        return Response(401, kind, b"{}") if known else Response(404, kind, GONE)

    return answer


ITEMS = {"/items/{id}": {"get": {"parameters": [{"name": "q", "in": "query"}]}, "put": {}}}


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ([{"url": "/"}], ""),
        ([{"url": "https://api.example.org/v1/"}], "/v1"),
        ([{"url": "v2"}], "/docs/v2"),  # beside the document
        ([{"url": "/{base}", "variables": {"base": {"default": "api"}}}], "/api"),
        ([{"url": "/{base}"}], ""),  # nobody says what it is
        ([7], ""),
        (7, ""),
    ],
)
def test_the_base_path_is_the_one_that_servers_say(servers: Any, expected: str):
    document = {"openapi": "3.1.0", "servers": servers, "paths": ITEMS}
    kind = [("Content-Type", "application/json")]
    content = Response(200, kind, json.dumps(document).encode())
    with serve(lambda request: content) as url:
        target = target_at(url, openapi="/docs/openapi.json")
        with client(target) as http_client:
            found = read_api(target, http_client).operations
    assert {one.template for one in found} == {f"{expected}/items/{{id}}"}


def test_servers_of_one_path_are_its_own():
    item = {**ITEMS["/items/{id}"], "servers": [{"url": "/old"}]}
    document = {"openapi": "3.1.0", "servers": [{"url": "/new"}], "paths": {"/a": item, **ITEMS}}
    with serve(api_at("", document)) as url:
        target = target_at(url, openapi="/openapi.json")
        with client(target) as http_client:
            found = read_api(target, http_client).operations
    assert {one.template for one in found} == {"/old/a", "/new/items/{id}"}


def test_a_wrong_base_path_is_said_and_the_right_one_taken(tmp_path: Path):
    """As with Prefect: the document leaves out what stands before its paths."""
    known = catalogue("security")
    (tmp_path / "app.py").write_text("a = 1\n")
    (tmp_path / "page.html").write_text("<p></p>\n")
    with serve(api_at("/api", {"openapi": "3.1.0", "paths": ITEMS})) as url:
        asked = {"openapi": "/openapi.json", "roles": {"a": {"credential": "abcdefgh"}}}
        asked |= {"permissions": {"allowed": {"GET *": ["a"], "PUT *": ["a"]}}}
        for identifier in ("SEC-AUTHZ-ANON", "SEC-AUTHZ-SCOPES", "SEC-INJECTION", "SEC-XSS"):
            check = known[identifier]
            target = target_at(url, permit=("passive", "active"), **asked)
            target = target.model_copy(update={"repository": Repository(path=str(tmp_path))})
            said = check.assess([source(target) for source in check.sources], check.criteria())
            assert said.status is Status.NOT_MEASURED
            assert "target.http.api_base" in said.observed
        check = known["SEC-AUTHZ-ANON"]
        target = target_at(url, permit=("passive", "active"), **asked, api_base="/api")
        said = check.assess([source(target) for source in check.sources], check.criteria())
    assert said.status is Status.PASS
