"""What requests say, as tables."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from .profile import FAILED, GIVEN_UP, REFUSED, TURNED_AWAY, Profile
from .shift import MOST_ENDPOINTS, Comparison, Shift

ALL = "all together"
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}


def endpoints(profile: Profile) -> Any:
    """A data frame: each endpoint, the one with most time first; all together above."""
    import pandas as pd

    numbers: list[int | None] = [None, *profile.used()[:MOST_ENDPOINTS]]
    return pd.DataFrame([_endpoint(profile, n) for n in numbers])


def _endpoint(profile: Profile, n: int | None) -> dict[str, Any]:
    ended = profile.ended.sum(axis=0) if n is None else profile.ended[n]
    spent = float(profile.total_ms.sum() if n is None else profile.total_ms[n])
    requests = int(ended.sum())

    def percent(*kinds: int) -> float:
        return round(100 * float(ended[list(kinds)].sum()) / max(requests, 1), 3)

    return {
        "endpoint": ALL if n is None else profile.names[n],
        "requests": requests,
        "failed, %": percent(FAILED, GIVEN_UP),
        "429, %": percent(TURNED_AWAY),
        "other 4xx, %": percent(REFUSED),
        **{f"{name}, ms": profile.quantile(q, n) for name, q in QUANTILES.items()},
        "longest, ms": float(profile.most.max() if n is None else profile.most[n]),
        "share of time, %": round(100 * spent / max(float(profile.total_ms.sum()), 1e-9), 1),
    }


def slowest(profile: Profile) -> Any:
    """A data frame: the slowest requests, and where to look them up."""
    import pandas as pd

    rows = [
        {
            "ms": ms,
            "endpoint": profile.names[n],
            "at (UTC)": when(at),
            "file": name,
            "line or row": line,
        }
        for ms, at, n, name, line in sorted(profile.slowest, reverse=True)
    ]
    return pd.DataFrame(rows)


def files(profile: Profile) -> Any:
    """A data frame: what each file gave; those with a problem first."""
    import pandas as pd

    rows = [
        {
            "file": file.name,
            "requests": file.requests,
            "problem": file.problem or "—",
            "clock went back": file.jumps_back,
        }
        for file in sorted(profile.files, key=lambda f: not f.problem)
    ]
    return pd.DataFrame(rows)


def rejected(profile: Profile) -> Any:
    """A data frame: lines and rows that could not be used, by the reason."""
    import pandas as pd

    return pd.DataFrame(profile.broken.most_common(), columns=["reason", "count"])


def examples(profile: Profile) -> Any:
    """A data frame: the first lines that could not be read, without their query strings."""
    import pandas as pd

    return pd.DataFrame(profile.examples, columns=["file", "line", "reason", "begins with"])


def shifts(comparison: Comparison) -> Any:
    """A data frame: each percentile before and after, and whether it moved."""
    import pandas as pd

    rows = [
        {
            "endpoint": shift.endpoint,
            "percentile": shift.percentile,
            "before, ms": shift.before,
            "after, ms": shift.after,
            "change": change(shift.ratio),
            "at least": change(shift.low),
            "at most": change(shift.high),
            "verdict": shift.verdict,
            "Cliff's delta": _delta(shift),
        }
        for shift in comparison.shifts
    ]
    return pd.DataFrame(rows)


def _delta(shift: Shift) -> str:
    return "—" if shift.delta is None else f"{shift.delta:+.2f} ({shift.size})"


def failures(comparison: Comparison) -> Any:
    """A data frame: how often each endpoint failed before and after."""
    import pandas as pd

    rows = [
        {
            "endpoint": one.endpoint,
            "failed before, %": round(one.before, 3),
            "failed after, %": round(one.after, 3),
            "change, points": _points(one.after - one.before),
            "at least": _points(one.low),
            "at most": _points(one.high),
            "it fails": one.verdict,
        }
        for one in comparison.failures
    ]
    return pd.DataFrame(rows)


def _points(given: float | None) -> str:
    return "—" if given is None else f"{given:+.3g}"


def change(ratio: float | None) -> str:
    """A ratio as a change in percent; from doubling on, as a factor."""
    if ratio is None:
        return "—"
    return f"x {ratio:.3g}" if ratio >= 2 else f"{100 * (ratio - 1):+.1f} %"


def when(at: float) -> str:
    """A time in UTC as people read it."""
    try:
        told = datetime.fromtimestamp(round(at, 3), UTC)
        return told.isoformat(" ", "seconds" if at == int(at) else "milliseconds")[:-6]
    except (ValueError, OverflowError, OSError):
        return "—"


def over_time(profile: Profile, n: int | None = None) -> Any:
    """A data frame: requests, failures and percentiles of each stretch of time."""
    import pandas as pd

    from .histogram import COARSE, quantile

    count = profile.slices.count
    held = profile.over_time.sum(axis=0) if n is None else profile.over_time[n]
    rows = []
    starts = profile.slices.starts()
    history = profile.histories(n)
    most = float(profile.most.max() if n is None else profile.most[n])
    for k in range(count):
        requests, failed = held[k].tolist()
        found = {
            f"{name}, ms": quantile(history[k], q, COARSE, most)
            for name, q in list(QUANTILES.items())[:3]
        }
        failing = 100 * failed / requests if requests else math.nan
        row = {"from (UTC)": when(starts[k]), "requests": requests, "failed, %": failing}
        rows.append(row | {name: np.nan if v is None else v for name, v in found.items()})
    return pd.DataFrame(rows)
