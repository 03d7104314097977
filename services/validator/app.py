"""The one place where the validator is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.profile import BrokenProfileError, Profiles, UnknownProfileError
from services.validator.stage import ValidateStage
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.bus.roles import Role
from shared.sandbox.confinement import ConfinementUnavailable, check_confinement
from shared.stage.service import serve

if TYPE_CHECKING:
    from services.validator.settings import ValidatorSettings


async def run(settings: ValidatorSettings) -> None:
    """Validate until told to stop.

    Raises SystemExit when a delivery profile cannot be used, or a child would not be confined.
    """
    profiles = _profiles(settings)
    if settings.validator_confined:
        _check_confinement()
    store = open_store(settings.store_url(), scratch=own_scratch(settings.data_dir / "scratch"))
    stage = ValidateStage(store, profiles, settings.limits())
    await serve(stage, Role.VALIDATOR, settings, settings.validator_slots)


def _check_confinement() -> None:
    try:
        check_confinement()
    except ConfinementUnavailable as error:
        raise SystemExit(f"STAGEDOOR_VALIDATOR_CONFINED: {error}") from error


def _profiles(settings: ValidatorSettings) -> Profiles:
    try:
        return Profiles(settings.delivery_profile, settings.profiles_dir)
    except UnknownProfileError as error:
        raise SystemExit(f"STAGEDOOR_DELIVERY_PROFILE: there is no profile {error}") from error
    except BrokenProfileError as error:
        raise SystemExit(f"delivery profile {error}") from error
    except OSError as error:
        raise SystemExit(f"STAGEDOOR_PROFILES_DIR: {error}") from error
