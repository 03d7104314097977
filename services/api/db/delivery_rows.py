"""Deliveries in the database: one for each event and subscription, written with the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from uuid_utils.compat import uuid7

from services.api import signals
from services.api.db import aging, lists, subscription_rows
from services.api.db.tables import deliveries, subscriptions
from services.api.domain.subscriptions import Delivery, DeliveryState, Event, host_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.queries import DeliveryQuery

COLLECTION = "deliveries"

_SEEN = tuple(
    deliveries.c[name]
    for name in (
        "id",
        "tenant",
        "subscription_id",
        "target",
        "event_id",
        "event_type",
        "state",
        "created_at",
        "due_at",
        "attempts",
        "last_status",
        "last_error",
        "last_tried_at",
        "ended_at",
    )
)
_pending = deliveries.c.state == DeliveryState.PENDING


def delivery_values(delivery: Delivery) -> dict[str, Any]:
    """A delivery as values of its columns."""
    return {column.name: getattr(delivery, column.name) for column in _SEEN}


def delivery_from(columns: Mapping[Any, Any]) -> Delivery:
    """The delivery of the values of its columns."""
    seen = {column.name: columns[column.name] for column in _SEEN}
    return Delivery(**seen | {"state": DeliveryState(seen["state"])})


def tell(
    transaction: Transaction, tenant: str, event_type: str, event: Callable[[], Event]
) -> None:
    """Write the deliveries of an event; it is made only when somebody wants to know."""
    interested = transaction.remembered(
        (COLLECTION, tenant, event_type),
        lambda: subscription_rows.interested(transaction.unguarded, tenant, event_type),
    )
    if interested:
        add(transaction, tenant, event(), interested)


def add(
    transaction: Transaction,
    tenant: str,
    event: Event,
    targets: Sequence[tuple[UUID | None, str]],
    *,
    asked: bool = False,
) -> tuple[Delivery, ...]:
    """Write deliveries of an event to subscriptions or mere targets, each once.

    Gives the new ones.
    """
    now = transaction.now()
    rows = [
        {
            "id": uuid7(),
            "tenant": tenant,
            "subscription_id": subscription_id,
            "target": target,
            "host": host_of(target),
            "event_id": event.id,
            "event_type": event.type,
            "body": event.body,
            "state": str(DeliveryState.PENDING),
            "created_at": now,
            "due_at": now,
            "attempts": 0,
            "asked": asked,
        }
        for subscription_id, target in targets
    ]
    new = transaction.insert(deliveries).values(rows).on_conflict_do_nothing().returning(*_SEEN)
    written = transaction.connection.execute(new)
    transaction.notify(signals.DELIVERIES)
    return tuple(_to_delivery(row) for row in written)


def due(
    connection: Connection, now: datetime, limit: int, but: Collection[str]
) -> Sequence[Row[Any]]:
    """Some that are due and that nobody has, the longest due first, none to the hosts ``but``.

    Each comes with the secrets of its subscription and whether that is ``enabled``; ``found`` is
    None when there is no such subscription.
    """
    enabled = subscriptions.c.disabled_reason.is_(None).label("enabled")
    query: Select[Any] = (
        select(
            *(deliveries.c[name] for name in ("id", "tenant", "subscription_id", "target", "host")),
            *(
                deliveries.c[name]
                for name in ("event_id", "event_type", "body", "attempts", "asked")
            ),
            subscriptions.c.id.label("found"),
            enabled,
            subscriptions.c.secret,
            subscriptions.c.older_secret,
            subscriptions.c.older_until,
        )
        .outerjoin(subscriptions, subscriptions.c.id == deliveries.c.subscription_id)
        .where(
            deliveries.c.due_at <= now,
            or_(deliveries.c.taken_until.is_(None), deliveries.c.taken_until < now),
            deliveries.c.host.not_in(but),
        )
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit)
        .with_for_update(of=deliveries, skip_locked=True)
    )
    return connection.execute(query).all()


def take(transaction: Transaction, ids: Collection[UUID], until: datetime) -> None:
    """Nobody else is given these before then."""
    _change(transaction, deliveries.c.id.in_(ids), taken_until=until)


def defer(transaction: Transaction, ids: Collection[UUID], until: datetime) -> None:
    """Look at these again then."""
    _change(transaction, deliveries.c.id.in_(ids), due_at=until)


def settle(transaction: Transaction, changes: Sequence[dict[str, Any]]) -> None:
    """Write what came of some attempts: columns by name, and ``id_`` and ``token`` of each.

    The token is the ``taken_until`` that it was taken with: who took it later decides.
    """
    names = [name for name in changes[0] if name not in {"id_", "token"}]
    statement = (
        update(deliveries)
        .where(
            deliveries.c.id == bindparam("id_"),
            deliveries.c.taken_until == bindparam("token"),
        )
        .values(taken_until=None, **{name: bindparam(f"new_{name}") for name in names})
    )
    parameters = [
        {name if name in {"id_", "token"} else f"new_{name}": value for name, value in row.items()}
        for row in changes
    ]
    transaction.connection.execute(statement, parameters)


def again(transaction: Transaction, id_: UUID, target: str, now: datetime) -> None:
    """Make a delivery due as if it were new, because somebody asked for it."""
    _change(
        transaction,
        deliveries.c.id == id_,
        target=target,
        host=host_of(target),
        state=str(DeliveryState.PENDING),
        due_at=now,
        taken_until=None,
        attempts=0,
        asked=True,
        ended_at=None,
    )
    transaction.notify(signals.DELIVERIES)


def rest(transaction: Transaction, subscription_id: UUID) -> None:
    """Send nothing of a subscription until ``resume``."""
    _change(transaction, _unsent(subscription_id), due_at=None, taken_until=None)


def resume(transaction: Transaction, subscription_id: UUID, now: datetime) -> None:
    """Send what rested."""
    resting = and_(_unsent(subscription_id), deliveries.c.due_at.is_(None))
    _change(transaction, resting, due_at=now)
    transaction.notify(signals.DELIVERIES)


def move(transaction: Transaction, subscription_id: UUID, target: str) -> None:
    """Send what is pending to another target."""
    _change(transaction, _unsent(subscription_id), target=target, host=host_of(target))


def drop(transaction: Transaction, subscription_id: UUID) -> None:
    """Remove what is pending of a subscription; retention removes the others."""
    transaction.connection.execute(delete(deliveries).where(_unsent(subscription_id)))


def drop_some(transaction: Transaction, ids: Collection[UUID]) -> None:
    """Remove deliveries."""
    transaction.connection.execute(delete(deliveries).where(deliveries.c.id.in_(ids)))


def find(
    connection: Connection,
    tenant: str,
    subscription_id: UUID | None,
    id_: UUID,
    *,
    lock: bool = False,
) -> Delivery | None:
    """A delivery of a tenant's subscription, of any for None; locked if it is to be."""
    of_any = deliveries.c.subscription_id.is_not(None)
    query = select(*_SEEN).where(
        deliveries.c.id == id_,
        deliveries.c.tenant == tenant,
        of_any if subscription_id is None else deliveries.c.subscription_id == subscription_id,
    )
    return lists.fetch_one(connection, query.with_for_update() if lock else query, _to_delivery)


def fetch_page(
    connection: Connection, tenant: str, subscription_id: UUID, query: DeliveryQuery
) -> Page[Delivery]:
    """A page of the deliveries of a tenant's subscription."""
    conditions = [
        lists.equal(deliveries.c.tenant, tenant),
        lists.equal(deliveries.c.subscription_id, subscription_id),
        *lists.one_of(deliveries.c.state, query.states),
    ]
    return lists.fetch_page(
        connection,
        deliveries,
        conditions,
        query,
        to_item=_to_delivery,
        total=lambda: lists.count(connection, deliveries, conditions),
    )


def forget(transaction: Transaction, before: datetime, limit: int) -> int:
    """Remove some that ended before a moment or have rested since; gives how many."""
    over = (
        deliveries.c.created_at < before,
        deliveries.c.due_at.is_(None),
        func.coalesce(deliveries.c.ended_at, deliveries.c.created_at) < before,
    )
    return len(aging.forget(transaction, deliveries, deliveries.c.created_at, limit, *over))


def _unsent(subscription_id: UUID) -> ColumnElement[bool]:
    return and_(deliveries.c.subscription_id == subscription_id, _pending)


def _change(transaction: Transaction, which: ColumnElement[bool], **values: Any) -> None:
    transaction.connection.execute(update(deliveries).where(which).values(**values))


def _to_delivery(row: Row[Any]) -> Delivery:
    return delivery_from(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
