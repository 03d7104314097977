"""Subscriptions in the database; their secrets are read by who signs, never with them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, select, update

from services.api.db import lists
from services.api.db.tables import subscriptions
from services.api.domain.subscriptions import DisabledReason, Subscription, matches

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import SubscriptionQuery

COLLECTION = "subscriptions"

_enabled = subscriptions.c.disabled_reason.is_(None)


def subscription_values(subscription: Subscription) -> dict[str, Any]:
    """The columns of a subscription's row, without its secrets."""
    reason = subscription.disabled_reason
    return {
        "id": subscription.id,
        "tenant": subscription.tenant,
        "target": subscription.target,
        "event_types": list(subscription.event_types),
        "description": subscription.description,
        "version": subscription.version,
        "created_at": subscription.created_at,
        "updated_at": subscription.updated_at,
        "disabled_reason": None if reason is None else str(reason),
        "failing_since": subscription.failing_since,
    }


def subscription_from(columns: Mapping[Any, Any]) -> Subscription:
    """The subscription of the values of its columns."""
    reason = columns["disabled_reason"]
    return Subscription(
        id=columns["id"],
        tenant=columns["tenant"],
        target=columns["target"],
        event_types=tuple(columns["event_types"]),
        description=columns["description"],
        version=columns["version"],
        created_at=columns["created_at"],
        updated_at=columns["updated_at"],
        disabled_reason=None if reason is None else DisabledReason(reason),
        failing_since=columns["failing_since"],
    )


def insert(transaction: Transaction, subscription: Subscription, secret: bytes) -> None:
    """Add a subscription with its sealed secret."""
    transaction.connection.execute(
        subscriptions.insert().values(**subscription_values(subscription), secret=secret)
    )


def save(transaction: Transaction, subscription: Subscription) -> None:
    """Write a subscription's values; its secrets stay."""
    transaction.connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription.id)
        .values(**subscription_values(subscription))
    )


def rotate(
    transaction: Transaction, subscription: Subscription, secret: bytes, older_until: datetime
) -> None:
    """Put a sealed secret in the place of the present one, which stays for a while."""
    transaction.connection.execute(
        update(subscriptions)
        .where(subscriptions.c.id == subscription.id)
        .values(secret=secret, older_secret=subscriptions.c.secret, older_until=older_until)
    )


def remove(transaction: Transaction, subscription: Subscription) -> None:
    """Remove a subscription's row."""
    transaction.connection.execute(
        delete(subscriptions).where(subscriptions.c.id == subscription.id)
    )


def find(connection: Connection, tenant: str, id_: UUID) -> Subscription | None:
    """A tenant's subscription."""
    query = select(subscriptions).where(_one(tenant, id_))
    return lists.fetch_one(connection, query, _to_subscription)


def lock(transaction: Transaction, tenant: str, id_: UUID) -> Subscription | None:
    """A tenant's subscription that nobody else can change until the commit."""
    query = select(subscriptions).where(_one(tenant, id_)).with_for_update()
    return lists.fetch_one(transaction.connection, query, _to_subscription)


def secret(connection: Connection, tenant: str, id_: UUID) -> bytes | None:
    """The sealed secret of a tenant's subscription."""
    query = select(subscriptions.c.secret).where(_one(tenant, id_))
    found: bytes | None = connection.execute(query).scalar_one_or_none()
    return found


def count(connection: Connection, tenant: str) -> int:
    """How many a tenant has."""
    return lists.count(connection, subscriptions, [lists.equal(subscriptions.c.tenant, tenant)])


def fetch_page(connection: Connection, tenant: str, query: SubscriptionQuery) -> Page[Subscription]:
    """A page of a tenant's subscriptions, oldest first."""
    conditions = [
        lists.equal(subscriptions.c.tenant, tenant),
        *lists.one_of(subscriptions.c.id, query.ids),
    ]
    return lists.fetch_page(
        connection,
        subscriptions,
        conditions,
        query,
        to_item=_to_subscription,
        total=lambda: lists.count(connection, subscriptions, conditions),
    )


def interested(connection: Connection, tenant: str, event_type: str) -> list[tuple[UUID, str]]:
    """The tenant's enabled subscriptions to a type of events, each with its target."""
    columns = (subscriptions.c.id, subscriptions.c.target, subscriptions.c.event_types)
    rows = connection.execute(select(*columns).where(subscriptions.c.tenant == tenant, _enabled))
    return [(row.id, row.target) for row in rows if matches(row.event_types, event_type)]


def disable(
    transaction: Transaction, subscription: Subscription, reason: DisabledReason, now: datetime
) -> None:
    """Send nothing to a locked subscription any more."""
    version = subscription.version + 1
    after = replace(subscription, disabled_reason=reason, updated_at=now, version=version)
    save(transaction, after)


def note_success(transaction: Transaction, ids: Collection[UUID]) -> None:
    """These do not fail now."""
    failing = and_(subscriptions.c.id.in_(ids), subscriptions.c.failing_since.is_not(None))
    transaction.connection.execute(update(subscriptions).where(failing).values(failing_since=None))


def note_failure(transaction: Transaction, ids: Collection[UUID], now: datetime) -> None:
    """These fail, from now on if not before."""
    well = and_(subscriptions.c.id.in_(ids), subscriptions.c.failing_since.is_(None))
    transaction.connection.execute(update(subscriptions).where(well).values(failing_since=now))


def lock_failing(
    transaction: Transaction, ids: Collection[UUID], before: datetime
) -> list[Subscription]:
    """Those that are enabled and have failed since then or longer."""
    return _lock_some(transaction, ids, subscriptions.c.failing_since <= before)


def lock_enabled(transaction: Transaction, ids: Collection[UUID]) -> list[Subscription]:
    """Those that are enabled."""
    return _lock_some(transaction, ids)


def _lock_some(
    transaction: Transaction, ids: Collection[UUID], *conditions: ColumnElement[bool]
) -> list[Subscription]:
    rows = transaction.connection.execute(
        select(subscriptions)
        .where(subscriptions.c.id.in_(ids), _enabled, *conditions)
        .order_by(subscriptions.c.id)
        .with_for_update()
    )
    return [_to_subscription(row) for row in rows]


def _one(tenant: str, id_: UUID) -> ColumnElement[bool]:
    return and_(subscriptions.c.id == id_, subscriptions.c.tenant == tenant)


def _to_subscription(row: Row[Any]) -> Subscription:
    return subscription_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
