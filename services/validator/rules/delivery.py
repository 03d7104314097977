"""Whether a file is of the kind that it was declared to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.kinds import Recognised
    from services.validator.profile import Profile


@dataclass(frozen=True, slots=True)
class Misdeclared:
    """A file that cannot be of its declared type; ``wanted`` is what can be, in words."""

    recognised: Recognised
    master_type: str
    wanted: str


@rule(
    Misdeclared,
    "master_type_differs",
    fix="Deliver a file of the declared master type, or declare the type of this file.",
)
def master_type_differs(file: Misdeclared, _: Profile) -> Iterator[Finding]:
    """The file is of another kind than its declared master type."""
    what = file.recognised.description
    yield Finding(
        detail=f"This is no master of the type {file.master_type!r}: {what}.",
        measured=what,
        allowed=file.wanted,
    )
