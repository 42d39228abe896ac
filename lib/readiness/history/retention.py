"""Which runs are kept, and removing the others.

Removed is only what nobody can miss: a run is kept when it is signed, when it is ``latest`` or the
newest of its environment, when it cannot be read, when a kept run carries a failure over from it,
and as long as policy's ``retention`` says.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from .. import record
from ..manifest import ATTESTATION
from ..policy import Retention
from ..record import Record


@dataclass(frozen=True)
class Kept:
    """A run and why it stays; an empty ``why`` says that it may go."""

    run: Path
    why: str


def considered(environment: str, outputs: Path, rule: Retention, at: datetime) -> list[Kept]:
    """Every run of an environment, oldest first, and whether it stays."""
    runs = record.runs(environment, outputs)
    read: dict[Path, Record] = {}
    for run in runs:
        try:
            read[run] = Record.read(run)
        except record.RecordError:
            continue
    latest = record.latest(environment, outputs)
    newest = set([run for run in runs if run in read][-rule.keep_runs :])
    why: dict[Path, str] = {}
    for run in runs:
        if run not in read:
            why[run] = "it cannot be read"
        elif run.is_symlink():
            why[run] = "it is a link"
        elif (run / ATTESTATION).exists():
            why[run] = "it is signed"
        elif run == runs[-1] or (latest and run.resolve() == latest):
            why[run] = "it is the newest"
        elif run in newest:
            why[run] = f"it is among the newest {rule.keep_runs}"
        elif at - read[run].finished < timedelta(days=rule.keep_days):
            why[run] = f"it is younger than {rule.keep_days:g} days"
    # Newest first, as a run that stays for another's sake may itself carry over from an older one.
    for run in [one for one in reversed(runs) if one in read]:
        if run in why:
            for finding in read[run].findings:
                origin = run.parent / (finding.carried_over or "")
                if finding.carried_over and origin in read:
                    why.setdefault(origin, f"{run.name} carries {finding.check} over from it")
    return [Kept(run, why.get(run, "")) for run in runs]


def prune(environment: str, outputs: Path, rule: Retention, at: datetime) -> Iterator[Path]:
    """Remove the runs of an environment that may go; yields each.

    To be called by who holds the environment's lock.
    """
    for one in considered(environment, outputs, rule, at):
        if not one.why:
            hidden = one.run.with_name(f".{one.run.name}")  # the next audit removes what is left
            one.run.rename(hidden)
            shutil.rmtree(hidden)
            yield one.run
