"""Differences of one column that both sides have."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

from .counters import compare_counters
from .difference import BY_HAND, Difference, Record
from .expressions import same_default
from .names import Name, ident
from .types import BREAKING, COSMETIC, RISKY, TEXTS, Type, Verdict, compare_types

Found = tuple[str, str, str, str, str]  # class, live, wanted, reason, repair
SAID = itemgetter(
    *("type", "not_null", "default", "serial", "sequence", "identity", "generated", "collation"),
    *("enum", "base_type"),
)
COUNTERS = ("serial", "identity", "identity always")


def compare_columns(place: Name, live: Record, wanted: Record, kind: str) -> Iterator[Difference]:
    """What differs, and what that does to the statements of an application.

    ``wanted`` of an ORM says what its INSERT does about the column: ``client_default`` (it sends a
    value of its own) or ``omitted`` (it leaves the column to the database). Without either, the
    value comes from the application, or NULL is sent.
    """
    if SAID(live) == SAID(wanted) and "ciphertext_room" not in live:
        return
    found = list(_type(place.sql, live, wanted))
    if not kind.endswith("table"):  # it is read only, and has no defaults and no NOT NULL
        found = [_as_read(live, wanted, one) for one in found]
    else:
        found += _null(place.sql, live, wanted)
        found += _default(place, live, wanted)
        found += _room(live)
        if live["collation"] != wanted["collation"] and not found:
            reason = "texts sort and compare otherwise"
            sides = f"COLLATE {live['collation']}", f"COLLATE {wanted['collation']}"
            found.append((COSMETIC, *sides, reason, _retyped(place.sql, live, wanted)))
    for grade, on_live, on_wanted, reason, repair in found:
        if not kind.endswith("table"):
            repair = f"{BY_HAND}it follows from the table under the view"
        verdict = grade, reason
        yield Difference("column", live["name"], on_live, on_wanted, verdict, repair)


def column_definition(column: Record) -> str:
    """A column as CREATE TABLE and ADD COLUMN take it."""
    said = [ident(column["name"]), column["type"]]
    if column["collation"]:
        said.append(f"COLLATE {ident(column['collation'])}")
    source = source_of_value(column)
    if source == "serial":
        said[1] = {"smallint": "smallserial", "integer": "serial"}.get(column["type"], "bigserial")
    elif source != "nothing":
        said.append(_said(column))
    if column["not_null"]:
        said.append("NOT NULL")
    return " ".join(said)


def filled(column: Record) -> bool:
    """Whether the database gives the column a value when an INSERT leaves it out."""
    return bool(
        column["default"] is not None
        or column["identity"]
        or column["generated"]
        or not column["not_null"]
    )


def _type(table: str, live: Record, wanted: Record) -> Iterator[Found]:
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
        repair = _retyped(table, live, wanted)
        yield verdict[0], live["type"], wanted["type"], verdict[1], repair


def _as_read(live: Record, wanted: Record, found: Found) -> Found:
    """What a view gives: a shorter limit than wanted refuses nothing there."""
    here, there = Type.parse(live["type"]), Type.parse(wanted["type"])
    if here.dimensions == there.dimensions and (
        here.name == there.name or {here.name, there.name} <= set(TEXTS)
    ):
        return COSMETIC, *found[1:3], "the same kind of value is read; only its limit differs", ""
    return found


def _retyped(table: str, live: Record, wanted: Record) -> str:
    """Another type or collation; a default is taken off before, as it may not fit."""
    column, kind = ident(wanted["name"]), wanted["type"]
    if wanted["collation"] != live["collation"]:
        kind += f" COLLATE {ident(wanted['collation'] or 'default')}"
    using = f"{column}::{wanted['type']}"
    if live["type"] == "jsonb" and wanted["type"].endswith("[]"):
        return f"{BY_HAND}an array of a document: write the USING of ALTER COLUMN {column} by hand"
    steps = [f"ALTER COLUMN {column} TYPE {kind} USING {using}"]
    if source_of_value(live) == "default":
        steps.insert(0, f"ALTER COLUMN {column} DROP DEFAULT")
        if source_of_value(wanted) == "default":
            steps.append(f"ALTER COLUMN {column} SET DEFAULT {wanted['default']}")
    return f"ALTER TABLE {table} {', '.join(steps)};"


def _room(live: Record) -> Iterator[Found]:
    """``room``: how many bytes of text fit as ciphertext into a column that is to hold it."""
    if (room := live.get("ciphertext_room")) is not None:
        reason = f"only {room} bytes of text fit as ciphertext: a longer text is refused"
        repair = f"ALTER COLUMN {ident(live['name'])} TYPE text"
        table = Name(live["schema"], live["table"]).sql
        sides = live["type"], "room for the ciphertext"
        yield RISKY, *sides, reason, f"ALTER TABLE {table} {repair};"


def _null(table: str, live: Record, wanted: Record) -> Iterator[Found]:
    if live["not_null"] == wanted["not_null"]:
        return
    switch = f"ALTER TABLE {table} ALTER COLUMN {ident(live['name'])}"
    if wanted["not_null"]:
        reason = "rows without a value can be there"
        yield RISKY, "NULL allowed", "NOT NULL", reason, f"{switch} SET NOT NULL;"
        return
    if live["identity"] or live["generated"]:
        return  # the database fills it, whatever is asked
    kind, reason = _unfilled(live, wanted)
    yield kind, "NOT NULL", "NULL allowed", reason, f"{switch} DROP NOT NULL;"


def _unfilled(live: Record, wanted: Record) -> Verdict:
    """NOT NULL where NULL is thought to be allowed: what an INSERT meets."""
    if "client_default" not in wanted:  # not an ORM: the statements are unknown
        if live["default"] is None:
            return BREAKING, "an INSERT that leaves the column out fails"
        return RISKY, "an INSERT that sends NULL fails"
    if wanted["client_default"]:
        reason = "only the ORM's own default fills it: any other INSERT, or an explicit None, fails"
        return RISKY, reason
    if wanted["omitted"]:
        if live["default"] is not None:
            return RISKY, "an explicit None fails"
        return BREAKING, "the ORM leaves the column to the database, which has no value"
    return BREAKING, "the ORM sends NULL where the application sets nothing: it fails"


def _default(place: Name, live: Record, wanted: Record) -> Iterator[Found]:
    here, there = source_of_value(live), source_of_value(wanted)
    sides = _said(live), _said(wanted)
    if here == there:
        verdict = _same_source(here, live, wanted)
    else:
        verdict = _other_source(here, there, live, wanted)
    if verdict:
        yield verdict[0], *sides, verdict[1], _filled_as(place, live, wanted)
    elif here in COUNTERS:
        yield from compare_counters(place, live, wanted)


def _same_source(source: str, live: Record, wanted: Record) -> Verdict | None:
    if source == "generated":
        if not same_default(live["default"], wanted["default"]):
            return RISKY, "the column is computed in another way"
        if live["generated"] != wanted["generated"]:
            return COSMETIC, "computed when it is read on one side, when it is written on the other"
    if source == "default" and not same_default(live["default"], wanted["default"]):
        kind = COSMETIC if wanted.get("client_default") else RISKY
        return kind, "rows that leave the column out get another value"
    return None


def _other_source(here: str, there: str, live: Record, wanted: Record) -> Verdict:
    if here == "generated":
        if wanted.get("omitted"):
            return COSMETIC, "the ORM leaves the column to the database, which computes it"
        return BREAKING, "an INSERT or UPDATE that sends a value fails"
    if there == "generated":
        kind = BREAKING if live["not_null"] and live["default"] is None else RISKY
        return kind, "nothing computes the column: it stays at its default, or empty"
    if here == "identity always":
        if there == "nothing" and not wanted.get("omitted"):
            return BREAKING, "an INSERT that sends a value fails: GENERATED ALWAYS"
        return RISKY, "an INSERT that sends a value itself fails: GENERATED ALWAYS"
    if here in ("serial", "identity") and there in COUNTERS:
        return COSMETIC, "both count up; only the writing differs"
    if there in COUNTERS:
        return _no_counter(live, wanted)
    if here == "nothing":
        return _no_default(live, wanted)
    return COSMETIC, "the default is there for whoever leaves the column out"


def _no_counter(live: Record, wanted: Record) -> Verdict:
    if wanted.get("client_default"):
        return COSMETIC, "the ORM sends the value itself"
    if live["default"] is not None and "nextval(" in live["default"]:
        return COSMETIC, "it counts up all the same; the sequence is not the column's own"
    if live["default"] is not None:
        return RISKY, "the value comes from elsewhere than a sequence"
    if live["not_null"]:
        return BREAKING, "nothing counts up: an INSERT that leaves the column out fails"
    return RISKY, "nothing counts up: rows get NULL"


def _no_default(live: Record, wanted: Record) -> Verdict:
    if wanted.get("client_default"):
        return COSMETIC, "the ORM sends the value itself"
    if live["not_null"]:
        return BREAKING, "an INSERT that relies on the default fails"
    return RISKY, "rows that rely on the default get NULL"


def source_of_value(column: Record) -> str:
    """Where a value comes from when an INSERT gives none."""
    if column["generated"]:
        return "generated"
    if column["identity"]:
        return "identity always" if column["identity"] == "a" else "identity"
    if column["serial"]:
        return "serial"
    return "default" if column["default"] is not None else "nothing"


def _said(column: Record) -> str:
    source = source_of_value(column)
    if source == "generated":
        kept = "VIRTUAL" if column["generated"] == "v" else "STORED"
        return f"GENERATED ALWAYS AS ({column['default']}) {kept}"
    if source == "default":
        return f"DEFAULT {column['default']}"
    return {
        "identity always": "GENERATED ALWAYS AS IDENTITY",
        "identity": "GENERATED BY DEFAULT AS IDENTITY",
        "serial": "serial",
        "nothing": "no default",
    }[source]


def _filled_as(place: Name, live: Record, wanted: Record) -> str:
    """The statements that make a column get its value as it is wanted."""
    table, column = place.sql, ident(wanted["name"])
    here, there = source_of_value(live), source_of_value(wanted)
    if there == "generated":
        added = f"ADD COLUMN {column_definition(wanted)}"
        return f"ALTER TABLE {table} DROP COLUMN {column}, {added};"
    if here.startswith("identity") and there.startswith("identity"):
        how = "ALWAYS" if there == "identity always" else "BY DEFAULT"
        return f"ALTER TABLE {table} ALTER COLUMN {column} SET GENERATED {how};"
    off = {"generated": "DROP EXPRESSION", "identity": "DROP IDENTITY"}
    steps = []
    if here != "nothing":
        steps.append(f"ALTER COLUMN {column} {off.get(here.split()[0], 'DROP DEFAULT')}")
    if there == "default":
        steps.append(f"ALTER COLUMN {column} SET DEFAULT {wanted['default']}")
    said = [f"ALTER TABLE {table} {step};" for step in steps]
    if there == "serial":
        # Named in the default, and perhaps still there from before.
        sequence = wanted["default"].split("'")[1]
        said.append(f"CREATE SEQUENCE IF NOT EXISTS {sequence} AS {wanted['type']};")
        said.append(f"ALTER TABLE {table} ALTER COLUMN {column} SET DEFAULT {wanted['default']};")
        said.append(f"ALTER SEQUENCE {sequence} OWNED BY {table}.{column};")
    elif there.startswith("identity"):
        needed = "" if live["not_null"] else f"ALTER COLUMN {column} SET NOT NULL, "
        said.append(f"ALTER TABLE {table} {needed}ALTER COLUMN {column} ADD {_said(wanted)};")
    if there in COUNTERS:
        own = f"pg_get_serial_sequence({_quoted(table)}, {_quoted(wanted['name'])})"
        last = f"(SELECT COALESCE(max({column}), 0) + 1 FROM {table})"
        said.append(f"SELECT setval({own}, {last}, false);")
    return "\n".join(said)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
