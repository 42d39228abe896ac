"""Accounts, credentials and objects that the audit makes for itself: bounded, and taken away."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest
from readiness.check import catalogue
from readiness.finding import Severity, Status
from readiness.loopback import Response, serve
from readiness.sources.authentication import attempts
from readiness.sources.guessing import guesses
from readiness.sources.permissions import matrix
from readiness.sources.revocation import presentations
from test_http import target_at

SPECIMENS = Path(__file__).parents[1] / "lib/readiness/checks/security/specimens"


def service(folder, name, options):
    """A specimen's service, with its state kept where the test can look at it."""
    spec = importlib.util.spec_from_file_location(name, SPECIMENS / folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda request: module.answer(request, options)


@pytest.mark.parametrize(("workers", "asked"), [(1, 3), (2, 11), (8, 68), (64, 703)])
def test_so_many_presentations_meet_every_worker(workers, asked):
    assert presentations(workers, 0.999) == asked
    dice = random.Random(1)
    rounds = 400
    met = sum(
        len({dice.randrange(workers) for _ in range(asked)}) == workers for _ in range(rounds)
    )
    assert met / rounds >= 0.99


def target_with_an_account(url, **http):
    return target_at(
        url,
        permit=("passive", "active"),
        roles={"user": {"login": "POST /login", "username": "settled", "password": "its-own-pass"}},
        sacrificial_account={
            "like_role": "user",
            "create": {
                "operation": "POST /accounts",
                "json": {"name": "{username}", "secret": "{password}"},
            },
            "remove": {"operation": "DELETE /accounts/{id}"},
        },
        lockout={"most_attempts": 8},
        **http,
    )


def test_the_sacrificial_account_is_taken_away_and_no_other_is_guessed_at():
    options = {"flaw": "none"}
    with serve(service("lockout", "guarded", options)) as url:
        evidence = guesses(target_with_an_account(url))
    assert evidence.facts["left"] == ""
    assert "settled" in options["known"]
    assert len(options["known"]) == 1
    assert "settled" not in options["failures"]
    assert all(name.startswith("readiness-") for name in options["failures"])


def test_an_account_that_cannot_be_taken_away_is_told():
    options = {"flaw": "none"}
    answer = service("lockout", "guarded", options)

    def stubborn(request):
        return Response(405) if request.method == "DELETE" else answer(request)

    with serve(stubborn) as url:
        evidence = guesses(target_with_an_account(url))
    assert "is left: its removal answered 405" in evidence.facts["left"]


def test_what_got_in_before_the_service_began_to_fail_is_a_finding_all_the_same():
    seen = []

    def answer(request):
        seen.append(request)
        given = request.headers.get("authorization", "")
        if len(seen) > 40:
            return Response(503)
        if given.endswith("0") or "the-one-that-is-valid" in given:
            return Response(200)
        return Response(401)

    with serve(answer) as url:
        target = target_at(
            url,
            permit=("passive", "active"),
            roles={"user": {"credential": "the-one-that-is-valid"}},
            authentication={"protected": "GET /me", "token": "opaque"},
        )
        evidence = attempts(target)
    assert evidence.problem is None
    assert "began to fail" in evidence.facts["stopped"]
    check = catalogue("security")["SEC-AUTHN"]
    judgement = check.assess([evidence], check.criteria())
    assert judgement.status is Status.FAIL, judgement.observed


def test_objects_made_to_be_tried_at_are_taken_away():
    options = {"flaw": "none"}
    with serve(service("permissions", "library", options)) as url:
        target = target_at(
            url,
            permit=("passive", "active"),
            openapi="/openapi.json",
            roles={n: {"credential": f"token-of-{n}"} for n in ("anna", "bert")},
            permissions={
                "scopes": {"anna": ["read", "write"], "bert": ["read", "write"]},
                "owned": [
                    {
                        "name": "book",
                        "owner": "anna",
                        "other": "bert",
                        "create": "POST /books",
                        "json": {"title": "{unique}"},
                        "read": "GET /books/{id}",
                        "delete": "DELETE /books/{id}",
                    }
                ],
            },
        )
        evidence = matrix(target)
    assert [r["got_through"] for r in evidence.facts["others"]] == [False] * 3
    assert options["books"] == {}
    assert not any(r["left"] for r in evidence.facts["others"])


def test_who_was_only_told_that_there_is_no_such_object_is_less_grave_than_who_was_let_in():
    """An Airflow looks its object up first, and refuses its viewer where there is one."""
    scopes = catalogue("security")["SEC-AUTHZ-SCOPES"]
    known = next(s for s in scopes.specimens if s.name == "reader-may-delete")
    with known.target() as target:
        evidence = matrix(target)
    told = scopes.assess([evidence], scopes.criteria())
    assert told.severity is Severity.HIGH
    assert "told about the object, and not refused, at DELETE /books/{id} (404)" in told.observed
    for cell in evidence.records:
        cell["answer"] = "open" if cell["answer"] == "reached" else cell["answer"]
    assert scopes.assess([evidence], scopes.criteria()).severity is None
