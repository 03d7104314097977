"""The one place where the publisher is put together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.publisher.stage import PublishStage
from shared.blobs.open import open_store
from shared.blobs.scratch import own_scratch
from shared.bus.roles import Role
from shared.sandbox.confinement import ConfinementUnavailable, check_confinement
from shared.stage.service import serve

if TYPE_CHECKING:
    from services.publisher.settings import PublisherSettings


async def run(settings: PublisherSettings) -> None:
    """Publish until told to stop. Raises SystemExit when a child would not be confined."""
    if settings.publisher_confined:
        try:
            check_confinement()
        except ConfinementUnavailable as error:
            raise SystemExit(f"STAGEDOOR_PUBLISHER_CONFINED: {error}") from error
    scratch = own_scratch(settings.data_dir / "scratch")
    store = open_store(settings.store_url(), scratch=scratch)
    stage = PublishStage(store, scratch, settings.limits())
    await serve(stage, Role.PUBLISHER, settings, settings.publisher_slots)
