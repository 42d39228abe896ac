"""Deliberate flaws in how the outside provider is waited for (see flaws.py)."""

from __future__ import annotations

from dataclasses import replace

from fastapi import FastAPI

from app.flaws import flaw
from app.services import oracle


@flaw("provider-hangs")
def _no_time_out(_app: FastAPI) -> None:
    patient = replace(oracle.settings(), ai_timeout_seconds=3600)
    oracle.settings = lambda: patient  # type: ignore[assignment]


@flaw("provider-errors-passed-on")
def _no_fallback(_app: FastAPI) -> None:
    oracle.interpret = lambda number: (oracle.ask_provider({"number": number}), "provider")
