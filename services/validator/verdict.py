"""Our own word on a file, as it grows while the file is led through its layers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import services.validator.rules  # noqa: F401 - importing it registers the rules
from services.validator.rules.identity import Identity
from services.validator.rules.registry import has_errors, judge

if TYPE_CHECKING:
    from services.validator.formats.recognise import Recognised
    from services.validator.profile import Profile
    from shared.problems import Format, Problem


@dataclass(slots=True)
class Verdict:
    """Our own word on a file; ``atmos`` is whether it claims to be Atmos at all."""

    profile: Profile
    format: Format
    atmos: bool = False
    problems: list[Problem] = field(default_factory=list)

    def judge(self, subject: object) -> bool:
        """Add what the rules find in a subject; return whether it is worth going deeper."""
        self.problems += judge(subject, self.profile)
        return not has_errors(self.problems)

    def identify(self, recognised: Recognised, carries: str) -> bool:
        """Judge what the file claims to be; return whether it is worth going deeper."""
        self.atmos = bool(carries)
        return self.judge(Identity(recognised, carries))
