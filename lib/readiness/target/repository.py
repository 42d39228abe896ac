"""The target's repository and the reports that its pipeline leaves."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field

from ..documents import ROOT
from ..variables import Deferred
from .section import Section


class Compose(Section):
    """The Compose project; without ``files`` it is what Docker would take by default."""

    files: list[str] = []  # in the repository, in the order of -f
    services: list[str] = []  # the containers that must be defined
    stubs: list[str] = []  # services that are placeholders, by declaration
    stores: list[str] = []  # data stores, beside those recognised by image or port
    variables: dict[str, str] = {}  # values the environment gives to ${NAME} there; no secrets


class Allowance(Section):
    """What a scan of the sources finds and is meant to be there; ``file`` with * and ?."""

    rule: str
    file: str
    reason: str


class Gate(Section):
    """The switch that code which starts programs or runs data as code stands behind."""

    name: str  # as the code tests it: a variable of the environment, or a setting
    files: list[str]  # with * and ?
    value: Deferred | None = None  # in this environment; without, what the repository sets


class Dependencies(Section):
    """What the target is built from; without these, the manifests that are found."""

    python: list[str] = []  # requirements files, pinned
    npm: list[str] = []  # folders with a package-lock.json
    osv_url: Deferred | None = None  # of an advisory service, where the public one is out of reach
    npm_registry: Deferred | None = None


class Repository(Section):
    path: Deferred
    code: list[str] = []  # folders of what runs in production; without, everything but tests
    assets: list[str] = []  # folders of the built front end
    secret_allowances: list[Allowance] = []
    code_allowances: list[Allowance] = []
    gates: list[Gate] = []
    dependencies: Dependencies = Dependencies()
    compose: Compose | None = None
    init_sql: str | None = None
    init_roles: list[str] = []  # roles that the platform makes before init.sql is loaded

    @property
    def folder(self) -> Path:
        """Where it lies; a relative path counts from this project's folder."""
        return ROOT / self.path.value()


class ExpectedFailure(Section):
    """Tests that are known to fail; ``test`` is an id with * and ?."""

    test: str
    reason: str
    expires: date  # the last day (UTC) on which it excuses anything


class Reports(Section):
    """Test reports; each entry is a file or a pattern below ``path``."""

    path: Deferred
    unit: list[str] = []
    integration: list[str] = []
    e2e: list[str] = []
    commit: Deferred | None = None  # under assessment; without it, target.commit
    commit_file: str | None = None  # below path; for reports that do not name their commit
    max_age_hours: float = Field(default=168, gt=0)
    min_tests: dict[Literal["unit", "integration", "e2e"], int] = {}  # fewer: a suite was lost
    expected_failures: list[ExpectedFailure] = []
