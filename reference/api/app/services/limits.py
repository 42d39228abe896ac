"""Rate limits that hold across workers: one row for each caller and window."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

WINDOW_SECONDS = 60
BURST_SECONDS = 3


@dataclass(frozen=True)
class Allowance:
    """Where a caller stands in the current window."""

    limit: int
    hits: int
    reset_seconds: int

    @property
    def exceeded(self) -> bool:
        return self.hits > self.limit

    def headers(self) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.hits)),
            "X-RateLimit-Reset": str(self.reset_seconds),
        }
        return {**headers, "Retry-After": str(self.reset_seconds)} if self.exceeded else headers


COUNT = text(
    """INSERT INTO rate_counters AS r (bucket, window_start, hits) VALUES (:bucket, now(), 1)
       ON CONFLICT (bucket) DO UPDATE SET
         hits = CASE WHEN r.window_start > now() - make_interval(secs => :window)
                     THEN r.hits + 1 ELSE 1 END,
         window_start = CASE WHEN r.window_start > now() - make_interval(secs => :window)
                             THEN r.window_start ELSE now() END
       RETURNING hits,
         ceil(extract(epoch FROM window_start - now()) + :window)::int AS reset_seconds"""
)


def count(session: Session, bucket: str, limit: int, window: int = WINDOW_SECONDS) -> Allowance:
    """Count one request in a bucket: one statement, so that concurrent requests all count."""
    row = session.execute(COUNT, {"bucket": bucket, "window": window}).one()
    return Allowance(limit, row.hits, max(1, row.reset_seconds))
