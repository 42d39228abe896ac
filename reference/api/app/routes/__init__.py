"""The operations, one module for each area."""
