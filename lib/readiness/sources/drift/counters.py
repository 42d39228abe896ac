"""The sequences behind serial and identity columns."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .difference import Record
from .names import Name, ident
from .types import COSMETIC, RISKY

PARTS = re.compile(r"^(\w+) INCREMENT (\S+) START (\S+) MINVALUE (\S+) MAXVALUE (\S+) (.*)$")


def compare_counters(
    place: Name, live: Record, wanted: Record
) -> Iterator[tuple[str, str, str, str, str]]:
    """Class, live, wanted, reason, repair where both count, but not alike.

    The usual way to a sequence that ends early: ``serial`` became ``bigint`` by ALTER TYPE, and its
    sequence stayed an integer's.
    """
    here, there = PARTS.match(live["sequence"] or ""), PARTS.match(wanted["sequence"] or "")
    if here is None or there is None or here.groups() == there.groups():
        return
    if live["type"] != wanted["type"]:  # told as such, and the sequence goes with it
        return
    kind, reason = RISKY, "numbers are counted in another way"
    if here[2] == there[2] and int(here[5]) < int(there[5]):
        reason = f"its sequence ends at {int(here[5]):,}: no row can be added after that"
    elif here.groups()[3:] == there.groups()[3:] and here[2] == there[2]:
        kind, reason = COSMETIC, "numbers begin elsewhere"
    column = f"{place.sql}, {ident(wanted['name'])}"
    text = place.sql.replace("'", "''"), wanted["name"].replace("'", "''")
    repair = (
        f"DO $$BEGIN EXECUTE format('ALTER SEQUENCE %s AS {wanted['sequence']}',"
        f" pg_get_serial_sequence('{text[0]}', '{text[1]}')); END$$;  -- of {column}"
    )
    yield kind, live["sequence"], wanted["sequence"], reason, repair
