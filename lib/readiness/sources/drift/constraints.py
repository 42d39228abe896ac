"""Keys, checks and indexes of one table, matched by what they demand and not by their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .difference import Difference, Record
from .expressions import plain
from .names import Name, ident
from .types import BREAKING, COSMETIC, RISKY, Verdict

GIVEN_NAME = re.compile(r"_(pkey|key|fkey|check|excl|idx)\d*$")  # as PostgreSQL names them
STORAGE = re.compile(r" WITH \([^)]*\)| TABLESPACE \S+")


def compare_constraints(
    place: Name, live: Sequence[Record], wanted: Sequence[Record]
) -> Iterator[Difference]:
    """What differs between the constraints and indexes of a table on both sides."""
    if live == wanted:
        return
    yield from _uniques(place, live, wanted)
    yield from _indexes(place, live, wanted)
    yield from _foreign_keys(place, live, wanted)
    yield from _rules(place, live, wanted)


def added(place: Name, record: Record) -> str:
    """The statement that adds a constraint or an index."""
    name = ident(record["name"])
    definition = record["definition"]
    if record["kind"] == "index":
        if not record["constraint"]:
            unique = "UNIQUE " if record["unique"] else ""
            return f"CREATE {unique}INDEX {name} ON {place.sql} USING {definition};"
        definition = record["constraint_definition"]
    elif not record["validated"]:
        definition += " NOT VALID" if record["enforced"] else " NOT ENFORCED"
    return f"ALTER TABLE {place.sql} ADD CONSTRAINT {name} {definition};"


def _dropped(place: Name, record: Record) -> str:
    if record["kind"] == "index" and not record["constraint"]:
        return f"DROP INDEX {Name(place.schema, record['name']).sql};"
    return f"ALTER TABLE {place.sql} DROP CONSTRAINT {ident(record['name'])};"


def _again(place: Name, live: Record, wanted: Record) -> str:
    return f"{_dropped(place, live)}\n{added(place, wanted)}"


def _demand(index: Record) -> str:
    """What an index covers, without how it is stored."""
    return plain(STORAGE.sub("", index["definition"]))


def _uniques(place: Name, live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Difference]:
    here = {_demand(r): r for r in live if r["kind"] == "index" and r["unique"]}
    there = {_demand(r): r for r in wanted if r["kind"] == "index" and r["unique"]}
    had_key = next((r for r in here.values() if r["primary"]), None)
    wants_key = next((r for r in there.values() if r["primary"]), None)
    yield from _other_order(place, here, there)
    for key, asked in there.items():
        kind = "primary key" if asked["primary"] else "unique"
        if (found := here.get(key)) is None:
            repair = added(place, asked)
            if asked["primary"] and had_key:
                repair = _again(place, had_key, asked)
            yield Difference(kind, asked["name"], "missing", _shown(asked), _lacking(asked), repair)
            continue
        if not found["valid"]:
            verdict: Verdict = RISKY, "the index is not valid: duplicates can be there"
            yield Difference(
                kind, found["name"], "INVALID", _shown(asked), verdict, _rebuilt(place, found)
            )
        if (found["primary"], found["constraint"]) != (asked["primary"], asked["constraint"]):
            verdict = COSMETIC, "both refuse duplicates"
            if asked["primary"]:
                verdict = RISKY, "unique, but not the primary key: NULL may be allowed"
            sides = _form(found), _form(asked)
            yield Difference(kind, asked["name"], *sides, verdict, _again(place, found, asked))
            continue
        yield from _timing(place, kind, found, asked)
        yield from _names(place, kind, found, asked)
    for key, found in here.items():
        if key not in there:
            kind = "primary key" if found["primary"] else "unique"
            verdict = RISKY, "rows that are wanted to be allowed are refused"
            said, repair = _shown(found), _dropped(place, found)
            if found["primary"] and wants_key:
                repair = _again(place, found, wants_key)  # the same as for the one that is missing
            yield Difference(kind, found["name"], said, "missing", verdict, repair)


def _other_order(
    place: Name, here: dict[str, Record], there: dict[str, Record]
) -> Iterator[Difference]:
    """Takes out the pairs that refuse the same duplicates and list their columns otherwise."""

    def columns(key: str) -> list[str] | None:
        found = re.fullmatch(r"btree \(([^()]*)\)", key)
        return sorted(found[1].split(", ")) if found else None

    left = {tuple(columns(key) or ()): key for key in here if key not in there}
    for key in [key for key in there if key not in here]:
        asked, other = there[key], left.get(tuple(columns(key) or ("",)))
        if other is None or here[other]["primary"] != asked["primary"]:
            continue
        kind = "primary key" if asked["primary"] else "unique"
        verdict = COSMETIC, "it refuses the same duplicates; its columns stand in another order"
        sides = _shown(here[other]), _shown(asked)
        repair = _again(place, here[other], asked)
        yield Difference(kind, asked["name"], *sides, verdict, repair)
        del here[other], there[key]


def _lacking(asked: Record) -> Verdict:
    if asked["primary"]:
        return BREAKING, "rows cannot be told apart: the ORM updates or deletes more than one"
    if upsert := asked.get("upsert"):
        return BREAKING, f"ON CONFLICT on these columns fails, and the code has it: {upsert}"
    return RISKY, "duplicates can be stored, and ON CONFLICT on these columns fails"


def _shown(index: Record) -> str:
    columns = index["definition"].removeprefix("btree ")
    if index["primary"]:
        return f"PRIMARY KEY {columns}"
    return f"UNIQUE {columns}" if index["unique"] else f"INDEX {index['definition']}"


def _form(index: Record) -> str:
    if index["primary"]:
        return "primary key"
    return "unique constraint" if index["constraint"] else "unique index"


def _rebuilt(place: Name, index: Record) -> str:
    return f"REINDEX INDEX {Name(place.schema, index['name']).sql};"


def _timing(place: Name, kind: str, found: Record, asked: Record) -> Iterator[Difference]:
    def said(record: Record) -> str:
        if not record["deferrable"]:
            return "NOT DEFERRABLE"
        return "DEFERRABLE INITIALLY DEFERRED" if record["deferred"] else "DEFERRABLE"

    if said(found) != said(asked):
        verdict: Verdict = RISKY, "it is checked at another moment: an order of statements may fail"
        if found["deferrable"] and (upsert := asked.get("upsert")):
            verdict = (
                BREAKING,
                f"ON CONFLICT takes no deferrable key, and the code has it: {upsert}",
            )
        repair = _again(place, found, asked)
        yield Difference(kind, asked["name"], said(found), said(asked), verdict, repair)


def _names(place: Name, kind: str, found: Record, asked: Record) -> Iterator[Difference]:
    names = (found["name"], asked["name"])
    if names[0] != names[1] and not any(GIVEN_NAME.search(name) for name in names):
        verdict = COSMETIC, "the same under another name"
        old, new = ident(names[0]), ident(names[1])
        repair = f"ALTER TABLE {place.sql} RENAME CONSTRAINT {old} TO {new};"
        if found["kind"] == "index" and not found["constraint"]:
            repair = f"ALTER INDEX {Name(place.schema, names[0]).sql} RENAME TO {new};"
        yield Difference(kind, asked["name"], *names, verdict, repair)


def _indexes(place: Name, live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Difference]:
    here = {_demand(r): r for r in live if r["kind"] == "index"}
    there = {_demand(r): r for r in wanted if r["kind"] == "index" and not r["unique"]}
    for key, asked in there.items():
        found = here.get(key)
        if found is None or not found["valid"]:
            verdict = RISKY, "queries that count on it read the whole table"
            said, repair = "missing", added(place, asked)
            if found:
                said, repair = "INVALID", _rebuilt(place, found)
            yield Difference("index", asked["name"], said, _shown(asked), verdict, repair)
        elif not found["unique"]:
            yield from _names(place, "index", found, asked)
    for key, found in here.items():
        if not found["unique"] and key not in there:
            verdict = COSMETIC, "only the database has it: it costs writes, no statement fails"
            said, repair = _shown(found), _dropped(place, found)
            yield Difference("index", found["name"], said, "missing", verdict, repair)


def _reference(key: Record) -> str:
    columns, others = ", ".join(key["columns"]), ", ".join(key["ref_columns"])
    return f"({columns}) -> {Name(key['ref_schema'], key['ref_table']).sql} ({others})"


def _foreign_keys(
    place: Name, live: Sequence[Record], wanted: Sequence[Record]
) -> Iterator[Difference]:
    kind = "foreign key"
    here = {_reference(r): r for r in live if r["kind"] == kind}
    there = {_reference(r): r for r in wanted if r["kind"] == kind}
    for key, asked in there.items():
        if (found := here.get(key)) is None:
            verdict = RISKY, "rows can point to nothing"
            yield Difference(kind, asked["name"], "missing", key, verdict, added(place, asked))
            continue
        repair = _again(place, found, asked)
        for action in ("on_delete", "on_update"):
            if found[action] != asked[action]:
                said = action.replace("_", " ").upper()
                sides = f"{said} {found[action]}", f"{said} {asked[action]}"
                verdict = RISKY, "a delete or update of the parent does something else"
                yield Difference(kind, asked["name"], *sides, verdict, repair)
        if found["match"] != asked["match"]:
            sides = f"MATCH {found['match']}", f"MATCH {asked['match']}"
            verdict = RISKY, "keys with a NULL in them are treated in another way"
            yield Difference(kind, asked["name"], *sides, verdict, repair)
        yield from _validity(place, kind, found, asked)
        yield from _timing(place, kind, found, asked)
        yield from _names(place, kind, found, asked)
    for key, found in here.items():
        if key not in there:
            verdict = RISKY, "writes in an order that it forbids are refused"
            yield Difference(kind, found["name"], key, "missing", verdict, _dropped(place, found))


def _validity(place: Name, kind: str, found: Record, asked: Record) -> Iterator[Difference]:
    if asked["enforced"] != found["enforced"]:
        said = ("NOT ENFORCED", "enforced")
        verdict = RISKY, "rows that break it are refused on one side and go in on the other"
        sides = said[found["enforced"]], said[asked["enforced"]]
        yield Difference(kind, asked["name"], *sides, verdict, _again(place, found, asked))
    elif asked["validated"] and not found["validated"]:
        verdict = RISKY, "rows from before it was added were never checked"
        repair = f"ALTER TABLE {place.sql} VALIDATE CONSTRAINT {ident(found['name'])};"
        yield Difference(kind, asked["name"], "NOT VALID", "valid", verdict, repair)


def _rules(place: Name, live: Sequence[Record], wanted: Sequence[Record]) -> Iterator[Difference]:
    """Checks and exclusions: by definition first, then what is left by name."""
    for kind in ("check", "exclusion"):
        here = {plain(r["definition"]): r for r in live if r["kind"] == kind}
        there = {plain(r["definition"]): r for r in wanted if r["kind"] == kind}
        for text in here.keys() & there.keys():
            yield from _validity(place, kind, here[text], there[text])
            yield from _names(place, kind, here[text], there[text])
        left = {r["name"]: r for text, r in here.items() if text not in there}
        for text, asked in there.items():
            if text in here:
                continue
            if found := left.pop(asked["name"], None):
                verdict = RISKY, "it demands something else"
                sides = found["definition"], asked["definition"]
                yield Difference(kind, asked["name"], *sides, verdict, _again(place, found, asked))
            else:
                verdict = RISKY, "rows that break it go in"
                sides = "missing", asked["definition"]
                yield Difference(kind, asked["name"], *sides, verdict, added(place, asked))
        for name, found in left.items():
            verdict = RISKY, "rows that are wanted to be allowed are refused"
            said = found["definition"]
            yield Difference(kind, name, said, "missing", verdict, _dropped(place, found))
