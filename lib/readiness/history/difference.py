"""What differs between two documents of JSON, and the least of it that a change rests on.

The least is found by delta debugging (Zeller and Hildebrandt 2002, ddmin): of all differences, a
set from which none can be taken away without losing the effect. So times, nonces and other noise
that differs between any two runs needs no list of names to be left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_TRIALS = 400
MOST_PAIRS = 250_000
ALIKE = 0.3  # from this share of common values on, two rows are taken to be of the same thing
ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "absent"})()

Place = tuple[str, ...]
Pick = Callable[[Place, Any, Any], bool]  # at a difference: take the second document's side?


@dataclass(frozen=True)
class Difference:
    """A place where two documents differ; ``ABSENT`` on the side that has nothing there."""

    place: Place
    before: Any
    after: Any


def differences(before: Any, after: Any) -> list[Difference]:
    """Every place where two documents differ, in the second's order."""
    found: list[Difference] = []

    def note(place: Place, old: Any, new: Any) -> bool:
        found.append(Difference(place, old, new))
        return True

    mixed(before, after, note)
    return found


def smallest(
    found: Sequence[Difference], has_effect: Callable[[Sequence[Difference]], bool]
) -> list[Difference]:
    """A set of differences that has the effect, and none of which it can spare.

    The whole must have it. After ``MOST_TRIALS`` what is left is returned, though not the least.
    """
    left, parts, trials = list(found), 2, 0
    while len(left) > 1 and trials < MOST_TRIALS:
        size = -(-len(left) // parts)
        chunks = [left[n : n + size] for n in range(0, len(left), size)]
        rests = [[d for d in left if d not in chunk] for chunk in chunks] if parts > 2 else []
        for number, part in enumerate([*chunks, *rests]):
            trials += 1
            if has_effect(part):
                left, parts = part, 2 if number < len(chunks) else max(parts - 1, 2)
                break
        else:
            if parts >= len(left):
                break
            parts = min(parts * 2, len(left))
    return left


def mixed(before: Any, after: Any, pick: Pick, place: Place = ()) -> Any:
    """The first document with those differences taken from the second that ``pick`` says."""
    if before == after and type(before) is type(after):
        return after
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = [*after, *(key for key in before if key not in after)]
        made = {
            key: mixed(before.get(key, ABSENT), after.get(key, ABSENT), pick, (*place, str(key)))
            for key in keys
        }
        return {key: one for key, one in made.items() if one is not ABSENT}
    if _rows(before) and _rows(after):
        rows = [
            mixed(old, new, pick, (*place, label)) for label, old, new in _paired(before, after)
        ]
        return [row for row in rows if row is not ABSENT]
    return after if pick(place, before, after) else before


def _rows(value: Any) -> bool:
    """A list that is looked into; one of numbers or words is a value as a whole."""
    return isinstance(value, list) and all(isinstance(one, Mapping | list) for one in value)


def _paired(before: list[Any], after: list[Any]) -> Iterable[tuple[str, Any, Any]]:
    """Rows that speak of the same thing, in the second's order, then those that are gone."""
    texts = [_text(row) for row in before]
    free = dict(enumerate(texts))
    of: dict[int, int] = {}
    by_text: dict[str, list[int]] = {}
    for n in reversed(free):
        by_text.setdefault(texts[n], []).append(n)
    for m, row in enumerate(after):
        if same := by_text.get(_text(row)):
            of[m] = same.pop()
            del free[of[m]]
    rest = [m for m in range(len(after)) if m not in of]
    if len(free) * len(rest) <= MOST_PAIRS:
        pairs = [(_alike(before[n], after[m]), n == m, -n, -m) for n in free for m in rest]
        for likeness, _, n, m in sorted(pairs, reverse=True):
            if likeness >= ALIKE and -n in free and -m not in of:
                of[-m] = -n
                del free[-n]
    for m, row in enumerate(after):
        old = before[of[m]] if m in of else ABSENT
        yield f"{m + 1}{_name(row)}", old, row
    for n in free:
        yield f"{n + 1} before{_name(before[n])}", before[n], ABSENT


def _alike(old: Any, new: Any) -> float:
    """The share of values that two rows have in common, 0 to 1; a row's first words name it."""
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and new:
        return sum(bool(a == b) for a, b in zip(old, new, strict=True)) / len(new)
    if not isinstance(old, Mapping) or not isinstance(new, Mapping) or not new:
        return 0.0
    named = _name(old) == _name(new) and bool(_name(new))
    common = sum(bool(old.get(k) == v) for k, v in new.items()) / len(new)
    return (common + named) / (1 + named)


def _name(row: Any) -> str:
    """What a row is about, by its first words."""
    words = [v for v in row.values() if isinstance(v, str)] if isinstance(row, Mapping) else []
    return f" ({' '.join(words[:2])[:70]})" if words else ""


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
