"""Settings from the environment, read once.

Importing the package needs no environment, so that tools can look at the models and at the
OpenAPI document; `Settings.check` is what refuses to serve with a secret that anyone could know.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache

# What people leave in place: openings of the placeholders in .env.example and of usual defaults.
PLACEHOLDERS = ("change", "example", "placeholder", "your", "secret", "password", "default", "test")
SHORTEST_SECRET = 32


class UnsafeSettings(RuntimeError):
    """The service must not start like this; the message names variables and never values."""


@dataclass(frozen=True)
class Settings:
    """One field for each variable of `.env.example` that the API reads."""

    database_url: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    encryption_key: str = field(repr=False)
    encryption_salt: str = field(repr=False)
    api_secret_key: str = field(repr=False)
    rate_limit_per_minute: int
    login_limit_per_minute: int
    burst_limit: int
    lockout_failures: int
    lockout_seconds: int
    ai_url: str
    ai_timeout_seconds: float
    commit: str

    @classmethod
    def from_environment(cls) -> Settings:
        return cls(
            database_url=os.environ.get("DATABASE_URL", ""),
            jwt_secret=os.environ.get("NPS_JWT_SECRET", ""),
            encryption_key=os.environ.get("NPS_ENCRYPTION_KEY", ""),
            encryption_salt=os.environ.get("NPS_ENCRYPTION_SALT", ""),
            api_secret_key=os.environ.get("NPS_API_SECRET_KEY", ""),
            rate_limit_per_minute=int(os.environ.get("NPS_RATE_LIMIT_PER_MINUTE", "60")),
            login_limit_per_minute=int(os.environ.get("NPS_LOGIN_LIMIT_PER_MINUTE", "10")),
            burst_limit=int(os.environ.get("NPS_BURST_LIMIT", "12")),
            lockout_failures=int(os.environ.get("NPS_LOCKOUT_FAILURES", "5")),
            lockout_seconds=int(os.environ.get("NPS_LOCKOUT_SECONDS", "300")),
            ai_url=os.environ.get("NPS_AI_URL", ""),
            ai_timeout_seconds=float(os.environ.get("NPS_AI_TIMEOUT_SECONDS", "10")),
            commit=os.environ.get("NPS_COMMIT", "unknown"),
        )

    def check(self) -> None:
        """Refuse secrets that are missing, short, or known to everybody."""
        secrets = {
            "NPS_JWT_SECRET": self.jwt_secret,
            "NPS_ENCRYPTION_KEY": self.encryption_key,
            "NPS_ENCRYPTION_SALT": self.encryption_salt,
        }
        if self.api_secret_key:  # the legacy key is optional: left empty, that way in is shut
            secrets["NPS_API_SECRET_KEY"] = self.api_secret_key
        unsafe = [name for name, value in secrets.items() if is_placeholder(value)]
        if not self.database_url:
            unsafe.append("DATABASE_URL")
        if unsafe:
            raise UnsafeSettings(f"missing, short or placeholder: {', '.join(unsafe)}")


def is_placeholder(secret: str) -> bool:
    """Whether a secret is one that an attacker would try first."""
    return len(secret) < SHORTEST_SECRET or secret.lower().startswith(PLACEHOLDERS)


@cache
def settings() -> Settings:
    """The settings of this process."""
    return Settings.from_environment()


def cors_origins() -> list[str]:
    """The origins that may call from a browser: an explicit list, empty unless configured."""
    return [o for o in os.environ.get("NPS_CORS_ORIGINS", "").split(",") if o]


def docs_enabled() -> bool:
    """Whether the interactive documentation is served; off unless switched on."""
    return os.environ.get("NPS_DOCS", "off") == "on"
