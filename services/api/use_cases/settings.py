"""Settings: what a tenant has chosen for all of its imports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.api.db import audit_rows, settings_rows, storage_rows
from services.api.domain.changes import UNSET, Unset
from services.api.domain.principal import ADMIN
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from services.api.db.executor import Executor, Transaction
    from services.api.domain.catalogue import Settings
    from services.api.domain.principal import Principal
    from services.api.domain.storage import Caps

NAME = "settings"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    delivery_profile: object = UNSET


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What can be done with settings, by those with the scope admin."""

    executor: Executor
    profiles: Collection[str]
    caps: Caps

    async def get(self, who: Principal) -> Settings:
        """The tenant's settings; the defaults when nobody has changed them."""
        who.require(ADMIN)

        def query(connection: Connection) -> Settings:
            return self._whole(connection, settings_rows.find(connection, who.tenant))

        return await self.executor.read(query)

    async def update(
        self, who: Principal, fields: SettingsFields, *, version: int | None = None
    ) -> Settings:
        """Change the settings. Raises InvalidFields, and EtagMismatch for another version."""
        who.require(ADMIN)
        reader = Reader((), creating=False)
        profile = reader.profile("delivery_profile", fields.delivery_profile, self.profiles)
        reader.finish()

        def unit(transaction: Transaction) -> Settings:
            present = self._whole(
                transaction.connection, settings_rows.lock(transaction, who.tenant)
            )
            before = at_version(present, version)
            if isinstance(profile, Unset) or profile == before.delivery_profile:
                return before
            after = replace(
                before,
                delivery_profile=profile,
                version=before.version + 1,
                updated_at=transaction.now(),
            )
            settings_rows.save(transaction, after)
            audit_rows.write(transaction, who, "settings.update", NAME)
            return after

        return await self.executor.write(unit)

    def _whole(self, connection: Connection, settings: Settings) -> Settings:
        storage = storage_rows.find(connection, settings.tenant, self.caps)
        return replace(settings, storage=storage)
