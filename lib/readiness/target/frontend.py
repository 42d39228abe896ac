"""The front end: pages to load in a real browser, and what is built for them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..variables import Deferred
from .section import Section


class PageTargets(Section):
    """Targets of the median over several loads; the defaults are Web Vitals' good ones."""

    lcp_ms: float | None = Field(default=2500, gt=0)  # largest contentful paint
    fcp_ms: float | None = Field(default=1800, gt=0)  # first contentful paint
    cls: float | None = Field(default=0.1, gt=0)  # cumulative layout shift
    tbt_ms: float | None = Field(default=200, gt=0)  # total blocking time, until the page is quiet
    load_ms: float | None = Field(default=None, gt=0)  # the load event
    bytes: int | None = Field(default=None, gt=0)  # transferred

    def given(self) -> dict[str, float]:
        return {name: value for name, value in self.model_dump().items() if value is not None}


class Frontend(Section):
    """Pages below ``base_url``, each loaded several times with an empty cache."""

    base_url: Deferred | None = None  # default: target.http.base_url
    pages: list[str] = ["/"]
    contains: str | None = None  # text that a page shows when it is there; for all of them
    profiles: list[Literal["desktop", "mobile"]] = ["desktop", "mobile"]
    targets: PageTargets = PageTargets()
    loads: int = Field(default=5, ge=5, le=50)
    max_loads: int = Field(default=11, ge=5, le=100)  # where five leave it open
    timeout_s: float = Field(default=30, gt=0, le=300)  # of one load
    browser: Deferred | None = None  # default: the Chromium that is found
    build: str | None = None  # folder of the repository with index.html and what it loads
    initial_js_bytes: int = Field(default=500_000, gt=0)  # gzip, of what index.html loads at once
