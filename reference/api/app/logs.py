"""Logs: one JSON object for each line, whoever logged it. Named in `logging.json`."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class JsonFormatter(logging.Formatter):
    """One line of JSON for each record, a traceback included, whoever logged it."""

    FIELDS = ("method", "route", "status", "duration_ms", "client")

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id.get(),
        }
        line |= {f: getattr(record, f) for f in self.FIELDS if hasattr(record, f)}
        if record.exc_info and record.exc_info != (None, None, None):
            kind, _, trace = record.exc_info
            # Where it happened, not what it said: messages of errors quote rows and parameters.
            frames = []
            while trace:
                code = trace.tb_frame.f_code
                frames.append(f"{Path(code.co_filename).name}:{trace.tb_lineno} {code.co_name}")
                trace = trace.tb_next
            line["error"] = {"type": kind.__name__ if kind else "unknown", "trace": frames[-8:]}
        return json.dumps(line)
