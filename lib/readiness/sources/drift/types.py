"""What it means that a column has another type than the application takes it for."""

from __future__ import annotations

import re
from dataclasses import dataclass

BREAKING, RISKY, COSMETIC = "breaking", "risky", "cosmetic"
Verdict = tuple[str, str]  # class, reason

PARTS = re.compile(r"^(.*?)(?:\(([\d,-]+)\))?( with(?:out)? time zone)?((?:\[\])*)$")
INTEGERS = {"smallint": 2, "integer": 4, "bigint": 8}
FLOATS = {"real": 4, "double precision": 8}
TEXTS = ("text", "character varying")
NAIVE, AWARE = "timestamp without time zone", "timestamp with time zone"
JSONS = ("json", "jsonb")


@dataclass(frozen=True)
class Type:
    name: str  # without length: character varying
    sizes: tuple[int, ...]
    dimensions: int

    @classmethod
    def parse(cls, text: str) -> Type:
        """A type as ``format_type`` writes it: ``timestamp(3) with time zone[]``."""
        found = PARTS.match(text)
        if found is None:
            return cls(text, (), 0)
        sizes = tuple(int(n) for n in (found[2] or "").split(",") if n)
        return cls(found[1] + (found[3] or ""), sizes, len(found[4]) // 2)


def compare_types(live: str, wanted: str) -> Verdict | None:
    """The class and the reason when ``live`` stands where ``wanted`` is expected."""
    if live == wanted:
        return None
    here, there = Type.parse(live), Type.parse(wanted)
    if bool(here.dimensions) != bool(there.dimensions):
        return BREAKING, f"{wanted} values do not go into {live}: one is an array"
    if here.name == there.name:
        return _sizes(here, there, live, wanted)
    for rule in (_texts, _integers, _numbers, _times, _json):
        if verdict := rule(here, there, live, wanted):
            return verdict
    return BREAKING, (
        f"{live} and {wanted} do not mix: statements that compare or write the column with "
        f"{wanted} values fail, or give another value back"
    )


def _sizes(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    if here.name == "numeric":
        return _numeric(here, there, live, wanted)
    narrower = bool(here.sizes) and (not there.sizes or here.sizes < there.sizes)
    if "time" in here.name or here.name == "interval":
        if narrower:
            return RISKY, f"fractions of a second are rounded to {here.sizes[0]} digits"
        return COSMETIC, "more digits of the second are kept than asked for"
    if narrower:
        return BREAKING, f"values longer than {here.sizes[0]} are refused"
    if here.name in ("character", "bit"):
        return RISKY, "fixed length: values come back padded, or are refused"
    return COSMETIC, "the database takes longer values than asked for"


def _numeric(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    def digits(kind: Type) -> tuple[float, float]:
        """Digits before and after the point."""
        if not kind.sizes:
            return float("inf"), float("inf")
        precision, scale = kind.sizes if len(kind.sizes) > 1 else (kind.sizes[0], 0)
        return precision - scale, scale

    before, after = digits(here)
    if before < digits(there)[0]:
        return BREAKING, f"numbers of more than {before:g} digits before the point are refused"
    if after < digits(there)[1]:
        return BREAKING, f"numbers are rounded to {after:g} digits after the point"
    return COSMETIC, "the database takes more digits than asked for"


def _texts(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    if here.name in TEXTS and there.name in TEXTS:
        if here.sizes and (not there.sizes or here.sizes < there.sizes):
            return BREAKING, f"values longer than {here.sizes[0]} are refused"
        return COSMETIC, "both hold text; the length is not limited as asked for"
    texts = (*TEXTS, "character", "name")
    if here.name in texts and there.name in texts:
        return RISKY, f"{live} pads or cuts what {wanted} keeps"
    if {here.name.rpartition(".")[2], there.name.rpartition(".")[2]} & {"citext"} and (
        here.name in TEXTS or there.name in TEXTS
    ):
        return RISKY, "one of both ignores case: comparisons and uniqueness differ"
    return None


def _integers(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    if here.name not in INTEGERS or there.name not in INTEGERS:
        return None
    if INTEGERS[here.name] < INTEGERS[there.name]:
        return BREAKING, f"numbers beyond the range of {live} are refused"
    return RISKY, f"numbers beyond the range of {wanted} can be there, and fail when sent back"


def _numbers(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    exact = {*INTEGERS, "numeric"}
    if here.name in FLOATS and there.name in FLOATS:
        if FLOATS[here.name] < FLOATS[there.name]:
            return BREAKING, f"{live} keeps 6 digits of the 15 that {wanted} promises"
        return COSMETIC, "more digits are kept than asked for"
    if here.name in FLOATS and there.name in exact:
        return BREAKING, f"{live} rounds what {wanted} keeps exact"
    if here.name == "numeric" and there.name in INTEGERS:
        return RISKY, "fractions can be there, where whole numbers are expected"
    if here.name in INTEGERS and there.name in ("numeric", *FLOATS):
        return BREAKING, "fractions are rounded away"
    if here.name == "numeric" and there.name in FLOATS:
        return RISKY, f"{wanted} rounds what the column keeps exact"
    return None


def _times(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    names = (here.name, there.name)
    if set(names) == {NAIVE, AWARE}:
        if here.name == AWARE:
            return RISKY, (
                "times without a zone are sent to a column with one: they mean what the "
                "session's TimeZone says, and comparisons in the application fail or shift"
            )
        return RISKY, "the zone of the times that are sent is dropped: they shift"
    if set(names) == {"time without time zone", "time with time zone"}:
        return RISKY, "one of both has a zone: times shift"
    if names in (("date", NAIVE), ("date", AWARE)):
        return BREAKING, "the time of day is lost"
    if names in ((NAIVE, "date"), (AWARE, "date")):
        return RISKY, "a time of day comes back where a date is expected"
    return None


def _json(here: Type, there: Type, live: str, wanted: str) -> Verdict | None:
    if here.name in JSONS and there.name in JSONS:
        if here.name == "json":
            return RISKY, "operators of jsonb (@>, ?, ||) fail on json"
        return COSMETIC, "jsonb takes all json; it drops the order of keys and duplicate keys"
    if there.name in JSONS and here.name in TEXTS:
        return BREAKING, "documents come back as text, unparsed, and JSON operators fail"
    if here.name in JSONS and there.name in TEXTS:
        return BREAKING, "text that is no JSON is refused, and JSON comes back parsed"
    return None
