"""What goes in and out. Everything is bounded, and PostgreSQL's one forbidden character is too."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app import models

Role = Literal["admin", "moderator", "user", "readonly"]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Secret = Annotated[str, StringConstraints(max_length=10_000)]  # sealed before it is stored
Username = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_.-]{3,64}$")]
Password = Annotated[str, StringConstraints(min_length=12, max_length=128)]
Birthday = Annotated[date, Field(ge=date(1000, 1, 1))]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0, le=1_000_000)]


class Input(BaseModel):
    """A request body: an unknown field is an error and not silently dropped."""

    model_config = ConfigDict(extra="forbid")


class Output(BaseModel):
    """An answer, readable from a table's row."""

    model_config = ConfigDict(from_attributes=True)


class Problem(BaseModel):
    """Every error that the service answers."""

    detail: Any


class Health(BaseModel):
    status: Literal["ok"]
    version: str
    commit: str


class Readiness(BaseModel):
    status: Literal["ready", "unavailable"]
    checks: dict[str, Literal["ok", "failed"]]


class Login(Input):
    username: Annotated[str, StringConstraints(max_length=64, pattern=r"^[^\x00]*$")]
    password: Annotated[str, StringConstraints(max_length=128)]


class Refresh(Input):
    refresh_token: Annotated[str, StringConstraints(max_length=2_000)]


class Tokens(BaseModel):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"
    expires_in: int


class NewUser(Input):
    username: Username
    password: Password
    role: Role = "user"


class UserChange(Input):
    role: Role | None = None
    is_active: bool | None = None


class User(Output):
    id: UUID
    username: str
    role: Role
    is_active: bool
    created_at: datetime


class Me(BaseModel):
    id: UUID | None
    username: str
    role: Role
    scopes: list[str]


class NewApiKey(Input):
    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    scopes: list[Literal["oracle:read", "oracle:write", "vault:read", "vault:write"]]


class ApiKey(Output):
    id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class CreatedApiKey(ApiKey):
    key: str = Field(description="Shown this once; only its hash is kept.")


class NewOracleUser(Input):
    name: Name
    birthday: Birthday
    mother_name: Secret | None = None
    mother_name_persian: Secret | None = None


class OracleUserChange(Input):
    name: Name | None = None
    birthday: Birthday | None = None
    mother_name: Secret | None = None
    mother_name_persian: Secret | None = None


class OracleUser(BaseModel):
    id: UUID
    name: str
    birthday: date
    mother_name: str | None
    mother_name_persian: str | None
    created_at: datetime
    updated_at: datetime


class NewReading(Input):
    oracle_user_id: UUID | None = None
    question: Secret
    question_persian: Secret | None = None


class Question(Input):
    question: Secret
    interpret: bool = False


class Moment(Input):
    moment: datetime | None = None


class Reading(BaseModel):
    id: UUID
    oracle_user_id: UUID | None
    question_type: str
    question: str | None
    question_persian: str | None
    ai_interpretation: str | None
    ai_interpretation_persian: str | None
    reading_result: dict[str, Any]
    created_at: datetime


class Daily(BaseModel):
    day: date
    result: dict[str, Any]


class NewFinding(Input):
    chain: Literal["btc", "eth"]
    address: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{20,100}$")]
    balance: Annotated[Decimal, Field(ge=0, max_digits=28, decimal_places=8)] = Decimal(0)
    private_key: Secret | None = None
    seed_phrase: Secret | None = None
    wif: Secret | None = None
    extended_private_key: Secret | None = None


class Finding(BaseModel):
    """What is told of a finding; its secrets never leave by this door."""

    id: UUID
    chain: str
    address: str
    balance: Decimal
    secrets: list[str]
    found_at: datetime

    @classmethod
    def of(cls, row: models.Finding) -> Finding:
        kinds = ("private_key", "seed_phrase", "wif", "extended_private_key")
        return cls(
            id=row.id,
            chain=row.chain,
            address=row.address,
            balance=row.balance,
            secrets=[kind for kind in kinds if getattr(row, f"{kind}_enc") is not None],
            found_at=row.found_at,
        )


class AuditEntry(Output):
    id: int
    timestamp: datetime
    user_id: UUID | None
    action: str
    resource_type: str | None
    resource_id: str | None
    success: bool
    ip_address: str | None
    details: dict[str, Any]
