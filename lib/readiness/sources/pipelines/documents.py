"""YAML of pipelines: parsed without its traps, and read without trusting its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from ...documents import StrictLoader


class _Loader(StrictLoader):
    """The strict YAML with tags of its own kept as plain values, as ``!reference`` of GitLab."""


class Reference(list[Any]):
    """``!reference [job, key]``."""


def _tagged(loader: _Loader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.SequenceNode):
        values = loader.construct_sequence(node, deep=True)
        return Reference(values) if tag == "reference" else values
    if isinstance(node, yaml.MappingNode):
        return {str(k.value): None for k, _ in node.value}
    return node.value


_Loader.add_multi_constructor("!", _tagged)


def parsed(text: str | None) -> Any:
    """The document, the first where there are several; raises ValueError when it is no YAML."""
    try:
        return next(iter(yaml.load_all(text or "", Loader=_Loader)), None)
    except yaml.YAMLError as broke:
        mark = getattr(broke, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark else ""
        raise ValueError(f"{where}{getattr(broke, 'problem', None) or 'no YAML'}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """A list of one where a single value stands; nothing where nothing does."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
