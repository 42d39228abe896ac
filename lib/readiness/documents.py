"""The YAML documents of this project, read without YAML's traps."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class ParameterError(ValueError):
    """Parameters that cannot be used; lists every problem with its file and key."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


# The parser in C is eight times as fast, and a run reads hundreds of specimens.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictLoader(_SafeLoader):  # type: ignore[misc]
    """YAML without its traps: no duplicate keys, no ``yes``, no octal, no dates."""


StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("int", r"^-?(?:0|[1-9][0-9_]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9_]*)\.[0-9]+(?:e[-+]?[0-9]+)?$", "-0123456789"),
):
    StrictLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first)
    )


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    # What a merge key (<<) brings may be overridden; what is written twice here is a mistake.
    seen: set[Any] = set()
    for key_node, _ in node.value:
        mark = key_node.start_mark
        merge = key_node.tag == "tag:yaml.org,2002:merge"
        key = "<<" if merge else loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.MarkedYAMLError(problem="a key must be a plain value", problem_mark=mark)
        if key in seen:
            raise yaml.MarkedYAMLError(problem=f"the key {key!r} stands twice", problem_mark=mark)
        seen.add(key)
    loader.flatten_mapping(node)
    return {
        loader.construct_object(key_node, deep=True): loader.construct_object(value, deep=True)
        for key_node, value in node.value
    }


StrictLoader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file; what is wrong with it is one ParameterError."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=StrictLoader)
    except FileNotFoundError:
        raise ParameterError([f"{short_path(path)}: no such file"]) from None
    except UnicodeDecodeError:
        raise ParameterError([f"{short_path(path)}: is no text in UTF-8"]) from None
    except OSError as broke:
        said = broke.strerror or type(broke).__name__
        raise ParameterError([f"{short_path(path)}: cannot be read: {said}"]) from None
    except yaml.MarkedYAMLError as broke:
        mark = broke.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ParameterError([f"{short_path(path)}:{where}: {broke.problem}"]) from None
    except (yaml.YAMLError, RecursionError) as broke:
        said = str(broke).splitlines()[0]
        raise ParameterError([f"{short_path(path)}: cannot be read: {said}"]) from None


def short_path(path: Path) -> str:
    """The path as a reader knows it: below the project where it is there."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
