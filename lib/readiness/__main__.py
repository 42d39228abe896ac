"""``python -m readiness`` is the command line."""

from .cli import main

main()
