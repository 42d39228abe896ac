"""What every section of a target is built from."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from ..finding import NOT_SET, NotMeasured, Reason
from ..variables import Deferred

Safety = Literal["passive", "active", "load", "write"]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


Operation = Annotated[str, Field(pattern=r"^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE) /\S*$")]

SafeOperation = Annotated[str, Field(pattern=r"^(GET|HEAD) /\S*$")]

Column = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+){1,2}$")]  # [schema.]table.column


class Request(Section):
    """A request the audit may send as it stands."""

    operation: Operation
    json_body: Any = Field(default=None, alias="json")
    form: dict[str, str] | None = None
    headers: dict[str, Deferred] = {}
    as_role: str | None = None  # send the token of this role (http.roles)


T = TypeVar("T")


def need(value: T | None, key: str) -> T:
    """``value``, or NOT_MEASURED ``no_parameter`` naming the key that is missing."""
    if value is None or value == [] or value == {}:
        raise NotMeasured(Reason.NO_PARAMETER, f"{key}{NOT_SET}")
    return value
