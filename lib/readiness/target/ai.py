"""Endpoints that wait on an outside AI provider, and how the provider is made to misbehave."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from ..variables import Deferred
from .http import LatencySampling, LatencyTarget
from .section import Operation, Request, Section

Kind = Literal["slow", "down", "hanging", "rate_limited"]


class Provider(Section):
    """The provider as the audit reaches it: one that is simulated, and that nobody else asks.

    ``calls`` prints how many calls it has received so far, by which answers out of a cache are told
    from answers that waited for it. ``url`` with ``operation`` is one call of it, by which it is
    seen whether it does what it was told to.
    """

    calls: list[Deferred] = Field(min_length=1)
    url: Deferred
    operation: Operation = "POST /"
    json_body: Any = Field(default=None, alias="json")
    headers: dict[str, Deferred] = {}
    environment: dict[str, Deferred] = {}  # of this command and of those of the situations
    timeout_s: float = Field(default=30, gt=0, le=600)  # of each command


class Situation(Section):
    """One way for the provider to misbehave, and what its users may be answered meanwhile.

    ``enter`` brings it about, ``leave`` ends it; both are commands, run in the repository's folder
    and without a shell, only where ``write`` is permitted. ``leave`` must do no harm where nothing
    is the matter; it is run even when the audit dies meanwhile.
    """

    kind: Kind
    enter: list[Deferred] = Field(min_length=1)
    leave: list[Deferred] = Field(min_length=1)
    slow_s: float = Field(default=1, gt=0, le=600)  # that the provider takes at least, when slow
    within_s: float = Field(gt=0, le=110)  # the service answers within
    statuses: list[int] = Field(min_length=1)  # with one of these
    contains: str | None = None  # and, below 400, with this text: its fallback
    back_within_s: float = Field(default=30, gt=0, le=600)  # until it answers as usual afterwards


class Meanwhile(Request):
    """What has nothing to do with the provider, and must stay quick whatever it does."""

    status: int = 200
    within_ms: float = Field(default=1000, gt=0)


class Ai(Section):
    """Endpoints that wait on a provider: their own targets, and their provider's bad days.

    Let ``contains`` of an endpoint hold what tells the provider's words from a fallback, and put
    ``{unique}`` into its body, or a cache answers. In each situation ``users`` ask each endpoint at
    once, and ``meanwhile`` is asked beside them.
    """

    endpoints: list[LatencyTarget] = Field(min_length=1)
    sampling: LatencySampling = LatencySampling(max_samples=900, max_seconds=120)
    timeout_s: float = Field(default=30, gt=0, le=120)  # that a user waits at most
    provider: Provider | None = None
    situations: list[Situation] = []
    users: int = Field(default=5, ge=1, le=200)
    meanwhile: list[Meanwhile] = []

    @model_validator(mode="after")
    def _fits_together(self) -> Ai:
        if self.situations and not (self.provider and self.meanwhile):
            raise ValueError("situations: they need provider and meanwhile beside them")
        kinds = [situation.kind for situation in self.situations]
        if len(kinds) != len(set(kinds)):
            raise ValueError("situations: one of each kind")
        return self
