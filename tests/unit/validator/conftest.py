"""What the validator's tests share."""

from __future__ import annotations

import pytest

from services.validator.profile import Profile, load_profile


@pytest.fixture(scope="session")
def atmos() -> Profile:
    """The default delivery profile."""
    return load_profile("atmos")
