"""What whoever made a file should do about a problem."""

from __future__ import annotations

from functools import cache

from services.validator.rules import load_all
from services.validator.rules.registry import RULES


@cache
def fix_of(code: str) -> str:
    """Return the cure of the rule with this code, empty when it has none."""
    load_all()
    return next((each.fix for each in RULES if each.code == code and each.fix), "")
