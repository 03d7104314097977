"""The one place where the validator is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.profile import load_profile
from services.validator.stage import ValidateStage
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.bus.roles import Role
from shared.stage.service import serve

if TYPE_CHECKING:
    from services.validator.settings import ValidatorSettings


async def run(settings: ValidatorSettings) -> None:
    """Validate until told to stop."""
    store = open_store(settings.store_url(), scratch=own_scratch(settings.data_dir / "scratch"))
    profile = load_profile(settings.delivery_profile)
    stage = ValidateStage(store, profile, settings.limits())
    await serve(stage, Role.VALIDATOR, settings, settings.validator_slots)
