"""What a params file may hold, told from the models that read it."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from .words import stop

WIDTH = 60  # from here on, where the comments begin
COMMENT = re.compile(r"((?:^    # .+\n)*)^    (\w+):.*?(?:  # (.+))?$", re.M)
KINDS = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}


def parameters(
    key: Annotated[str, typer.Argument(help="Only what is below this key, e.g. target.http")] = "",
) -> None:
    """The keys of a params file: what each takes, its default, and what it means."""
    from ..parameters import Parameters

    lines = [
        text
        for path, text in _told(Parameters, "")
        if not key or path == key or path.startswith((f"{key}.", f"{key}[]"))
    ]
    if not lines:
        stop(f"no such key: {key} (`readiness parameters` prints them all)")
    typer.echo("\n".join(lines))


def _told(model: type[BaseModel], above: str) -> Iterator[tuple[str, str]]:
    """Each key below ``above`` with its line, and those of the sections that it holds."""
    comments = _comments(model)
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        takes = f"{path}: {_kind(field.annotation)}{_default(field)}"
        comment = comments.get(name, "")
        yield path, f"{takes:<{WIDTH}}  # {comment}" if comment else takes
        for section in _sections(field.annotation):
            for line in inspect.cleandoc(section.__doc__ or "").splitlines():
                yield path, f"    {line}".rstrip()
            many = "[]" if get_origin(field.annotation) is list else ""
            yield from _told(section, f"{path}{many}.")


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """What stands behind or above each field in the source, of the model and what it extends."""
    sections = [m for m in reversed(model.__mro__) if issubclass(m, BaseModel)]
    own = [m for m in sections if m.__module__.startswith(__package__.partition(".")[0])]
    found = (parts for m in own for parts in COMMENT.findall(inspect.getsource(m)))
    return {name: behind or " ".join(above.split("# ")).strip() for above, name, behind in found}


def _kind(annotation: Any) -> str:
    """A type in words: ``list of text``, ``passive | active``, ``Http``."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, types.UnionType):
        return " | ".join(_kind(one) for one in inner if one is not type(None))
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (list, frozenset, set, tuple):
        return f"list of {_kind(inner[0])}"
    if origin is dict:
        return f"mapping of {_kind(inner[1])}"
    name = getattr(annotation, "__name__", "anything")
    return {"Deferred": "text", "Secret": "secret, by ${NAME}", "Any": "anything"}.get(
        name, KINDS.get(name, "section" if _sections(annotation) else name)
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return ", required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value == [] or value == {} or isinstance(value, BaseModel):
        return ""
    return f" = {sorted(value) if isinstance(value, frozenset) else value}"


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """The sections that a value of this type holds."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for inner in get_args(annotation) for section in _sections(inner)]
