"""The tables. Columns that hold secrets or personal data store `ENC4:` envelopes only."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base

NEW_ID = text("gen_random_uuid()")
NOW = text("now()")


class User(Base):
    """Somebody who can log in."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'moderator', 'user', 'readonly')", name="role"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=NEW_ID)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16), server_default=text("'user'"))
    is_active: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)


class ApiKey(Base):
    """A key for machines. Only its SHA-256 is kept: the key has 256 random bits of its own."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=NEW_ID)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RevokedToken(Base):
    """A token, or a whole session of tokens, that is refused until it would have expired."""

    __tablename__ = "revoked_tokens"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    revoked_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class OracleUser(Base):
    """A person whom readings are about."""

    __tablename__ = "oracle_users"
    __table_args__ = (
        CheckConstraint("birthday >= '1000-01-01'::date", name="birthday"),
        Index(
            "oracle_users_owner_name_birthday_key",
            "owner_id",
            "name",
            "birthday",
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=NEW_ID)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    birthday: Mapped[date] = mapped_column(Date)
    mother_name: Mapped[str | None] = mapped_column(Text)
    mother_name_persian: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=NOW, onupdate=NOW
    )
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class OracleReading(Base):
    """One answer of the oracle."""

    __tablename__ = "oracle_readings"
    __table_args__ = (
        CheckConstraint("question_type IN ('time', 'question', 'reading')", name="question_type"),
        Index("ix_oracle_readings_owner_id_created_at", "owner_id", text("created_at DESC")),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=NEW_ID)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    oracle_user_id: Mapped[UUID | None] = mapped_column(ForeignKey("oracle_users.id"), index=True)
    question_type: Mapped[str] = mapped_column(String(16))
    question: Mapped[str | None] = mapped_column(Text)
    question_persian: Mapped[str | None] = mapped_column(Text)
    ai_interpretation: Mapped[str | None] = mapped_column(Text)
    ai_interpretation_persian: Mapped[str | None] = mapped_column(Text)
    reading_result: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Finding(Base):
    """A wallet that the scanner found; its secrets go in and are never served again."""

    __tablename__ = "findings"
    __table_args__ = (
        CheckConstraint("chain IN ('btc', 'eth')", name="chain"),
        CheckConstraint("balance >= 0", name="balance"),
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=NEW_ID)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    chain: Mapped[str] = mapped_column(String(8))
    address: Mapped[str] = mapped_column(String(100), unique=True)
    balance: Mapped[Decimal] = mapped_column(Numeric(28, 8), server_default=text("0"))
    private_key_enc: Mapped[str | None] = mapped_column(Text)
    seed_phrase_enc: Mapped[str | None] = mapped_column(Text)
    wif_enc: Mapped[str | None] = mapped_column(Text)
    extended_private_key_enc: Mapped[str | None] = mapped_column(Text)
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=NOW)


class AuditEntry(Base):
    """Who did what, when and from where. The application's role may add rows, not change them."""

    __tablename__ = "oracle_audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    timestamp: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=NOW, index=True
    )
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    action: Mapped[str] = mapped_column(String(64))
    resource_type: Mapped[str | None] = mapped_column(String(64))
    resource_id: Mapped[str | None] = mapped_column(String(64))
    success: Mapped[bool] = mapped_column(Boolean)
    ip_address: Mapped[str | None] = mapped_column(String(45))
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))


class LoginFailures(Base):
    """Failed logins of one name. In the database because every worker must see them at once."""

    __tablename__ = "login_failures"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    username: Mapped[str] = mapped_column(String(64), primary_key=True)
    failures: Mapped[int] = mapped_column(Integer)
    last_failure: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class RateCounter(Base):
    """Requests of one caller in the current window; UNLOGGED, as a crash may forget them."""

    __tablename__ = "rate_counters"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    bucket: Mapped[str] = mapped_column(String(80), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    hits: Mapped[int] = mapped_column(Integer)
