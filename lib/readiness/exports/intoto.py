"""in-toto: an unsigned Statement with the predicate test-result v0.1 over findings.json."""

from __future__ import annotations

import hashlib
import json

from google.protobuf.json_format import MessageToDict
from in_toto_attestation.predicates.test_result.v0.test_result_pb2 import TestResult
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement

from ..finding import Status
from ..record import Record
from . import Export, each

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
RESULTS = {"GO": "PASSED", "CONDITIONAL GO": "WARNED", "NO-GO": "FAILED"}
LISTS = {Status.PASS: "passedTests", Status.FAIL: "failedTests"}


def export(record: Record, previous: Record | None = None) -> Export:
    """PASSED, WARNED or FAILED by the verdict for the record's stage.

    A check that was not measured stands among the warned, never among the passed. The
    configuration is the policy, by the digest of what it says.
    """
    named, dropped = each(
        record.findings, lambda f: (LISTS.get(f.status, "warnedTests"), _name(f.check))
    )
    tests: dict[str, list[str]] = {}
    for _, (kind, check) in named:
        tests.setdefault(kind, []).append(check)
    policy = ResourceDescriptor(name="params/policy.yaml", digest={"sha256": record.policy}).pb
    predicate = TestResult(
        result=RESULTS[getattr(record.decision, record.stage)],
        configuration=[policy],
        passed_tests=tests.get("passedTests"),
        warned_tests=tests.get("warnedTests"),
        failed_tests=tests.get("failedTests"),
    )
    digest = hashlib.sha256(record.to_json().encode()).hexdigest()
    subject = ResourceDescriptor(name="findings.json", digest={"sha256": digest})
    statement = Statement([subject.pb], PREDICATE_TYPE, MessageToDict(predicate))
    statement.validate()
    return Export((json.dumps(MessageToDict(statement.pb), indent=1) + "\n").encode(), dropped)


def _name(check: str) -> str:
    """A name that a message of text can hold; raises UnicodeError for half characters."""
    return check.encode("utf-8").decode("utf-8")
