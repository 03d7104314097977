"""Rules: each one a small function in a registry, registered when its module is loaded.

A family loads the modules whose subjects it judges: most of the time of a start is importing.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from services.validator.rules.registry import RULES


def load(*names: str) -> None:
    """Register the rules of modules of this package, in this order."""
    for name in names:
        import_module(f"{__name__}.{name}")


@cache
def load_all() -> None:
    """Register all rules, in alphabetical order of their modules."""
    from pkgutil import iter_modules

    load(*(module.name for module in iter_modules(__path__)))
    RULES.sort(key=lambda each: each.check.__module__)
