"""A run on disk: the model of findings.json, and finding runs again."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from .decision import AreaResult, Decision
from .documents import ROOT
from .finding import Finding
from .policy import Stage
from .waivers import Considered

OUTPUTS = ROOT / "outputs"
RUN_NAME = re.compile(r"^\d{8}T\d{6}Z$")


class RecordError(ValueError):
    """A run folder that cannot be used; the message says what is missing or wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Tool(_Strict):
    version: str
    commit: str


class AuditedTarget(_Strict):
    name: str
    version: str
    commit: str


class NotebookRun(_Strict):
    """How the run of one notebook went: seconds of wall time, and what broke it, if anything."""

    area: str
    seconds: float
    kernel_start_s: float
    problem: str | None = None


class Record(_Strict):
    """findings.json: everything a run found and what was decided from it."""

    schema_: Literal["readiness/findings/v1"] = "readiness/findings/v1"
    environment: str
    run: str
    stage: Stage
    started: datetime
    finished: datetime
    tool: Tool
    checks: dict[str, str] = {}  # what each check was made of, as fingerprint says it
    target: AuditedTarget
    permit: list[str]
    postgresql: str
    notebooks: list[NotebookRun]
    areas: list[AreaResult]
    findings: list[Finding]
    decision: Decision
    waivers: list[Considered] = []  # every waiver on file for the environment
    policy: str  # the digest of the policy in force, as Policy.digest says it
    valid_until: datetime  # when the first evidence or waiver it rests on expires
    previous: str | None = None

    def to_json(self) -> str:
        raw = self.model_dump(mode="json")
        return (
            json.dumps({"schema": raw.pop("schema_"), **raw}, indent=1, ensure_ascii=False) + "\n"
        )

    @classmethod
    def read(cls, run: Path) -> Record:
        """Read ``run/findings.json``; raises RecordError when it is not there or does not hold."""
        path = run / "findings.json"
        try:
            raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            raw["schema_"] = raw.pop("schema")
            return cls.model_validate(raw)
        except (OSError, ValueError, KeyError, AttributeError) as broke:
            said: object = broke
            if isinstance(broke, ValidationError):
                first = broke.errors()[0]
                said = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise RecordError(
                f"{run} is not a run that can be read: findings.json: {said}"
            ) from None


def environments(outputs: Path = OUTPUTS) -> list[Path]:
    """The folders of the environments that were audited, by name."""
    found = outputs.iterdir() if outputs.is_dir() else ()
    return sorted(p for p in found if p.is_dir() and not p.name.startswith((".", "_")))


def runs(environment: str, outputs: Path = OUTPUTS) -> list[Path]:
    """The complete runs of an environment, oldest first."""
    folder = outputs / environment
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted(p for p in found if p.is_dir() and RUN_NAME.match(p.name))


def latest(environment: str, outputs: Path = OUTPUTS) -> Path | None:
    """The newest complete run of an environment: one that covered every area."""
    link = outputs / environment / "latest"
    return link.resolve() if link.exists() else None
