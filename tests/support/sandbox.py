"""Children of the sandbox that misbehave, for trying it."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from services.validator.sandbox import ChildCrashed, Limits, inspect_in_child

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile

LIMITED = """
import os, sys
import msgspec
from services.validator.limits import Request
from shared.sandbox.child import apply_limits, tie_to_parent
request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
tie_to_parent(request.parent)
apply_limits(request.limits)
"""


def script(body: str) -> tuple[str, ...]:
    """Return a child that limits itself as the real one does, and then misbehaves."""
    return (sys.executable, "-c", LIMITED + textwrap.dedent(body))


async def crash_of(
    profile: Profile, path: Path, body: str, limits: Limits | None = None
) -> ChildCrashed:
    """Run such a child; return how it ended."""
    with pytest.raises(ChildCrashed) as caught:
        await inspect_in_child(path, profile, limits=limits, command=script(body))
    return caught.value
