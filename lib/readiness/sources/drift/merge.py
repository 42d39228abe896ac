"""Two catalogues, merged object by object; each difference with its class and the reason.

*Breaking*: a statement that the application will issue fails, or loses data. *Risky*: it works
until it does not. *Cosmetic*: no statement notices. Objects are matched by what they mean: the
names of constraints and indexes are PostgreSQL's or a tool's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .difference import Record
from .names import Name
from .others import ANYWAY, compare_others, compare_parts
from .relations import Relation, compare_relations, only_live
from .types import BREAKING, COSMETIC, RISKY

CLASSES = (BREAKING, RISKY, COSMETIC)
OF_A_TABLE = ("index", "foreign key", "check", "exclusion")
PARTS = ("trigger", "rule", "policy", "comment")

# Repairs go in by kind in this order, after a column's type, on which much else rests.
ORDER = (
    *("extension", "schema", "enum", "type", "domain", "sequence", "retyped"),
    *("table", "partitioned table", "column", "primary key", "unique", "function", "index", "view"),
)


def compare(live: Sequence[Record], wanted: Sequence[Record], whole: bool = False) -> list[Record]:
    """One row for each difference: kind, table, object, live, wanted, class, reason, repair.

    ``whole``: what is wanted claims to be all there is (init.sql), so that what only the live
    database has is a difference that matters; models (an ORM) need not map everything.
    """
    here, there = Side(live), Side(wanted)
    found = [*_tables(here, there, whole)]
    found += [d.row("") for d in compare_others(here.others, there.others, whole)]
    order = {name: place for place, name in enumerate(CLASSES)}
    return sorted(found, key=lambda d: (order[d["class"]], d["table"], d["kind"], d["object"]))


def repair_script(differences: Sequence[Record]) -> str:
    """The repairs in an order in which they go in: types before columns, views last.

    What would lose data, and what no statement alone can do, stays a comment.
    """

    def place(one: Record) -> int:
        kind = one["kind"]
        if kind == "column" and " TYPE " in one["repair"]:
            kind = "retyped"
        return ORDER.index(kind) if kind in ORDER else len(ORDER)

    steps: list[str] = []
    keys: list[str] = []  # of tables that are made here: when all of them are there
    for one in sorted(differences, key=place):
        lines = one["repair"].splitlines()
        if one["live"] == "missing" and len(lines) > 1:
            keys += [line for line in lines if " FOREIGN KEY " in line]
            lines = [line for line in lines if " FOREIGN KEY " not in line]
        steps.append("\n".join(lines))
    return "\n\n".join(dict.fromkeys(step for step in (*steps, *keys) if step))


class Side:
    """A catalogue by kind and name."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.tables: dict[Name, Relation] = {}
        self.others: dict[str, dict[Name, Record]] = {}
        rest = []
        for record in records:
            if record["kind"] == "table":
                place = Name(record["schema"], record["table"])
                self.tables[place] = Relation(place, record)
            else:
                rest.append(record)
        # A Name equals its tuple, which is quicker to make.
        tables: Mapping[tuple[str, str], Relation] = dict(self.tables.items())
        for record in rest:
            kind = record["kind"]
            if "table" not in record:
                schema = "" if kind in ANYWAY else record["schema"]
                self.others.setdefault(kind, {})[Name(schema, record["name"])] = record
            elif relation := tables.get((record["schema"], record["table"])):
                if kind == "column":
                    relation.columns[record["name"]] = record
                elif kind in OF_A_TABLE:
                    relation.constraints.append(record)
                elif kind in PARTS:
                    relation.parts.append(record)


def _tables(here: Side, there: Side, whole: bool) -> Iterator[Record]:
    for place, wanted in there.tables.items():
        live = here.tables.get(place)
        for one in compare_relations(live, wanted, whole):
            yield one.row(place.shown)
        if live:
            for one in compare_parts(place, live.parts, wanted.parts, whole):
                yield one.row(place.shown)
    for place, live in here.tables.items():
        if place not in there.tables:
            yield only_live(live, whole).row(place.shown)
