"""Collecting: one module for each kind of source. A source never judges."""
