"""A value shown without its content."""

from __future__ import annotations

import re
from typing import Any

LONGEST_SHAPE = 40  # characters


def shown(text: str) -> dict[str, Any]:
    """How long a text is, and its shape: digits as 9, all but punctuation as x."""
    shape = re.sub(r"[A-Za-z]|[^ -~]", "x", re.sub(r"\d", "9", text[:LONGEST_SHAPE]))
    return {"length": len(text), "shape": shape}
