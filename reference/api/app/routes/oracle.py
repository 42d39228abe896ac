"""People and readings. Names of mothers, questions and interpretations are sealed at rest."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app.access import GUARDED, OracleReader, OracleWriter, answers, get_own, own
from app.database import transaction
from app.models import OracleReading, OracleUser
from app.schemas import (
    Daily,
    Limit,
    Moment,
    NewOracleUser,
    NewReading,
    Offset,
    OracleUserChange,
    Question,
    Reading,
)
from app.schemas import OracleUser as OracleUserOut
from app.services import audit, oracle
from app.services.security import seal, unseal
from app.services.tokens import Principal

router = APIRouter(prefix="/api/oracle", tags=["oracle"])
log = logging.getLogger(__name__)

SEALED_OF_USER = ("mother_name", "mother_name_persian")
SEALED_OF_READING = (
    "question",
    "question_persian",
    "ai_interpretation",
    "ai_interpretation_persian",
)


def opened(row: OracleUser | OracleReading, sealed: tuple[str, ...]) -> dict[str, Any]:
    """A row's columns with the sealed ones in clear. One damaged value must not hide the rest."""
    values = {column.name: getattr(row, column.name) for column in row.__table__.columns}
    for name in sealed:
        try:
            values[name] = unseal(values[name])
        except ValueError:
            log.error("a sealed value in column %s does not open", name)
            values[name] = None
    return values


@router.get("/users", responses=GUARDED)
def list_oracle_users(
    principal: OracleReader, limit: Limit = 20, offset: Offset = 0
) -> list[OracleUserOut]:
    """The caller's people, newest first."""
    query = select(OracleUser).where(OracleUser.deleted_at.is_(None))
    query = query.order_by(OracleUser.created_at.desc()).limit(limit).offset(offset)
    with transaction() as session:
        rows = session.scalars(own(query, OracleUser, principal, "oracle")).all()
    return [OracleUserOut(**opened(row, SEALED_OF_USER)) for row in rows]


@router.post("/users", status_code=201, responses=GUARDED | answers(409))
def create_oracle_user(
    body: NewOracleUser, principal: OracleWriter, request: Request
) -> OracleUserOut:
    """Add a person."""
    row = OracleUser(
        owner_id=principal.user_id,
        name=body.name,
        birthday=body.birthday,
        mother_name=seal(body.mother_name),
        mother_name_persian=seal(body.mother_name_persian),
    )
    try:
        with transaction() as session:
            session.add(row)
            session.flush()
            session.refresh(row)
            what = ("oracle_user", row.id)
            audit.record(session, request, "oracle_user.create", who=principal, resource=what)
    except IntegrityError:
        raise HTTPException(409, "That person is there already.") from None
    return OracleUserOut(**opened(row, SEALED_OF_USER))


@router.get("/users/{oracle_user_id}", responses=GUARDED | answers(404))
def get_oracle_user(
    oracle_user_id: UUID, principal: OracleReader, request: Request
) -> OracleUserOut:
    """One person."""
    with transaction() as session:
        row = get_own(session, request, OracleUser, oracle_user_id, principal, "oracle")
    return OracleUserOut(**opened(row, SEALED_OF_USER))


@router.patch("/users/{oracle_user_id}", responses=GUARDED | answers(404, 409))
def change_oracle_user(
    oracle_user_id: UUID, body: OracleUserChange, principal: OracleWriter, request: Request
) -> OracleUserOut:
    """Change what is given and leave the rest."""
    changes = body.model_dump(exclude_none=True)
    changes |= {name: seal(changes[name]) for name in SEALED_OF_USER if name in changes}
    try:
        with transaction() as session:
            row = get_own(session, request, OracleUser, oracle_user_id, principal, "oracle")
            for name, value in changes.items():
                setattr(row, name, value)
            what = ("oracle_user", row.id)
            audit.record(session, request, "oracle_user.change", who=principal, resource=what)
            session.flush()
            session.refresh(row)
    except IntegrityError:
        raise HTTPException(409, "That person is there already.") from None
    return OracleUserOut(**opened(row, SEALED_OF_USER))


@router.delete("/users/{oracle_user_id}", status_code=204, responses=GUARDED | answers(404))
def delete_oracle_user(oracle_user_id: UUID, principal: OracleWriter, request: Request) -> None:
    """Stop serving a person; the row stays."""
    with transaction() as session:
        row = get_own(session, request, OracleUser, oracle_user_id, principal, "oracle")
        row.deleted_at = func.now()
        what = ("oracle_user", oracle_user_id)
        audit.record(session, request, "oracle_user.delete", who=principal, resource=what)


@router.get("/daily", responses=GUARDED)
def daily(principal: OracleReader) -> Daily:
    """What today is about. Costly, so it is limited in short bursts (middleware.COSTLY)."""
    today = datetime.now(UTC)
    return Daily(day=today.date(), result=oracle.read_time(today))


@router.get("/readings", responses=GUARDED)
def list_readings(principal: OracleReader, limit: Limit = 20, offset: Offset = 0) -> list[Reading]:
    """The caller's readings, newest first."""
    query = select(OracleReading).where(OracleReading.deleted_at.is_(None))
    query = query.order_by(OracleReading.created_at.desc()).limit(limit).offset(offset)
    with transaction() as session:
        rows = session.scalars(own(query, OracleReading, principal, "oracle")).all()
    return [Reading(**opened(row, SEALED_OF_READING)) for row in rows]


@router.post("/readings", status_code=201, responses=GUARDED | answers(404))
def create_reading(body: NewReading, principal: OracleWriter, request: Request) -> Reading:
    """Ask a question about a person, or about nobody in particular."""
    result = oracle.read_question(body.question)
    with transaction() as session:
        if body.oracle_user_id:
            person = get_own(session, request, OracleUser, body.oracle_user_id, principal, "oracle")
            result["life_path"] = oracle.life_path(person.birthday)
    return keep(
        principal,
        request,
        "reading",
        result,
        oracle_user_id=body.oracle_user_id,
        question=seal(body.question),
        question_persian=seal(body.question_persian),
    )


@router.get("/readings/{reading_id}", responses=GUARDED | answers(404))
def get_reading(reading_id: UUID, principal: OracleReader, request: Request) -> Reading:
    """One reading."""
    with transaction() as session:
        row = get_own(session, request, OracleReading, reading_id, principal, "oracle")
    return Reading(**opened(row, SEALED_OF_READING))


@router.delete("/readings/{reading_id}", status_code=204, responses=GUARDED | answers(404))
def delete_reading(reading_id: UUID, principal: OracleWriter, request: Request) -> None:
    """Stop serving a reading; the row stays."""
    with transaction() as session:
        row = get_own(session, request, OracleReading, reading_id, principal, "oracle")
        row.deleted_at = func.now()
        what = ("oracle_reading", reading_id)
        audit.record(session, request, "oracle_reading.delete", who=principal, resource=what)


@router.post("/time", status_code=201, responses=GUARDED)
def ask_time(body: Moment, principal: OracleWriter, request: Request) -> Reading:
    """What a moment says; now, unless told otherwise."""
    result = oracle.read_time(body.moment or datetime.now(UTC))
    return keep(principal, request, "time", result)


@router.post("/question", status_code=201, responses=GUARDED)
def ask_question(body: Question, principal: OracleWriter, request: Request) -> Reading:
    """What a question says; worded by the outside provider if `interpret` asks for that."""
    result = oracle.read_question(body.question)
    interpretation = None
    if body.interpret:
        # Before any connection is taken: this waits for somebody else.
        interpretation, result["worded_by"] = oracle.interpret(result["number"])
    return keep(
        principal,
        request,
        "question",
        result,
        question=seal(body.question),
        ai_interpretation=seal(interpretation),
    )


def keep(
    principal: Principal, request: Request, kind: str, result: dict[str, Any], **columns: Any
) -> Reading:
    """Store a reading and answer it."""
    row = OracleReading(
        owner_id=principal.user_id, question_type=kind, reading_result=result, **columns
    )
    with transaction() as session:
        session.add(row)
        session.flush()
        session.refresh(row)
        what = ("oracle_reading", row.id)
        audit.record(session, request, "oracle_reading.create", who=principal, resource=what)
    return Reading(**opened(row, SEALED_OF_READING))
