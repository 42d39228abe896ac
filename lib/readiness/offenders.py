"""Who the offenders of a failure are, so that two runs can be compared."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

# A number before a unit or a noun is a measurement, which differs from run to run; any other number
# (a port, a version, a line) is part of what the offender is.
FIGURE = re.compile(
    r"(?<![\w.:/-])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?=\s?(?:%|(?:ms|s|h|[kMG]i?B)\b)|\s[a-z]+\b)"
)
MOST_IDS = 2_000


def offender_ids(offenders: Iterable[Mapping[str, Any]]) -> list[str]:
    """Who the offenders are, apart from what was measured on them: an id each, sorted.

    Two runs that found the same places at fault for the same reasons have the same ids, though
    their figures differ. Of very many the smallest 2,000 are kept, which still compare.
    """
    return sorted({_identity(one) for one in offenders})[:MOST_IDS]


def _identity(offender: Mapping[str, Any]) -> str:
    text = json.dumps(_named(offender), sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:16]


def _named(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {str(key): _named(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one is not None}
    if isinstance(value, list | tuple):
        return [_named(one) for one in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None
    return FIGURE.sub("#", value) if isinstance(value, str) else value
