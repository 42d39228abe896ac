"""Differences of one column that both sides have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .expressions import same_default
from .types import BREAKING, COSMETIC, RISKY, compare_types

Record = dict[str, Any]
Found = tuple[str, str, str, str]  # class, live, wanted, reason


def compare_columns(live: Record, wanted: Record, relation: str) -> Iterator[Found]:
    """What differs, and what that does to the statements of an application.

    ``wanted`` of an ORM says what its INSERT does about the column: ``client_default`` (it sends a
    value of its own) or ``omitted`` (it leaves the column to the database). Without either, the
    value comes from the application, or NULL is sent.
    """
    yield from _type(live, wanted)
    if relation not in ("table", "partitioned table", "foreign table"):
        return  # a view has no defaults and no NOT NULL of its own
    yield from _null(live, wanted)
    yield from _default(live, wanted)
    if live["collation"] != wanted["collation"]:
        reason = "texts sort and compare otherwise"
        yield COSMETIC, f"COLLATE {live['collation']}", f"COLLATE {wanted['collation']}", reason


def filled(column: Record) -> bool:
    """Whether the database gives the column a value when an INSERT leaves it out."""
    return bool(
        column["default"] is not None
        or column["identity"]
        or column["generated"]
        or not column["not_null"]
    )


def _type(live: Record, wanted: Record) -> Iterator[Found]:
    if live["type"] == wanted["type"]:
        return
    verdict = compare_types(live["type"], wanted["type"])
    if live["base_type"] and not wanted["base_type"]:
        inner = compare_types(live["base_type"], wanted["type"])
        verdict = inner or (RISKY, f"the domain {live['type']} may refuse values by its own rules")
    elif wanted["base_type"] and not live["base_type"]:
        inner = compare_types(live["type"], wanted["base_type"])
        verdict = inner or (RISKY, f"the rules of the domain {wanted['type']} are not enforced")
    elif live["enum"] != wanted["enum"]:
        reason = (
            f"{live['type']} takes its own values only, and not {wanted['type']} parameters"
            if live["enum"]
            else f"the type {wanted['type']} is not used here: a cast to it fails, any text goes in"
        )
        verdict = BREAKING, reason
    if verdict:
        yield verdict[0], live["type"], wanted["type"], verdict[1]


def _null(live: Record, wanted: Record) -> Iterator[Found]:
    if live["not_null"] == wanted["not_null"]:
        return
    if wanted["not_null"]:
        yield RISKY, "NULL allowed", "NOT NULL", "rows without a value can be there"
        return
    sides = ("NOT NULL", "NULL allowed")
    if live["identity"] or live["generated"]:
        return  # the database fills it, whatever is asked
    if "client_default" not in wanted:  # not an ORM: the statements are unknown
        if live["default"] is None:
            yield BREAKING, *sides, "an INSERT that leaves the column out fails"
        else:
            yield RISKY, *sides, "an INSERT that sends NULL fails"
    elif wanted["client_default"]:
        reason = "only the ORM's own default fills it: any other INSERT, or an explicit None, fails"
        yield RISKY, *sides, reason
    elif wanted["omitted"]:
        if live["default"] is not None:
            yield RISKY, *sides, "an explicit None fails"
        else:
            yield BREAKING, *sides, "the ORM leaves the column to the database, which has no value"
    else:
        yield BREAKING, *sides, "the ORM sends NULL where the application sets nothing: it fails"


def _default(live: Record, wanted: Record) -> Iterator[Found]:
    here, there = _source_of_value(live), _source_of_value(wanted)
    if here == there:
        if here == "generated" and not same_default(live["default"], wanted["default"]):
            reason = "the column is computed in another way"
            yield RISKY, f"AS {live['default']}", f"AS {wanted['default']}", reason
        if here == "default" and not same_default(live["default"], wanted["default"]):
            kind = COSMETIC if wanted.get("client_default") else RISKY
            reason = "rows that leave the column out get another value"
            yield kind, f"DEFAULT {live['default']}", f"DEFAULT {wanted['default']}", reason
        return
    sides = (_said(live), _said(wanted))
    if here == "generated":
        if wanted.get("omitted"):
            yield COSMETIC, *sides, "the ORM leaves the column to the database, which computes it"
        else:
            yield BREAKING, *sides, "an INSERT or UPDATE that sends a value fails"
    elif there == "generated":
        kind = BREAKING if live["not_null"] and live["default"] is None else RISKY
        yield kind, *sides, "nothing computes the column: it stays at its default, or empty"
    elif here == "identity always":
        if there == "nothing" and not wanted.get("omitted"):
            yield BREAKING, *sides, "an INSERT that sends a value fails: GENERATED ALWAYS"
        else:
            yield RISKY, *sides, "an INSERT that sends a value itself fails: GENERATED ALWAYS"
    elif here in ("serial", "identity") and there in ("serial", "identity", "identity always"):
        yield COSMETIC, *sides, "both count up; only the writing differs"
    elif there in ("serial", "identity", "identity always"):
        yield from _no_counter(live, wanted, sides)
    elif here == "nothing":
        yield from _no_default(live, wanted, sides)
    else:
        yield COSMETIC, *sides, "the default is there for whoever leaves the column out"


def _no_counter(live: Record, wanted: Record, sides: tuple[str, str]) -> Iterator[Found]:
    if wanted.get("client_default"):
        yield COSMETIC, *sides, "the ORM sends the value itself"
    elif live["default"] is not None and "nextval(" in live["default"]:
        yield COSMETIC, *sides, "it counts up all the same; the sequence is not the column's own"
    elif live["default"] is not None:
        yield RISKY, *sides, "the value comes from elsewhere than a sequence"
    elif live["not_null"]:
        yield BREAKING, *sides, "nothing counts up: an INSERT that leaves the column out fails"
    else:
        yield RISKY, *sides, "nothing counts up: rows get NULL"


def _no_default(live: Record, wanted: Record, sides: tuple[str, str]) -> Iterator[Found]:
    if wanted.get("client_default"):
        yield COSMETIC, *sides, "the ORM sends the value itself"
    elif live["not_null"]:
        yield BREAKING, *sides, "an INSERT that relies on the default fails"
    else:
        yield RISKY, *sides, "rows that rely on the default get NULL"


def _source_of_value(column: Record) -> str:
    """Where a value comes from when an INSERT gives none."""
    if column["generated"]:
        return "generated"
    if column["identity"]:
        return "identity always" if column["identity"] == "a" else "identity"
    if column["serial"]:
        return "serial"
    return "default" if column["default"] is not None else "nothing"


def _said(column: Record) -> str:
    source = _source_of_value(column)
    if source == "generated":
        return f"GENERATED ALWAYS AS {column['default']}"
    if source == "default":
        return f"DEFAULT {column['default']}"
    return {
        "identity always": "GENERATED ALWAYS AS IDENTITY",
        "identity": "GENERATED BY DEFAULT AS IDENTITY",
        "serial": "serial",
        "nothing": "no default",
    }[source]
