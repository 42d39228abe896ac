"""Types, sequences, functions and extensions; triggers, rules, policies and comments of a table."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from .difference import BY_HAND, LOSES, Difference, Record
from .expressions import plain
from .names import Name, ident, literal
from .types import BREAKING, COSMETIC, RISKY, Verdict

MISSING: dict[str, Verdict] = {
    "schema": (BREAKING, "every statement on what should be in it fails"),
    "enum": (BREAKING, "a cast to the type fails"),
    "domain": (BREAKING, "a cast to the type fails"),
    "type": (BREAKING, "a cast to the type fails"),
    "sequence": (BREAKING, "an INSERT that takes a number from it fails"),
    "function": (RISKY, "a statement that calls it fails"),
    "extension": (RISKY, "a statement that uses its functions or types fails"),
    "trigger": (RISKY, "what it does at each change does not happen"),
    "rule": (RISKY, "statements are not rewritten as wanted"),
    "policy": (RISKY, "rows are hidden, or shown, that should not be"),
    "comment": (COSMETIC, "no statement reads a comment"),
}
BEYOND: dict[str, Verdict] = {
    "trigger": (RISKY, "it acts on changes without the models knowing"),
    "rule": (RISKY, "it rewrites statements without the models knowing"),
    "policy": (RISKY, "it hides rows without the models knowing"),
    "comment": MISSING["comment"],
}
IN_ORDER = ("schema", "extension", "enum", "type", "domain", "sequence", "function")
ANYWAY = ("schema", "extension")  # what only the live database has is told with what is in it


def compare_others(
    here: Mapping[str, Mapping[Name, Record]],
    there: Mapping[str, Mapping[Name, Record]],
    whole: bool,
) -> Iterator[Difference]:
    """What differs of the objects that belong to no table."""
    for kind in IN_ORDER:
        ours, theirs = here.get(kind, {}), there.get(kind, {})
        for place, wanted in theirs.items():
            if (live := ours.get(place)) is None:
                said, repair = _described(wanted), created(kind, place, wanted)
                yield Difference(kind, _shown(place), "missing", said, MISSING[kind], repair)
            elif changed := _changed(kind, place, live, wanted):
                verdict, repair = changed
                sides = _described(live), _described(wanted)
                yield Difference(kind, _shown(place), *sides, verdict, repair)
        if kind in ANYWAY:
            continue
        for place in ours.keys() - theirs.keys():
            verdict = (
                (RISKY, "a database made from the script lacks it")
                if whole
                else (COSMETIC, "nothing that is wanted uses it")
            )
            repair = _dropped(kind, place, ours[place])
            said = _described(ours[place])
            yield Difference(kind, _shown(place), said, "missing", verdict, repair)


def compare_parts(
    place: Name, live: Sequence[Record], wanted: Sequence[Record], whole: bool
) -> Iterator[Difference]:
    """What differs of the triggers, rules, policies and comments of a table."""
    if live == wanted:
        return
    here = {(r["kind"], r["name"]): r for r in live}
    there = {(r["kind"], r["name"]): r for r in wanted}
    for (kind, name), asked in there.items():
        label, said = name or place.shown, _described(asked)
        if (found := here.get((kind, name))) is None:
            repair = _part_made(place, asked)
            yield Difference(kind, label, "missing", said, MISSING[kind], repair)
        elif found.get("enabled", True) != asked.get("enabled", True):
            verdict: Verdict = RISKY, "it acts on one side only"
            repair = _switched(place, asked)
            yield Difference(kind, label, _described(found), said, verdict, repair)
        elif plain(found["definition"]) != plain(asked["definition"]) or (
            kind == "comment" and found["definition"] != asked["definition"]
        ):
            verdict = MISSING[kind] if kind == "comment" else (RISKY, "it is defined otherwise")
            repair = f"{_part_dropped(place, found)}\n{_part_made(place, asked)}"
            yield Difference(kind, label, _described(found), said, verdict, repair)
    for (kind, name), found in here.items():
        if (kind, name) not in there:
            verdict = BEYOND[kind]
            if whole and kind != "comment":
                verdict = RISKY, "a database made from the script lacks it"
            label, said = name or place.shown, _described(found)
            yield Difference(kind, label, said, "missing", verdict, _part_dropped(place, found))


def _shown(place: Name) -> str:
    return place.shown if place.schema else place.name


def _described(record: Record) -> str:
    kind = record["kind"]
    if kind == "enum":
        return ", ".join(map(str, record["labels"]))
    if kind == "extension":
        return str(record["version"])
    if kind == "schema":
        return "schema"
    if kind == "domain":
        return _domain(record)
    if kind in ("trigger", "rule"):
        said = re.sub(r"^CREATE (CONSTRAINT )?(TRIGGER|RULE) \S+ ", "", record["definition"])
        return said if record["enabled"] else f"switched off: {said}"
    return str(record["definition"])


def _changed(kind: str, place: Name, live: Record, wanted: Record) -> tuple[Verdict, str] | None:
    if kind == "enum":
        return _enum(place, live, wanted)
    if kind == "domain":
        same = plain(_domain(live)) == plain(_domain(wanted))
        verdict = RISKY, "it is defined in another way"
        return None if same else (verdict, _domain_altered(place, live, wanted))
    if kind in ANYWAY or live["definition"] == wanted["definition"]:
        return None
    repair = {
        "sequence": f"ALTER SEQUENCE {place.sql} AS {wanted['definition']};",
        "function": created(kind, place, wanted),
    }.get(kind, f"{BY_HAND}make the type {place.sql} anew, with the columns that use it")
    return (RISKY, "it is defined in another way"), repair


def created(kind: str, place: Name, wanted: Record) -> str:
    """The statement that makes a schema, extension, type, domain, sequence or function."""
    if kind == "enum":
        labels = ", ".join(literal(label) for label in wanted["labels"])
        return f"CREATE TYPE {place.sql} AS ENUM ({labels});"
    if kind == "domain":
        return f"CREATE DOMAIN {place.sql} AS {_domain(wanted)};"
    if kind == "type":
        return f"CREATE TYPE {place.sql} AS {wanted['definition']};"
    if kind == "sequence":
        return f"CREATE SEQUENCE {place.sql} AS {wanted['definition']};"
    if kind == "schema":
        return f"CREATE SCHEMA {ident(place.name)};"
    if kind == "extension":
        return f"CREATE EXTENSION {ident(place.name)} SCHEMA {ident(wanted['schema'])};"
    if wanted.get("body") and wanted["form"] != "AGGREGATE":
        return f"{wanted['body'].rstrip()};"
    return f"{BY_HAND}take the definition of {place.shown} from where it is kept"


def _dropped(kind: str, place: Name, live: Record) -> str:
    if kind == "function":
        return f"DROP {live['form']} {ident(place.schema)}.{place.name};"
    word = {"enum": "TYPE"}.get(kind, kind.upper())
    before = LOSES if kind == "sequence" else ""
    return f"{before}DROP {word} {place.sql};"


def _enum(place: Name, live: Record, wanted: Record) -> tuple[Verdict, str] | None:
    lacking = [label for label in wanted["labels"] if label not in live["labels"]]
    beyond = [label for label in live["labels"] if label not in wanted["labels"]]
    anew = f"{BY_HAND}make the type {place.sql} anew: PostgreSQL drops no value of an enum"
    if lacking:
        added = []
        for label in lacking:
            at = wanted["labels"].index(label)
            where = f"BEFORE {literal(wanted['labels'][1])}" if at == 0 else ""
            where = f"AFTER {literal(wanted['labels'][at - 1])}" if at else where
            added.append(f"ALTER TYPE {place.sql} ADD VALUE {literal(label)} {where};")
        repair = anew if beyond else "\n".join(added)
        return (BREAKING, f"{', '.join(lacking)} cannot be stored"), repair
    if beyond:
        reason = f"{', '.join(beyond)} can be there, which is not known as a value"
        return (RISKY, reason), anew
    if live["labels"] != wanted["labels"]:
        return (COSMETIC, "the values sort in another order"), anew
    return None


def _domain(record: Record) -> str:
    parts = [record["type"], "NOT NULL" if record["not_null"] else ""]
    parts.append(f"DEFAULT {record['default']}" if record["default"] is not None else "")
    return " ".join(part for part in (*parts, *sorted(record["checks"].values())) if part)


def _domain_altered(place: Name, live: Record, wanted: Record) -> str:
    if live["type"] != wanted["type"]:
        return f"{BY_HAND}make the domain {place.sql} anew, with the columns that use it"
    steps = [
        f"DROP CONSTRAINT {ident(name)}"
        for name, check in live["checks"].items()
        if wanted["checks"].get(name) != check
    ]
    steps += [
        f"ADD CONSTRAINT {ident(name)} {check}"
        for name, check in wanted["checks"].items()
        if live["checks"].get(name) != check
    ]
    if live["not_null"] != wanted["not_null"]:
        steps.append("SET NOT NULL" if wanted["not_null"] else "DROP NOT NULL")
    if live["default"] != wanted["default"]:
        given = wanted["default"]
        steps.append("DROP DEFAULT" if given is None else f"SET DEFAULT {given}")
    return "\n".join(f"ALTER DOMAIN {place.sql} {step};" for step in steps)


def _part_made(place: Name, part: Record) -> str:
    if part["kind"] == "comment":
        return f"COMMENT ON {_commented(place, part)} IS {literal(part['definition'])};"
    if part["kind"] == "policy":
        return f"CREATE POLICY {ident(part['name'])} ON {place.sql} {part['definition']};"
    made = f"{part['definition'].rstrip(';')};"
    return made if part["enabled"] else f"{made}\n{_switched(place, part)}"


def _part_dropped(place: Name, part: Record) -> str:
    if part["kind"] == "comment":
        return f"COMMENT ON {_commented(place, part)} IS NULL;"
    return f"DROP {part['kind'].upper()} {ident(part['name'])} ON {place.sql};"


def _commented(place: Name, part: Record) -> str:
    if part["name"]:
        return f"COLUMN {place.sql}.{ident(part['name'])}"
    word = {"v": "VIEW", "m": "MATERIALIZED VIEW", "f": "FOREIGN TABLE"}.get(part["relkind"])
    return f"{word or 'TABLE'} {place.sql}"


def _switched(place: Name, part: Record) -> str:
    switch = "ENABLE" if part["enabled"] else "DISABLE"
    return f"ALTER TABLE {place.sql} {switch} {part['kind'].upper()} {ident(part['name'])};"
