"""sqlmap as a second opinion: the real program, against services on SQLite, behind the gateway."""

from __future__ import annotations

import pytest
from conftest import program
from readiness.check import catalogue
from readiness.finding import Status
from readiness.loopback import Response, serve
from readiness.sources.probes import parameters
from readiness.sources.sqlmap import opinions
from readiness.sources.static_code import queries
from readiness.target import Repository
from test_access import service
from test_http import target_at

CHECK = catalogue("security")["SEC-INJECTION"]


def pointed(url, most=2000, **http):
    program("sqlmap")
    probing = {"sqlmap_requests": most}
    given = {"permit": ("passive", "active"), "openapi": "/openapi.json", "examples": {"id": 1}}
    return target_at(url, **given, probing=probing, **http)


def sound(folder):
    """What the audit's own probes and the code show where nothing is wrong."""
    (folder / "main.py").write_text("print('fine')\n")
    with serve(service("injection", "shop", {"flaw": "none"})) as url:
        target = pointed(url)
        in_code = target.model_copy(update={"repository": Repository(path=str(folder))})
        return queries(in_code), parameters(target)


@pytest.mark.parametrize(
    ("flaw", "found"), [("condition", {"name"}), ("number", {"id"}), ("none", set())]
)
def test_it_names_the_parameters_that_reach_a_query(flaw, found, tmp_path):
    with serve(service("injection", "shop", {"flaw": flaw})) as url:
        target = pointed(url)
        evidence = opinions(target)
    named = {row["parameter"] for row in evidence.records if row["found"]}
    clean = {row["parameter"] for row in evidence.records if row["clean"]}
    assert (named, clean) == (found, {"name", "id"} - found), evidence.records
    sent = [e for e in target.traffic.entries if e["operation"] != "GET /openapi.json"]
    assert len(sent) == sum(row["asked"] for row in evidence.records)
    judged = CHECK.assess([*sound(tmp_path), evidence], CHECK.criteria())
    assert judged.status is (Status.FAIL if found else Status.PASS), judged.observed
    assert "sqlmap" in judged.observed


def test_it_sends_no_more_than_it_may_and_only_what_may_be_called():
    with serve(service("injection", "shop", {"flaw": "condition"})) as url:
        target = pointed(url, most=5)
        evidence = opinions(target)
        assert sum(e["operation"] != "GET /openapi.json" for e in target.traffic.entries) == 5
        assert evidence.facts["stopped"] == "target.http.probing.sqlmap_requests is used up"
        assert not any(row["clean"] for row in evidence.records)
        forbidden = pointed(url, never_call=["GET /items"])
        assert {row["parameter"] for row in opinions(forbidden).records} == {"id"}


def test_its_requests_carry_the_credentials_that_it_is_never_told():
    shop = service("injection", "shop", {"flaw": "condition"})
    told = []

    def guarded(request):
        known = request.headers.get("authorization") == "Bearer its-token-to-be-kept"
        told.append(request.headers)
        return shop(request) if known or request.path == "/openapi.json" else Response(401)

    with serve(guarded) as url:
        roles = {"user": {"credential": "its-token-to-be-kept"}}
        protected = {"protected": "GET /items", "token_role": "user"}
        evidence = opinions(pointed(url, roles=roles, authentication=protected))
    assert any(row["found"] for row in evidence.records)
    assert not any("sqlmap" in header for headers in told for header in headers.values())
