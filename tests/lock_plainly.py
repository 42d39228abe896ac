"""Add to the lock, beside each package with extras, the same package without: what `make lock` ends
with. pip, when it checks hashes, takes `name[extra]==1` and a plain `name` for two requirements,
and refuses the second one where it is not pinned itself."""

import re
from pathlib import Path

LOCK = Path(__file__).parents[1] / "requirements.lock"


def plainly(lock: str) -> str:
    """The lock with a plain entry after each one with extras, unless it is there."""
    entries = re.split(r"\n(?=\S)", lock.rstrip())
    plain = {entry: re.sub(r"^([\w.-]+)\[[^\]]+\]", r"\1", entry) for entry in entries}
    whole = []
    for entry in entries:
        whole.append(entry)
        if plain[entry] != entry and plain[entry] not in entries:
            whole.append(plain[entry])
    return "\n".join(whole) + "\n"


if __name__ == "__main__":
    LOCK.write_text(plainly(LOCK.read_text()))
