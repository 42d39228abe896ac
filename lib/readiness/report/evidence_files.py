"""The evidence of a run, read for the report: which tools, how many requests, what records."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from ..finding import Finding

LARGEST_BYTES = 50_000_000  # of one evidence file that the report reads


class EvidenceFiles:
    """The evidence files that a run's findings name. One that cannot be read counts as absent."""

    def __init__(self, run: Path, findings: Sequence[Finding]) -> None:
        self._run = run
        self._findings = findings

    def of(self, check: str) -> list[dict[str, Any]]:
        """The evidence that a check was judged from."""
        return [
            content
            for finding in self._findings
            if finding.check == check
            for file in finding.evidence
            if (content := self._read(file.path))
        ]

    def records(self, check: str) -> list[dict[str, Any]]:
        return [r for one in self.of(check) for r in one["records"] if isinstance(r, dict)]

    @cached_property
    def collected(self) -> list[dict[str, Any]]:
        """Source, tools, seconds and requests of each collection; once, however many judged it."""
        seen: dict[tuple[str, str], dict[str, Any]] = {}
        for content in self._all():
            sent = content["facts"].get("requests_sent")
            seen[str(content.get("source")), str(content.get("collected_at"))] = {
                "source": content.get("source"),
                "tools": content.get("tools") or {},
                "duration_s": content.get("duration_s") or 0.0,
                "requests": sent if isinstance(sent, int) else 0,
            }
        return [seen[key] for key in sorted(seen)]

    def tools(self) -> dict[str, list[str]]:
        """Programs and libraries that measured, with the versions seen."""
        found: dict[str, set[str]] = {}
        for one in self.collected:
            for name, version in one["tools"].items():
                found.setdefault(str(name), set()).add(str(version))
        return {name: sorted(found[name]) for name in sorted(found, key=str.lower)}

    def _all(self) -> Iterator[dict[str, Any]]:
        for path in sorted({file.path for f in self._findings for file in f.evidence}):
            if content := self._read(path):
                yield content

    def _read(self, path: str) -> dict[str, Any] | None:
        """An evidence file as written by ``Evidence.to_json``, or None."""
        file = (self._run / path).resolve()
        if not file.is_relative_to(self._run) or file.suffix != ".json":
            return None
        try:
            if file.stat().st_size > LARGEST_BYTES:
                return None
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        whole = isinstance(content, dict) and isinstance(content.get("records"), list)
        return content if whole and isinstance(content.get("facts"), dict) else None
