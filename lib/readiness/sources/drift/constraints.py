"""Keys, checks and indexes of one table, matched by what they demand and not by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from .expressions import plain
from .types import BREAKING, COSMETIC, RISKY

Record = dict[str, Any]
Verdict = tuple[str, str]
Found = tuple[str, str, str, str, Verdict]  # kind, object, live, wanted, verdict

GIVEN_NAME = re.compile(r"_(pkey|key|fkey|check|excl|idx)\d*$")  # as PostgreSQL names them
STORAGE = re.compile(r" WITH \([^)]*\)| TABLESPACE \S+")


def compare_constraints(live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Found]:
    """What differs between the constraints and indexes of a table on both sides."""
    yield from _uniques(live, wanted)
    yield from _indexes(live, wanted)
    yield from _foreign_keys(live, wanted)
    yield from _rules(live, wanted)


def _demand(index: Record) -> str:
    """What an index covers, without how it is stored."""
    return plain(STORAGE.sub("", index["definition"]))


def _uniques(live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Found]:
    here = {_demand(r): r for r in live if r["kind"] == "index" and r["unique"]}
    there = {_demand(r): r for r in wanted if r["kind"] == "index" and r["unique"]}
    for key, asked in there.items():
        kind = "primary key" if asked["primary"] else "unique"
        if (found := here.get(key)) is None:
            reason = "duplicates can be stored, and ON CONFLICT on these columns fails"
            if asked["primary"]:
                reason = "rows cannot be told apart: the ORM updates or deletes more than one"
            verdict = (BREAKING if asked["primary"] else RISKY), reason
            yield kind, asked["name"], "missing", _shown(asked), verdict
            continue
        if not found["valid"]:
            verdict = RISKY, "the index is not valid: duplicates can be there"
            yield kind, found["name"], "INVALID", _shown(asked), verdict
        if (found["primary"], found["constraint"]) != (asked["primary"], asked["constraint"]):
            sides = _form(found), _form(asked)
            verdict = COSMETIC, "both refuse duplicates"
            if asked["primary"]:
                verdict = RISKY, "unique, but not the primary key: NULL may be allowed"
            yield kind, asked["name"], *sides, verdict
        yield from _timing(kind, found, asked)
        yield from _names(kind, found, asked)
    for key, found in here.items():
        if key not in there:
            kind = "primary key" if found["primary"] else "unique"
            verdict = RISKY, "rows that are wanted to be allowed are refused"
            yield kind, found["name"], _shown(found), "missing", verdict


def _shown(index: Record) -> str:
    columns = index["definition"].removeprefix("btree ")
    if index["primary"]:
        return f"PRIMARY KEY {columns}"
    return f"UNIQUE {columns}" if index["unique"] else f"INDEX {index['definition']}"


def _form(index: Record) -> str:
    if index["primary"]:
        return "primary key"
    return "unique constraint" if index["constraint"] else "unique index"


def _timing(kind: str, found: Record, asked: Record) -> Iterator[Found]:
    def said(record: Record) -> str:
        if not record["deferrable"]:
            return "NOT DEFERRABLE"
        return "INITIALLY DEFERRED" if record["deferred"] else "DEFERRABLE"

    if said(found) != said(asked):
        verdict = RISKY, "it is checked at another moment: an order of statements may fail"
        yield kind, asked["name"], said(found), said(asked), verdict


def _names(kind: str, found: Record, asked: Record) -> Iterator[Found]:
    names = (found["name"], asked["name"])
    if names[0] != names[1] and not any(GIVEN_NAME.search(name) for name in names):
        verdict = COSMETIC, "the same under another name"
        yield kind, asked["name"], *names, verdict


def _indexes(live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Found]:
    here = {_demand(r): r for r in live if r["kind"] == "index"}
    there = {_demand(r): r for r in wanted if r["kind"] == "index" and not r["unique"]}
    for key, asked in there.items():
        found = here.get(key)
        if found is None or not found["valid"]:
            verdict = RISKY, "queries that count on it read the whole table"
            said = "INVALID" if found else "missing"
            yield "index", asked["name"], said, _shown(asked), verdict
        elif not found["unique"]:
            yield from _names("index", found, asked)
    for key, found in here.items():
        if not found["unique"] and key not in there:
            verdict = COSMETIC, "only the database has it: it costs writes, no statement fails"
            yield "index", found["name"], _shown(found), "missing", verdict


def _reference(key: Record) -> str:
    columns, others = ", ".join(key["columns"]), ", ".join(key["ref_columns"])
    return f"({columns}) -> {key['ref_schema']}.{key['ref_table']} ({others})"


def _foreign_keys(live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Found]:
    here = {_reference(r): r for r in live if r["kind"] == "foreign key"}
    there = {_reference(r): r for r in wanted if r["kind"] == "foreign key"}
    for key, asked in there.items():
        if (found := here.get(key)) is None:
            verdict = RISKY, "rows can point to nothing"
            yield "foreign key", asked["name"], "missing", key, verdict
            continue
        for action in ("on_delete", "on_update"):
            if found[action] != asked[action]:
                said = action.replace("_", " ").upper()
                sides = f"{said} {found[action]}", f"{said} {asked[action]}"
                verdict = RISKY, "a delete or update of the parent does something else"
                yield "foreign key", asked["name"], *sides, verdict
        if found["match"] != asked["match"]:
            sides = f"MATCH {found['match']}", f"MATCH {asked['match']}"
            verdict = RISKY, "keys with a NULL in them are treated in another way"
            yield "foreign key", asked["name"], *sides, verdict
        yield from _validity("foreign key", found, asked)
        yield from _timing("foreign key", found, asked)
        yield from _names("foreign key", found, asked)
    for key, found in here.items():
        if key not in there:
            verdict = RISKY, "writes in an order that it forbids are refused"
            yield "foreign key", found["name"], key, "missing", verdict


def _validity(kind: str, found: Record, asked: Record) -> Iterator[Found]:
    if asked["validated"] and not found["validated"]:
        verdict = RISKY, "rows from before it was added were never checked"
        yield kind, asked["name"], "NOT VALID", "valid", verdict


def _rules(live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Found]:
    """Checks and exclusions: by definition first, then what is left by name."""
    for kind in ("check", "exclusion"):
        here = {plain(r["definition"]): r for r in live if r["kind"] == kind}
        there = {plain(r["definition"]): r for r in wanted if r["kind"] == kind}
        for text in here.keys() & there.keys():
            yield from _validity(kind, here[text], there[text])
            yield from _names(kind, here[text], there[text])
        left = {r["name"]: r for text, r in here.items() if text not in there}
        for text, asked in there.items():
            if text in here:
                continue
            if found := left.pop(asked["name"], None):
                verdict = RISKY, "it demands something else"
                yield kind, asked["name"], found["definition"], asked["definition"], verdict
            else:
                verdict = RISKY, "rows that break it go in"
                yield kind, asked["name"], "missing", asked["definition"], verdict
        for name, found in left.items():
            verdict = RISKY, "rows that are wanted to be allowed are refused"
            yield kind, name, found["definition"], "missing", verdict
