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
from . import Export

PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
RESULTS = {"GO": "PASSED", "CONDITIONAL GO": "WARNED", "NO-GO": "FAILED"}


def export(record: Record, previous: Record | None = None) -> Export:
    """PASSED, WARNED or FAILED by the verdict for the record's stage.

    A check that was not measured stands among the warned, never among the passed.
    """
    verdict = getattr(record.decision, record.stage)
    policy = ResourceDescriptor(name="params/policy.yaml", digest={}).pb
    predicate = TestResult(
        result=RESULTS[verdict],
        configuration=[policy],
        passed_tests=[f.check for f in record.findings if f.status is Status.PASS],
        warned_tests=[
            f.check for f in record.findings if f.status not in (Status.PASS, Status.FAIL)
        ],
        failed_tests=[f.check for f in record.findings if f.status is Status.FAIL],
    )
    digest = hashlib.sha256(record.to_json().encode()).hexdigest()
    subject = ResourceDescriptor(name="findings.json", digest={"sha256": digest})
    statement = Statement([subject.pb], PREDICATE_TYPE, MessageToDict(predicate))
    statement.validate()
    return Export((json.dumps(MessageToDict(statement.pb), indent=1) + "\n").encode())
