"""Can this check be red? Running a check over its specimens before it is believed.

The check's own sources collect from each specimen and its own judge judges, under the criteria in
force, so the receipt covers the path that the real target takes.
"""

from __future__ import annotations

import time
from pathlib import Path

from .check import Check, Criteria
from .evidence import Evidence, Source
from .finding import Calibration, SpecimenResult, Status
from .specimen import Specimen

_collected: dict[tuple[Path, str], Evidence] = {}


def try_specimen(check: Check, specimen: Specimen, criteria: Criteria) -> SpecimenResult:
    """Collect from a specimen and judge it; what was collected once serves all its checks."""
    expected = specimen.expected(check.id)
    if expected is None:
        raise ValueError(f"{specimen.name} is no specimen of {check.id}")
    started = time.perf_counter()
    judgement = check.assess(_collect(specimen, check.sources), criteria)
    return SpecimenResult(
        specimen=specimen.name,
        shows=specimen.shows,
        expected=expected,
        status=judgement.status,
        observed=judgement.observed[:300],
        duration_s=round(time.perf_counter() - started, 4),
    )


def _collect(specimen: Specimen, sources: tuple[Source, ...]) -> list[Evidence]:
    missing = [s for s in sources if (specimen.path, s.name) not in _collected]
    if missing:
        with specimen.target() as target:
            for source in missing:
                _collected[specimen.path, source.name] = source(target)
    return [_collected[specimen.path, s.name] for s in sources]


def calibrate(check: Check, criteria: Criteria) -> Calibration:
    """Try the check on its specimens under the criteria in force."""
    results = [
        try_specimen(check, specimen, criteria)
        for specimen in check.specimens
        if specimen.in_every_run
    ]
    return Calibration(
        known_bad=[r for r in results if r.expected is Status.FAIL],
        known_good=[r for r in results if r.expected is Status.PASS],
        unreachable=[r for r in results if r.expected is Status.NOT_MEASURED],
    )
