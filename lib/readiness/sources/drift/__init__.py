"""How two schemas differ, object by object, and what each difference can do.

``compare`` takes two catalogues (``sources.catalogue``), the live one and the wanted one, and gives
one row for each difference: what it is, both sides, its class, the reason for the class, and the
SQL that repairs it.
"""

from .merge import CLASSES, compare, repair_script
from .types import BREAKING, COSMETIC, RISKY
from .view import between, differences, figure, repairs

__all__ = [
    "BREAKING",
    "CLASSES",
    "COSMETIC",
    "RISKY",
    "between",
    "compare",
    "differences",
    "figure",
    "repair_script",
    "repairs",
]
