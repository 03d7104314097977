"""Settings: what a tenant has chosen for all of its imports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from services.api.db import audit_rows, settings_rows, storage_rows
from services.api.domain.changes import UNSET, pick
from services.api.domain.principal import ADMIN
from services.api.domain.task import MASTER_TYPES
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.catalogue import Settings
    from services.api.domain.principal import Principal
    from services.api.domain.storage import Caps
    from services.api.use_cases.fields import Text
    from services.api.use_cases.targets import Targets

NAME = "settings"
UPLOADED = "hd"
"""The master type of what is uploaded where nobody has said one."""


def usual_master_type(connection: Connection, tenant: str) -> str:
    """That of a tenant's masters that come without one."""
    return settings_rows.find(connection, tenant).upload_master_type or UPLOADED


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    delivery_profile: object = UNSET
    contact_email: object = UNSET
    upload_master_type: object = UNSET


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What can be done with settings, by those with the scope admin."""

    executor: Executor
    profiles: Collection[str]
    caps: Caps
    targets: Targets

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
        values = self._read(fields)

        def unit(transaction: Transaction) -> Settings:
            present = self._whole(
                transaction.connection, settings_rows.lock(transaction, who.tenant)
            )
            before = at_version(present, version)
            changed = replace(
                before,
                delivery_profile=pick(values["delivery_profile"], before.delivery_profile),
                contact_email=pick(values["contact_email"], before.contact_email),
                upload_master_type=pick(values["upload_master_type"], before.upload_master_type),
            )
            if changed == before:
                return before
            after = replace(changed, version=before.version + 1, updated_at=transaction.now())
            settings_rows.save(transaction, after)
            audit_rows.write(transaction, who, "settings.update", NAME)
            return after

        return await self.executor.write(unit)

    def _read(self, fields: SettingsFields) -> dict[str, Text]:
        reader = Reader((), creating=False)
        values = {
            "delivery_profile": reader.profile(
                "delivery_profile", fields.delivery_profile, self.profiles
            ),
            "contact_email": reader.text(
                "contact_email",
                fields.contact_email,
                self.targets.mail_reader(reader, "contact_email"),
            ),
            "upload_master_type": reader.one_of(
                "upload_master_type", fields.upload_master_type, MASTER_TYPES
            ),
        }
        reader.finish()
        return values

    def _whole(self, connection: Connection, settings: Settings) -> Settings:
        storage = storage_rows.find(connection, settings.tenant, self.caps)
        return replace(settings, storage=storage)
