"""The NPS-shaped API: a small service that the audit can measure out of the box."""

__version__ = "4.1.0"
