"""What tenants have chosen, in the database: no row says the defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from services.api.db import lists
from services.api.db.rows import to_settings
from services.api.db.tables import tenant_settings
from services.api.domain.catalogue import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from services.api.db.transactions import Transaction

_tenant = tenant_settings.c.tenant


def find(connection: Connection, tenant: str) -> Settings:
    """A tenant's settings."""
    query = select(tenant_settings).where(_tenant == tenant)
    return lists.fetch_one(connection, query, to_settings) or Settings(tenant=tenant)


def lock(transaction: Transaction, tenant: str) -> Settings:
    """A tenant's settings that nobody else can change until the commit."""
    defaults = Settings(tenant=tenant)
    transaction.connection.execute(
        transaction.insert(tenant_settings)
        .values(tenant=tenant, version=defaults.version)
        .on_conflict_do_nothing()
    )
    query = select(tenant_settings).where(_tenant == tenant).with_for_update()
    return lists.fetch_one(transaction.connection, query, to_settings) or defaults


def save(transaction: Transaction, settings: Settings) -> None:
    """Write a tenant's locked settings."""
    transaction.connection.execute(
        update(tenant_settings)
        .where(_tenant == settings.tenant)
        .values(
            delivery_profile=settings.delivery_profile,
            contact_email=settings.contact_email,
            upload_master_type=settings.upload_master_type,
            version=settings.version,
            updated_at=settings.updated_at,
        )
    )
