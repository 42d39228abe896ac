"""Reading Compose files: the specification's own rules, hostile files, and what stays unsaid."""

import json

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from readiness.documents import ROOT
from readiness.finding import Status
from readiness.parameters import validated
from readiness.sources.compose import stack
from readiness.sources.composefile.dockerfile import final_stage
from readiness.sources.composefile.ports import parse_port
from readiness.sources.composefile.reading import read_project
from readiness.sources.composefile.recognise import store_of
from readiness.sources.composefile.rules import refuse_what_compose_would
from readiness.sources.composefile.variables import interpolate
from readiness.target import Target


def project(folder, *files, variables=None):
    names = [f"{number}.yaml" for number in range(len(files))]
    for name, content in zip(names, files, strict=True):
        (folder / name).write_text(content, encoding="utf-8")
    return read_project(folder, names, variables or {})


def target(folder, **compose):
    raw = {"name": "x", "repository": {"path": str(folder), "compose": compose}}
    return validated(Target, raw, "test", {})


# The merge rules of the specification: attribute, base, override, result.
MERGES = [
    ("image", "a", "b", "b"),
    ("labels", {"a": "1", "b": "2"}, {"b": "3", "c": "4"}, {"a": "1", "b": "3", "c": "4"}),
    ("dns", ["1.1.1.1"], ["8.8.8.8"], ["1.1.1.1", "8.8.8.8"]),
    ("dns", "1.1.1.1", ["8.8.8.8"], ["1.1.1.1", "8.8.8.8"]),
    ("cap_add", ["A", "B"], ["B"], ["A", "B"]),
    ("command", ["echo", "foo"], ["echo", "bar"], ["echo", "bar"]),
    ("entrypoint", "a b", ["c"], ["c"]),
    ("healthcheck", {"test": ["a"], "retries": 3}, {"test": ["b"]}, {"test": ["b"], "retries": 3}),
    ("environment", ["A=1", "B=2"], {"B": 3}, {"A": "1", "B": 3}),
    ("environment", ["A=1"], ["A=2", "C"], {"A": "2", "C": None}),
    ("volumes", ["foo:/work"], ["bar:/work"], ["bar:/work"]),
    ("volumes", ["a:/x"], [{"type": "volume", "source": "b", "target": "/x"}],
     [{"type": "volume", "source": "b", "target": "/x"}]),
    ("ports", ["8080:80"], ["8443:443"], ["8080:80", "8443:443"]),
    ("ports", ["8080:80"], [{"target": 80, "published": "8080"}],
     [{"target": 80, "published": "8080"}]),
    ("ports", ["127.0.0.1:80:80"], ["80:80"], ["127.0.0.1:80:80", "80:80"]),
    ("depends_on", ["a"], {"a": {"condition": "service_healthy"}},
     {"a": {"condition": "service_healthy"}}),
    ("networks", ["a"], {"b": {"aliases": ["x"]}}, {"a": None, "b": {"aliases": ["x"]}}),
    ("build", ".", {"target": "dev"}, {"context": ".", "target": "dev"}),
    ("logging", {"driver": "a", "options": {"x": "1"}}, {"driver": "b"}, {"driver": "b"}),
    ("logging", {"driver": "a", "options": {"x": "1"}}, {"options": {"y": "2"}},
     {"driver": "a", "options": {"x": "1", "y": "2"}}),
    ("ports", ["8080:80"], None, ["8080:80"]),
]  # fmt: skip


@pytest.mark.parametrize(("key", "base", "over", "result"), MERGES)
def test_files_merge_as_the_specification_says(tmp_path, key, base, over, result):
    files = [yaml.safe_dump({"services": {"foo": {key: value}}}) for value in (base, over)]
    assert project(tmp_path, *files).model["services"]["foo"][key] == result


def test_reset_removes_and_override_replaces(tmp_path):
    base = "services: {a: {image: i, ports: ['1:1'], environment: {X: 1, Y: 2}, dns: [a]}}"
    over = (
        "services: {a: {ports: !reset [], environment: {X: !reset null}, dns: !override [b],"
        " build: !reset null}}"
    )
    merged = project(tmp_path, base, over).model["services"]["a"]
    assert merged == {"image": "i", "environment": {"Y": 2}, "dns": ["b"]}


def test_a_value_that_merges_in_may_be_overridden_but_not_written_twice(tmp_path):
    text = "x-a: &a {restart: always}\nservices:\n  a: {<<: *a, restart: 'no', image: i}\n"
    found = project(tmp_path, text)
    assert found.model["services"]["a"]["restart"] == "no"
    assert not found.problems
    assert project(tmp_path, "services: {a: {image: i, image: j}}").problems


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("$A-${A}", "1-1"),
        ("${B:-2}", "2"),
        ("${EMPTY:-2}${EMPTY-3}", "2"),
        ("${B-${C:-${A}}}", "1"),
        ("${B}", "${B}"),
        ("${B:?must be set}", "${B}"),
        ("${A:+yes}", "yes"),
        ("$$B and $${B}", "$$B and $${B}"),
    ],
)
def test_variables(text, filled):
    assert interpolate(text, {"A": "1", "EMPTY": ""}) == filled


@pytest.mark.parametrize("text", ["$", "a$ b", "${A", "${}", "${A/b/c}", "$1", "${-x}"])
def test_broken_variables_are_refused(text):
    with pytest.raises(ValueError, match=r"\$|variable"):
        interpolate(text, {})


@pytest.mark.parametrize(
    ("entry", "shown", "beyond"),
    [
        ("5432:5432", "5432:5432", True),
        (5432, "(any):5432", True),
        ("127.0.0.1:5432:5432", "127.0.0.1:5432:5432", False),
        ("127.0.0.1::5432", "127.0.0.1:(any):5432", False),
        ("127.8.9.1:5432:5432", "127.8.9.1:5432:5432", False),
        ("[::1]:5432:5432", "[::1]:5432:5432", False),
        ("::1:5432:5432", "[::1]:5432:5432", False),
        ("[::]:53:53/udp", "[::]:53:53/udp", True),
        ("0.0.0.0:5432:5432", "0.0.0.0:5432:5432", True),
        ("3000-3005:3000-3005", "3000-3005:3000-3005", True),
        ({"target": 80, "published": 8080, "host_ip": "127.0.0.1"}, "127.0.0.1:8080:80", False),
        ({"target": 80}, "(any):80", True),
    ],
)
def test_ports(entry, shown, beyond):
    port = parse_port(entry)
    assert (str(port), port.beyond_loopback, port.undecided) == (shown, beyond, False)


@pytest.mark.parametrize("entry", ["${P}:5432", "${IP}:1:2", "${ALL}", "${A}-${B}:1-2"])
def test_a_variable_without_value_leaves_a_port_undecided(entry):
    assert parse_port(entry).undecided


@pytest.mark.parametrize(
    "entry", ["", "x", "80:", "0:70000", "1-3:1-2", "999.1.1.1:1:1", "1:1/ftp", True, [], {}, "3-1"]
)
def test_bad_ports_are_refused(entry):
    with pytest.raises(ValueError, match=r"."):
        parse_port(entry)


ADDRESSES = st.one_of(
    st.just(""), st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map("[{}]".format)
)


@given(ADDRESSES, st.integers(1, 65535), st.integers(1, 65535), st.sampled_from(["", "/udp"]))
def test_a_port_is_shown_as_it_was_written(address, published, inside, protocol):
    text = ":".join(part for part in (address, str(published), str(inside)) if part) + protocol
    assert parse_port(str(parse_port(text))) == parse_port(text)


@pytest.mark.parametrize(
    ("image", "store"),
    [
        ("postgres", "PostgreSQL"),
        ("registry:5000/x/postgis:16@sha256:0", "PostgreSQL"),
        ("bitnami/redis:7", "Redis"),
        ("postgres-alpine", "PostgreSQL"),
        ("mcr.microsoft.com/mssql/server:2022", "SQL Server"),
        ("prom/mysqld-exporter", None),
        ("mongo-express", None),
        ("acme/server:1", None),
        ("registry.example/postgres-backup", None),
    ],
)
def test_stores_are_recognised_by_their_image(image, store):
    assert store_of([image], []) == store


def test_a_dockerfile_ends_in_its_last_stage_and_what_that_stands_on():
    text = 'ARG V=15\nFROM postgres:$V AS a\nHEALTHCHECK CMD x\nFROM b AS t\nFROM A\nCMD ["y"]\n'
    stage = final_stage(text)
    assert (stage.base, stage.health, stage.command) == ("postgres:15", "x", "y")
    assert final_stage(text, "t").base == "b"


def test_the_reference_stack_holds_nothing_to_refuse():
    names = ["docker-compose.yml", "docker-compose.override.yml"]
    found = read_project(ROOT / "reference", names, {})
    refuse_what_compose_would(found)
    assert found.problems == []
    assert len(found.model["services"]) == 7


SECRET = "hunter2-of-the-target"


def test_no_value_that_may_be_a_secret_reaches_the_evidence(tmp_path):
    (tmp_path / "compose.yaml").write_text(
        f"""
services:
  a:
    image: [{SECRET}]
    build: {{context: ., args: {{TOKEN: {SECRET}}}}}
    environment: {{PASSWORD: "${{PASSWORD:-{SECRET}}}"}}
    command: [serve, --password, {SECRET}]
    healthcheck: {{test: [CMD, redis-cli, -a, {SECRET}, ping], interval: [{SECRET}]}}
    labels: [password={SECRET}]
    restart: {{{SECRET}: 1}}
    deploy: {SECRET}
secrets: {{s: {SECRET}}}
"""
    )
    evidence = stack(target(tmp_path))
    assert evidence.problem is None
    assert len(evidence.facts["problems"]) >= 4
    told = [p for p in evidence.facts["problems"] if "unknown key" not in p["problem"]]
    assert SECRET not in json.dumps([evidence.records[0]["health_program"], told])
    assert "redis-cli" in evidence.to_json()


def test_files_outside_of_the_repository_are_not_read(tmp_path):
    (tmp_path / "outside.yaml").write_text("services: {x: {image: i}}")
    inside = tmp_path / "repository"
    inside.mkdir()
    (inside / "compose.yaml").write_text("include: [../outside.yaml]\nservices: {a: {image: i}}")
    evidence = stack(target(inside))
    assert [r["service"] for r in evidence.records] == ["a"]
    assert evidence.facts["elsewhere"]


KEYS = st.sampled_from(
    ["services", "image", "build", "ports", "volumes", "networks", "secrets", "configs", "test",
     "environment", "command", "entrypoint", "healthcheck", "depends_on", "condition", "deploy",
     "replicas", "restart_policy", "restart", "profiles", "extends", "service", "file", "include",
     "path", "network_mode", "links", "volumes_from", "scale", "x-a", "a", "b", "disable"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["\0", "a", "b", "", "${A}", "${A:-1}", "$", "1:2", "NONE", "CMD-SHELL", "0", "."]
)
SCALARS = st.one_of(WORDS, st.none(), st.booleans(), st.integers(-3, 70000), st.floats(0, 9))
SHAPES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=12,
)
SERVICES = st.dictionaries(KEYS, st.dictionaries(KEYS, SHAPES, max_size=5), max_size=3)


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(SHAPES, st.fixed_dictionaries({"services": SERVICES})), SERVICES)
@example({"services": {"a": {"extends": "a", "ports": {"a": 1}, "profiles": 3}}}, {})
def test_no_shape_of_a_file_breaks_the_source(tmp_path, content, override):
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "compose.override.yaml").write_text(yaml.safe_dump({"services": override}))
    evidence = stack(target(tmp_path, stores=["a"], stubs=["b"]))
    assert evidence.problem is None, evidence.problem


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@example(b"[" * 5000)
@example(b"a: &a [*a]")
@example(b"? [a]: b")
@example(b"\xff\xfe")
@example(b"services: !reset x\n--- \nservices: !override {a: !unknown b}")
def test_no_content_of_a_file_breaks_the_source(tmp_path, content):
    (tmp_path / "compose.yaml").write_bytes(content)
    evidence = stack(target(tmp_path))
    assert evidence.problem is None or evidence.problem.status is Status.NOT_MEASURED, content
