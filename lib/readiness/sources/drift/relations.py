"""Differences of tables, views and partitions as wholes, and of the columns that one side lacks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .columns import column_definition, compare_columns, filled
from .constraints import added, compare_constraints
from .difference import BY_HAND, LOSES, Difference, Record
from .expressions import same_view
from .names import Name, ident
from .types import BREAKING, COSMETIC, RISKY, Verdict

# Tables that tools keep beside the application's.
TOOL_TABLES = {
    "alembic_version",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "flyway_schema_history",
    "goose_db_version",
    "schema_migrations",
    "_prisma_migrations",
}
NOT_USED = COSMETIC, "nothing that is wanted uses it"
NOT_IN_SCRIPT = RISKY, "a database made from the script lacks it"


@dataclass
class Relation:
    """A table or view with all that belongs to it."""

    place: Name
    record: Record
    columns: dict[str, Record] = field(default_factory=dict)
    constraints: list[Record] = field(default_factory=list)
    parts: list[Record] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return str(self.record["relkind"])

    @property
    def is_table(self) -> bool:
        return self.kind.endswith("table")


def compare_relations(live: Relation | None, wanted: Relation, whole: bool) -> Iterator[Difference]:
    """What differs of one table or view, its columns, keys and indexes included."""
    name = wanted.place.shown
    if live is None:
        kind = RISKY if wanted.record["partition"] else BREAKING
        reason = f"every statement on this {wanted.kind} fails"
        if wanted.record["partition"]:
            reason = "rows that belong into it are refused"
        verdict = kind, reason
        yield Difference(wanted.kind, name, "missing", wanted.kind, verdict, created(wanted))
        return
    yield from _whole(name, live, wanted)
    yield from _columns(live, wanted, whole)
    if live.is_table == wanted.is_table:
        yield from compare_constraints(wanted.place, live.constraints, wanted.constraints)


def only_live(live: Relation, whole: bool) -> Difference:
    """A table or view that only the live database has."""
    ours = live.place.name in TOOL_TABLES or live.record["partition"]
    verdict = NOT_IN_SCRIPT if whole and not ours else NOT_USED
    kept = "TABLE" if live.is_table else live.kind.upper()
    repair = f"{LOSES if live.is_table else BY_HAND}DROP {kept} {live.place.sql};"
    return Difference(live.kind, live.place.shown, live.kind, "missing", verdict, repair)


def created(wanted: Relation) -> str:
    """The statements that make a table or view as it is wanted."""
    place, record = wanted.place.sql, wanted.record
    if not wanted.is_table:
        lines = [f"CREATE {wanted.kind.upper()} {place} AS {record['definition']}"]
        return "\n".join([*lines, *(added(wanted.place, one) for one in wanted.constraints)])
    if wanted.kind == "foreign table":
        return f"{BY_HAND}CREATE FOREIGN TABLE {place}: its server is not part of the schema"
    if record["partition"]:
        return f"CREATE TABLE {place} PARTITION OF {record['parents'][0]} {record['bounds']};"
    columns = ",\n".join(f"    {column_definition(c)}" for c in wanted.columns.values())
    lines = [
        f"CREATE {'UNLOGGED ' if record['unlogged'] else ''}TABLE {place} (\n{columns}\n)"
        + (f" INHERITS ({', '.join(record['parents'])})" if record["parents"] else "")
        + (f" PARTITION BY {record['partition_key']}" if record["partition_key"] else "")
        + ";"
    ]
    lines += [added(wanted.place, one) for one in wanted.constraints]
    if record["row_security"]:
        lines.append(f"ALTER TABLE {place} ENABLE ROW LEVEL SECURITY;")
    return "\n".join(lines)


def _whole(name: str, live: Relation, wanted: Relation) -> Iterator[Difference]:
    if live.record == wanted.record:
        return
    place, here, there = wanted.place.sql, live.record, wanted.record

    def differs(on_live: str, on_wanted: str, verdict: Verdict, repair: str) -> Difference:
        return Difference(wanted.kind, name, on_live, on_wanted, verdict, repair)

    if live.kind != wanted.kind:
        verdict: Verdict = COSMETIC, "the same statements work on both"
        if wanted.is_table and not live.is_table:
            verdict = RISKY, "it can be read as the table that is wanted, but hardly be written"
        by_hand = f"{BY_HAND}make {place} anew as a {wanted.kind} and copy its rows"
        yield differs(live.kind, wanted.kind, verdict, by_hand)
    elif here["definition"] and not same_view(here["definition"], there["definition"]):
        again = f"CREATE OR REPLACE VIEW {place} AS {there['definition']}"
        if live.kind != "view" or _gives(live) != _gives(wanted):
            again = f"DROP {live.kind.upper()} {place};\n{created(wanted)}"
        verdict = RISKY, "the view is defined in another way"
        yield differs("defined so", "defined otherwise", verdict, again)
    if here["unlogged"] and not there["unlogged"]:
        verdict = RISKY, "a crash of the server empties it"
        yield differs("UNLOGGED", "logged", verdict, f"ALTER TABLE {place} SET LOGGED;")
    elif there["unlogged"] and not here["unlogged"]:
        verdict = COSMETIC, "it survives a crash, and is slower to write"
        yield differs("logged", "UNLOGGED", verdict, f"ALTER TABLE {place} SET UNLOGGED;")
    if here["row_security"] != there["row_security"]:
        said = ("row security off", "row security on")
        verdict = RISKY, "rows are hidden on one side and seen on the other"
        switch = "ENABLE" if there["row_security"] else "DISABLE"
        repair = f"ALTER TABLE {place} {switch} ROW LEVEL SECURITY;"
        yield differs(said[here["row_security"]], said[there["row_security"]], verdict, repair)
    elif here["forced_row_security"] != there["forced_row_security"]:
        said = ("row security spares the owner", "row security binds the owner")
        verdict = RISKY, "an application that owns the table sees other rows"
        switch = "FORCE" if there["forced_row_security"] else "NO FORCE"
        sides = said[here["forced_row_security"]], said[there["forced_row_security"]]
        yield differs(*sides, verdict, f"ALTER TABLE {place} {switch} ROW LEVEL SECURITY;")
    if here["bounds"] != there["bounds"] and here["partition"] and there["partition"]:
        verdict = RISKY, "rows go to another partition, or are refused"
        parent = there["parents"][0]
        repair = (
            f"ALTER TABLE {parent} DETACH PARTITION {place};\n"
            f"ALTER TABLE {parent} ATTACH PARTITION {place} {there['bounds']};"
        )
        yield differs(here["bounds"], there["bounds"], verdict, repair)
    elif live.kind == wanted.kind and _line(here) != _line(there):
        yield _descent(name, live, wanted)
    if here["options"] != there["options"]:
        verdict = COSMETIC, "storage options: no statement notices"
        if not wanted.is_table:
            verdict = RISKY, "it asks for the rights of somebody else, or lets rows through"
        repair = _options(place, wanted.kind, here["options"] or "", there["options"] or "")
        yield differs(here["options"] or "none", there["options"] or "none", verdict, repair)


def _gives(view: Relation) -> list[tuple[str, str]]:
    return [(name, column["type"]) for name, column in view.columns.items()]


def _line(record: Record) -> tuple[object, object]:
    return record["partition_key"], record["parents"]


def _descent(name: str, live: Relation, wanted: Relation) -> Difference:
    def said(record: Record) -> str:
        if record["partition_key"]:
            return f"PARTITION BY {record['partition_key']}"
        return f"child of {', '.join(record['parents']) or 'no table'}"

    here, there = live.record, wanted.record
    verdict = RISKY, "statements on its parent see other rows"
    if here["partition_key"] != there["partition_key"]:
        verdict = RISKY, "rows are spread in another way; a key over all partitions may be missing"
    repair = f"{BY_HAND}make {wanted.place.sql} anew, partitioned as wanted, and copy its rows"
    if here["partition_key"] == there["partition_key"] and not here["partition"]:
        steps = [f"NO INHERIT {parent}" for parent in here["parents"]]
        steps += [f"INHERIT {parent}" for parent in there["parents"]]
        repair = "\n".join(f"ALTER TABLE {wanted.place.sql} {step};" for step in steps)
    return Difference(wanted.kind, name, said(here), said(there), verdict, repair)


def _options(place: str, kind: str, here: str, there: str) -> str:
    gone = {one.split("=")[0] for one in here.split(", ") if one}
    gone -= {one.split("=")[0] for one in there.split(", ")}
    steps = [f"RESET ({', '.join(sorted(gone))})"] if gone else []
    steps += [f"SET ({there})"] if there else []
    word = "TABLE" if kind.endswith("table") else kind.upper()
    return "\n".join(f"ALTER {word} {place} {step};" for step in steps)


def _columns(live: Relation, wanted: Relation, whole: bool) -> Iterator[Difference]:
    if live.columns == wanted.columns and not any(
        "ciphertext_room" in c for c in live.columns.values()
    ):
        return
    place = wanted.place.sql
    for name, asked in wanted.columns.items():
        found = live.columns.get(name)
        if found is None:
            verdict: Verdict = BREAKING, "every statement that names the column fails"
            repair = f"ALTER TABLE {place} ADD COLUMN {column_definition(asked)};"
            if not wanted.is_table:
                repair = f"{BY_HAND}it comes with the definition of the {wanted.kind}"
            yield Difference("column", name, "missing", asked["type"], verdict, repair)
        else:
            yield from compare_columns(wanted.place, found, asked, live.kind)
    for name, found in live.columns.items():
        if name in wanted.columns:
            continue
        said = found["type"]
        repair = f"{LOSES}ALTER TABLE {place} DROP COLUMN {ident(name)};"
        if not live.is_table:
            repair = f"{BY_HAND}it goes with the definition of the {wanted.kind}"
        verdict = NOT_IN_SCRIPT if whole else NOT_USED
        if not filled(found):
            reason = "NOT NULL without a default: every INSERT that does not know it fails"
            verdict, said = (BREAKING, reason), f"{said} NOT NULL"
            if not whole:
                repair = f"ALTER TABLE {place} ALTER COLUMN {ident(name)} DROP NOT NULL;"
        yield Difference("column", name, said, "missing", verdict, repair)
