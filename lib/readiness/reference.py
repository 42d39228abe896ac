"""The stack under reference/: a target to audit out of the box, and no part of the tool."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from .documents import ROOT


def stack() -> Any:
    """The module ``reference/stack.py``: up, down, status, reports, environment, set_fault."""
    folder = str(ROOT / "reference")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module("stack")


def use_variables() -> None:
    """Set what params/demo.yaml names, if the stack is up, where it is not set already."""
    running = stack()
    if running.status()["up"]:
        for name, value in running.environment().items():
            os.environ.setdefault(name, value)
