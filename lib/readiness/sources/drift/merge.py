"""Two catalogues, merged object by object; each difference with its class and the reason.

*Breaking*: a statement that the application will issue fails, or loses data. *Risky*: it works
until it does not. *Cosmetic*: no statement notices. Objects are matched by what they mean: the
names of constraints and indexes are PostgreSQL's or a tool's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .columns import compare_columns, filled
from .constraints import compare_constraints
from .expressions import same_view
from .types import BREAKING, COSMETIC, RISKY

Record = dict[str, Any]
CLASSES = (BREAKING, RISKY, COSMETIC)
# Tables that tools keep beside the application's.
TOOL_TABLES = {
    "alembic_version",
    "databasechangelog",
    "databasechangeloglock",
    "django_migrations",
    "flyway_schema_history",
    "schema_migrations",
    "_prisma_migrations",
}


def compare(live: Sequence[Record], wanted: Sequence[Record], whole: bool = False) -> list[Record]:
    """One row for each difference: kind, table, object, live, wanted, class, reason.

    ``whole``: what is wanted claims to be all there is (init.sql), so that what only the live
    database has is a difference that matters; models (an ORM) need not map everything.
    """
    here, there = _Side(live), _Side(wanted)
    found = [*_tables(here, there, whole), *_others(here, there, whole)]
    order = {name: place for place, name in enumerate(CLASSES)}
    return sorted(found, key=lambda d: (order[d["class"]], d["table"], d["kind"], d["object"]))


class _Side:
    """A catalogue by kind and name."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.tables: dict[str, Record] = {}
        self.columns: dict[str, dict[str, Record]] = {}
        self.constraints: dict[str, list[Record]] = {}
        self.others: dict[str, dict[str, Record]] = {}
        for record in records:
            kind, schema = record["kind"], record["schema"]
            if kind in ("index", "foreign key", "check", "exclusion"):
                self.constraints.setdefault(_name(schema, record["table"]), []).append(record)
            elif kind == "column":
                columns = self.columns.setdefault(_name(schema, record["table"]), {})
                columns[record["name"]] = record
            elif kind == "table":
                self.tables[_name(schema, record["table"])] = record
            elif kind == "trigger":
                table = _name(schema, record["table"])
                self.others.setdefault(kind, {})[f"{table}.{record['name']}"] = record
            elif kind == "extension":
                self.others.setdefault(kind, {})[record["name"]] = record
            else:
                self.others.setdefault(kind, {})[_name(schema, record["name"])] = record


def _name(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"


def _row(
    kind: str, table: str, name: str, live: str, wanted: str, verdict: tuple[str, str]
) -> Record:
    return {
        "class": verdict[0],
        "kind": kind,
        "table": table,
        "object": name,
        "live": live,
        "wanted": wanted,
        "reason": verdict[1],
    }


def _tables(here: _Side, there: _Side, whole: bool) -> Iterator[Record]:
    for name, wanted in there.tables.items():
        live = here.tables.get(name)
        if live is None:
            kind = RISKY if wanted["partition"] else BREAKING
            verdict = kind, f"every statement on this {wanted['relkind']} fails"
            yield _row(wanted["relkind"], name, name, "missing", wanted["relkind"], verdict)
            continue
        yield from _relation(name, live, wanted)
        yield from _columns(
            name, live, here.columns.get(name, {}), there.columns.get(name, {}), whole
        )
        if live["relkind"].endswith("table") and wanted["relkind"].endswith("table"):
            constraints = (side.constraints.get(name, []) for side in (here, there))
            for kind, label, on_live, on_wanted, verdict in compare_constraints(*constraints):
                yield _row(kind, name, label, on_live, on_wanted, verdict)
    for name, live in here.tables.items():
        if name not in there.tables:
            ours = name.rpartition(".")[2] in TOOL_TABLES or live["partition"]
            verdict = (
                (RISKY, "a database made from the script lacks it")
                if whole and not ours
                else (COSMETIC, "nothing that is wanted uses it")
            )
            yield _row(live["relkind"], name, name, live["relkind"], "missing", verdict)


def _relation(name: str, live: Record, wanted: Record) -> Iterator[Record]:
    if live["relkind"] != wanted["relkind"]:
        writable = live["relkind"].endswith("table")
        verdict = (
            (COSMETIC, "the same statements work on both")
            if writable or not wanted["relkind"].endswith("table")
            else (RISKY, "it can be read as the table that is wanted, but hardly be written")
        )
        yield _row(wanted["relkind"], name, name, live["relkind"], wanted["relkind"], verdict)
    elif live["definition"] and not same_view(live["definition"], wanted["definition"]):
        verdict = RISKY, "the view is defined in another way"
        yield _row(live["relkind"], name, name, "defined so", "defined otherwise", verdict)
    if live["unlogged"] and not wanted["unlogged"]:
        verdict = RISKY, "a crash of the server empties it"
        yield _row("table", name, name, "UNLOGGED", "logged", verdict)
    elif wanted["unlogged"] and not live["unlogged"]:
        verdict = COSMETIC, "it survives a crash, and is slower to write"
        yield _row("table", name, name, "logged", "UNLOGGED", verdict)
    if live["row_security"] != wanted["row_security"]:
        said = ("row security off", "row security on")
        verdict = RISKY, "rows are hidden on one side and seen on the other"
        sides = said[live["row_security"]], said[wanted["row_security"]]
        yield _row("table", name, name, *sides, verdict)


def _columns(
    table: str,
    relation: Record,
    here: dict[str, Record],
    there: dict[str, Record],
    whole: bool,
) -> Iterator[Record]:
    for name, wanted in there.items():
        live = here.get(name)
        if live is None:
            verdict = BREAKING, "every statement that names the column fails"
            yield _row("column", table, name, "missing", wanted["type"], verdict)
            continue
        for kind, on_live, on_wanted, reason in compare_columns(live, wanted, relation["relkind"]):
            yield _row("column", table, name, on_live, on_wanted, (kind, reason))
    for name, live in here.items():
        if name in there:
            continue
        said = live["type"]
        if not filled(live):
            verdict = (
                BREAKING,
                "NOT NULL without a default: every INSERT that does not know it fails",
            )
            said += " NOT NULL"
        elif whole:
            verdict = RISKY, "a database made from the script lacks it"
        else:
            verdict = COSMETIC, "nothing that is wanted uses it"
        yield _row("column", table, name, said, "missing", verdict)


def _others(here: _Side, there: _Side, whole: bool) -> Iterator[Record]:
    rules: dict[str, Callable[[Record, Record], tuple[str, str] | None]] = {
        "enum": _enum,
        "domain": _definition,
        "sequence": _definition,
        "trigger": _trigger,
        "function": _definition,
        "extension": lambda live, wanted: None,
    }
    missing = {
        "enum": (BREAKING, "a cast to the type fails"),
        "domain": (BREAKING, "a cast to the type fails"),
        "sequence": (BREAKING, "an INSERT that takes a number from it fails"),
        "trigger": (RISKY, "what it does at each change does not happen"),
        "function": (RISKY, "a statement that calls it fails"),
        "extension": (RISKY, "a statement that uses its functions or types fails"),
    }
    for kind, rule in rules.items():
        ours, theirs = here.others.get(kind, {}), there.others.get(kind, {})
        for name, wanted in theirs.items():
            said = _described(wanted)
            table, label = wanted.get("table", ""), _label(name, wanted)
            if (live := ours.get(name)) is None:
                yield _row(kind, table, label, "missing", said, missing[kind])
            elif verdict := rule(live, wanted):
                yield _row(kind, table, label, _described(live), said, verdict)
        if kind == "extension":
            continue  # what only the live server has came with the platform
        for name in _only(ours, theirs):
            verdict = (
                (RISKY, "a database made from the script lacks it")
                if whole
                else (RISKY, "it acts on changes without the models knowing")
                if kind == "trigger"
                else (COSMETIC, "nothing that is wanted uses it")
            )
            live = ours[name]
            label = _label(name, live)
            yield _row(kind, live.get("table", ""), label, _described(live), "missing", verdict)


def _only(ours: dict[str, Record], theirs: dict[str, Record]) -> Iterable[str]:
    return (name for name in ours if name not in theirs)


def _label(name: str, record: Record) -> str:
    return str(record["name"]) if record["kind"] == "trigger" else name


def _described(record: Record) -> str:
    if record["kind"] == "enum":
        return ", ".join(record["labels"])
    if record["kind"] == "extension":
        return str(record["version"])
    if record["kind"] == "trigger":
        said = re.sub(r"^CREATE (CONSTRAINT )?TRIGGER \S+ ", "", record["definition"])
        return said if record["enabled"] else f"switched off: {said}"
    return str(record["definition"])


def _enum(live: Record, wanted: Record) -> tuple[str, str] | None:
    lacking = [label for label in wanted["labels"] if label not in live["labels"]]
    beyond = [label for label in live["labels"] if label not in wanted["labels"]]
    if lacking:
        return BREAKING, f"{', '.join(lacking)} cannot be stored"
    if beyond:
        return RISKY, f"{', '.join(beyond)} can be there, which is not known as a value"
    if live["labels"] != wanted["labels"]:
        return COSMETIC, "the values sort in another order"
    return None


def _definition(live: Record, wanted: Record) -> tuple[str, str] | None:
    if live["definition"] == wanted["definition"]:
        return None
    return RISKY, "it is defined in another way"


def _trigger(live: Record, wanted: Record) -> tuple[str, str] | None:
    if wanted["enabled"] and not live["enabled"]:
        return RISKY, "it is switched off"
    return _definition(live, wanted)
