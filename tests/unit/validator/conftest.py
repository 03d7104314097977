"""What the validator's tests share."""

from __future__ import annotations

import pytest

from services.validator.profile import Profile, load_profile
from services.validator.rules import load_all

# Test modules look at all rules as they are imported.
load_all()


@pytest.fixture(scope="session")
def atmos() -> Profile:
    """The default delivery profile."""
    return load_profile("atmos")
