"""Migrations: what the repository has, what the live database has applied, and what replaying
them from nothing gives."""

from .replay import replayed, revisions

__all__ = ["replayed", "revisions"]
