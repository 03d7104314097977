"""How a request wants its change to be made (AIP-155, AIP-163)."""

from __future__ import annotations

import re
from typing import Final

from services.api.domain.errors import InvalidFields, Violation
from services.api.use_cases.options import Options

_KEY: Final = re.compile(r"[ -~]{0,255}", re.ASCII)


def options(request: object) -> Options:
    """Its request_id and validate_only, if it has them; raises InvalidFields."""
    key: str = getattr(request, "request_id", "")
    if not _KEY.fullmatch(key):
        detail = "The request_id is of at most 255 printable ASCII characters."
        raise InvalidFields(Violation("request_id", "invalid", detail))
    return Options(key=key, validate_only=getattr(request, "validate_only", False))
