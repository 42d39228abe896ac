"""What both suites need: every report says which commit it is of."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def commit(record_testsuite_property) -> str:
    """A report that does not say what it is of proves nothing about what is deployed."""
    value = os.environ.get("NPS_COMMIT", "unknown")
    record_testsuite_property("commit", value)
    return value
