"""The stack under reference/: a target to audit out of the box, and no part of the tool."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from typing import Any

from .documents import ROOT


@cache
def stack() -> Any:
    """The module ``reference/stack.py``: up, down, status, reports, environment, set_fault."""
    path = ROOT / "reference" / "stack.py"
    spec = importlib.util.spec_from_file_location("readiness_reference_stack", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def use_variables() -> None:
    """Set what params/demo.yaml names, if the stack is up, where it is not set already."""
    running = stack()
    if running.status()["up"]:
        for name, value in running.environment().items():
            os.environ.setdefault(name, value)
