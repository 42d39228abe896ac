"""The stack under reference/: a target to audit out of the box, and no part of the tool."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from typing import Any

from .documents import ROOT, ParameterError


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
    """Set what params/demo.yaml names, where it is not set already.

    Raises ParameterError when the stack is not up and nothing else is named.
    """
    running = stack()
    if not running.status()["up"]:
        if "NPS_BASE_URL" not in os.environ:
            said = "the reference stack is not up: `readiness reference up` starts it"
            raise ParameterError([f"{said}, `make audit` starts and audits it"])
    else:
        for name, value in running.environment().items():
            os.environ.setdefault(name, value)
