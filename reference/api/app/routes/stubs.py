"""What does not exist yet and says so: declared in the OpenAPI document with its status code."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException

from app.access import GUARDED, OracleWriter, VaultReader, VaultWriter, answers
from app.schemas import Problem

router = APIRouter(tags=["stubs"])


@router.post("/api/oracle/multi-user", status_code=503, responses=GUARDED)
async def multi_user(principal: OracleWriter) -> Problem:
    """Readings for several people: the engines have not been rebuilt."""
    raise HTTPException(503, "Multi-user readings are not available yet.")


@router.get("/api/scanner/status", status_code=501, responses=GUARDED | answers(501))
async def scanner_status(principal: VaultReader) -> Problem:
    """What the scanner is doing: there is no scanner yet."""
    raise HTTPException(501, "The scanner has not been built yet.")


@router.post("/api/scanner/start", status_code=501, responses=GUARDED | answers(501))
async def scanner_start(principal: VaultWriter) -> Problem:
    """Start the scanner: there is no scanner yet."""
    raise HTTPException(501, "The scanner has not been built yet.")


@router.post("/api/scanner/stop", status_code=501, responses=GUARDED | answers(501))
async def scanner_stop(principal: VaultWriter) -> Problem:
    """Stop the scanner: there is no scanner yet."""
    raise HTTPException(501, "The scanner has not been built yet.")
