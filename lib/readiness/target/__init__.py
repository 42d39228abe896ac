"""The description of a target: ``target:`` of a params file, section by section.

Every section is optional. What is left out leaves its checks not measured, and they say which key
is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import PrivateAttr, field_validator

from ..traffic import Traffic
from ..variables import Deferred
from .access import (
    Account,
    AuditLog,
    Lockout,
    Logout,
    Owned,
    Permissions,
    RateLimit,
    Revocation,
    WebSocket,
)
from .ai import Ai, Meanwhile, Provider, Situation
from .checksums import Checksums
from .database import Backup, Database, Orm
from .declaration import Declaration
from .encryption import CipherCode, Encryption
from .frontend import Frontend, PageTargets
from .http import (
    Authentication,
    Canary,
    HealthEndpoint,
    Http,
    LatencySampling,
    LatencyTarget,
    Metrics,
    Outage,
    Probing,
    ResponseClass,
    Role,
    SoftDelete,
    Stub,
    Tls,
)
from .load import Load, LoadRequest, PercentileTargets
from .migrations import Migrations
from .plaintext import Plaintext
from .queries import Queries, Statement
from .repository import (
    Allowance,
    Compose,
    Dependencies,
    ExpectedFailure,
    Gate,
    Reports,
    Repository,
)
from .section import Request, Safety, Section, need

__all__ = [
    "Account",
    "Ai",
    "Allowance",
    "AuditLog",
    "Authentication",
    "Backup",
    "Canary",
    "Checksums",
    "CipherCode",
    "Compose",
    "Database",
    "Declaration",
    "Dependencies",
    "Encryption",
    "ExpectedFailure",
    "Frontend",
    "Gate",
    "HealthEndpoint",
    "Http",
    "LatencySampling",
    "LatencyTarget",
    "Load",
    "LoadRequest",
    "Lockout",
    "Logout",
    "Meanwhile",
    "Metrics",
    "Migrations",
    "Orm",
    "Outage",
    "Owned",
    "PageTargets",
    "PercentileTargets",
    "Permissions",
    "Plaintext",
    "Probing",
    "Provider",
    "Queries",
    "RateLimit",
    "Reports",
    "Repository",
    "Request",
    "ResponseClass",
    "Revocation",
    "Role",
    "Safety",
    "Section",
    "Situation",
    "SoftDelete",
    "Statement",
    "Stub",
    "Target",
    "Tls",
    "WebSocket",
    "need",
]


class Target(Section):
    """``target:`` of a params file, with what may be done to it.

    A section that is missing leaves its checks not measured: sources ask with ``need``.
    """

    name: str
    version: Deferred | None = None
    commit: Deferred | None = None
    http: Http | None = None
    ai: Ai | None = None
    load: Load | None = None
    frontend: Frontend | None = None
    database: Database | None = None
    queries: Queries = Queries()
    orm: Orm | None = None
    migrations: Migrations | None = None
    repository: Repository | None = None
    encryption: list[Encryption] = []  # one format may be written without the list
    plaintext: Plaintext = Plaintext()
    checksums: Checksums = Checksums()
    backup: Backup | None = None
    reports: Reports | None = None
    declarations: dict[str, Declaration] = {}  # check -> what is said to hold
    not_applicable: dict[str, str] = {}  # check -> why it does not apply
    _permit: frozenset[Safety] = PrivateAttr(default=frozenset({"passive"}))
    _traffic: Traffic = PrivateAttr(default_factory=Traffic)
    _answers: Callable[[], list[dict[str, Any]]] | None = PrivateAttr(default=None)

    @field_validator("encryption", mode="before")
    @classmethod
    def _one_format(cls, given: Any) -> Any:
        return [given] if isinstance(given, dict | Encryption) else given

    @property
    def permit(self) -> frozenset[Safety]:
        """The safety classes that the environment allows."""
        return self._permit

    @property
    def traffic(self) -> Traffic:
        """What was sent to this target so far, by whichever source; copies share it."""
        return self._traffic

    def allowing(self, permit: Iterable[Safety]) -> Target:
        """The same target with these safety classes allowed."""
        copy = self.model_copy()
        copy._permit = frozenset(permit)
        return copy

    @property
    def answers(self) -> list[dict[str, Any]] | None:
        """What this audit has found out about the target so far; None outside of an audit."""
        return self._answers() if self._answers else None

    def answered_by(self, answers: Callable[[], list[dict[str, Any]]]) -> Target:
        """The same target with a way to ask for the answers of its audit."""
        copy = self.model_copy()
        copy._answers = answers
        return copy
