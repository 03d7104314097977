"""What is to be sent now, and what came of it; for whoever delivers."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from services.api.db import audit_rows, delivery_rows, subscription_rows
from services.api.domain.principal import ADMIN, Principal
from services.api.domain.subscriptions import (
    FAILING_FOR,
    DeliveryState,
    DisabledReason,
    Outcome,
    Outgoing,
    retry_delay,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Row

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.subscriptions import Subscription
    from services.api.use_cases.signing import SigningSecrets

TAKEN_FOR = timedelta(seconds=60)
"""Longer than any attempt: when it is over, whoever took the delivery is dead."""
LOOK_AGAIN = timedelta(minutes=1)
"""For what was written while its subscription was being disabled."""
DELIVERER = "deliverer"
"""The principal of what is disabled by itself, in the audit log."""

Result = tuple[Outgoing, Outcome]


@dataclass(frozen=True, slots=True)
class Sending:
    """Hands out deliveries and writes down outcomes; ``scale`` stretches the retry schedule."""

    executor: Executor
    secrets: SigningSecrets
    scale: float = 1.0

    async def take(
        self, limit: int, busy: Mapping[str, int], per_host: int
    ) -> tuple[Outgoing, ...]:
        """Some that are due; nobody else is given them for a minute.

        ``busy`` says how many each host has already: none gets more than ``per_host``.
        """

        def unit(transaction: Transaction) -> tuple[Outgoing, ...]:
            now = transaction.now()
            rows = _choose(transaction, now, limit, Counter(busy), per_host)
            delivery_rows.take(transaction, [row.id for row in rows], now + TAKEN_FOR)
            return tuple(self._outgoing(row, now, now + TAKEN_FOR) for row in rows)

        return await self.executor.write(unit)

    async def settle(self, results: Sequence[Result]) -> None:
        """Write down what came of attempts; a receiver that is gone is not sent to again."""

        def unit(transaction: Transaction) -> None:
            now = transaction.now()
            delivery_rows.settle(transaction, [self._change(*result, now) for result in results])
            _judge(transaction, results, now)

        await self.executor.write(unit)

    def _outgoing(self, row: Row[Any], now: datetime, until: datetime) -> Outgoing:
        secrets: tuple[bytes, ...] | None = None
        if row.subscription_id is not None:
            sealed = [row.secret]
            if row.older_secret is not None and row.older_until > now:
                sealed.append(row.older_secret)
            secrets = self.secrets.open_all(row.tenant, row.subscription_id, *sealed)
        return Outgoing(
            id=row.id,
            taken_until=until,
            subscription_id=row.subscription_id,
            target=row.target,
            event_id=row.event_id,
            event_type=row.event_type,
            body=row.body,
            attempts=row.attempts,
            asked=row.asked,
            secrets=secrets,
        )

    def _change(self, outgoing: Outgoing, outcome: Outcome, now: datetime) -> dict[str, Any]:
        attempts = outgoing.attempts + 1
        state, wait = DeliveryState.SUCCEEDED, None
        if outcome.error is not None:
            share = random.random()  # noqa: S311 - jitter, not a secret
            wait = retry_delay(attempts, outcome, share, self.scale)
            state = DeliveryState.PENDING if wait is not None else DeliveryState.FAILED
        return {
            "id_": outgoing.id,
            "token": outgoing.taken_until,
            "state": str(state),
            "due_at": None if wait is None else now + wait,
            "attempts": attempts,
            "last_status": outcome.status,
            "last_error": outcome.error,
            "last_tried_at": now,
            "ended_at": now if wait is None else None,
        }


def _choose(
    transaction: Transaction, now: datetime, limit: int, busy: Counter[str], per_host: int
) -> list[Row[Any]]:
    """Rows that are due, at most so many to one host: its backlog does not hide the others."""
    chosen: dict[UUID, Row[Any]] = {}
    while len(chosen) < limit:
        full = [host for host, count in busy.items() if count >= per_host]
        rows = delivery_rows.due(transaction.connection, now, limit, full)
        rows = [row for row in _deliverable(transaction, rows, now) if row.id not in chosen]
        for row in rows:
            if busy[row.host] < per_host and len(chosen) < limit:
                chosen[row.id] = row
                busy[row.host] += 1
        if not rows or all(busy[row.host] < per_host for row in rows):
            break
    return [*chosen.values()]


def _deliverable(
    transaction: Transaction, rows: Sequence[Row[Any]], now: datetime
) -> list[Row[Any]]:
    """Put aside what was written while its subscription was being disabled or deleted."""
    lost = [row.id for row in rows if row.subscription_id is not None and row.found is None]
    early = [row.id for row in rows if row.found is not None and not row.enabled]
    if lost:
        delivery_rows.drop_some(transaction, lost)
    if early:
        delivery_rows.defer(transaction, early, now + LOOK_AGAIN)
    aside = {*lost, *early}
    return [row for row in rows if row.id not in aside]


def _judge(transaction: Transaction, results: Sequence[Result], now: datetime) -> None:
    """Remember who answers well and who does not; disable who is gone or fails for days."""
    well = {out.subscription_id for out, outcome in results if outcome.error is None} - {None}
    failed = {
        out.subscription_id for out, outcome in results if outcome.error and not out.asked
    } - well
    gone = {out.subscription_id for out, outcome in results if outcome.gone} - {None}
    if well:
        subscription_rows.note_success(transaction, sorted(filter(None, well)))
    if ill := sorted(filter(None, failed)):
        subscription_rows.note_failure(transaction, ill, now)
        for each in subscription_rows.lock_failing(transaction, ill, now - FAILING_FOR):
            _disable(transaction, each, DisabledReason.FAILING, now)
    if gone:
        for each in subscription_rows.lock_enabled(transaction, sorted(filter(None, gone))):
            _disable(transaction, each, DisabledReason.GONE, now)


def _disable(
    transaction: Transaction, subscription: Subscription, reason: DisabledReason, now: datetime
) -> None:
    subscription_rows.disable(transaction, subscription, reason, now)
    delivery_rows.rest(transaction, subscription.id)
    who = Principal(tenant=subscription.tenant, token_id=DELIVERER, scopes=frozenset({ADMIN}))
    collection = subscription_rows.COLLECTION
    audit_rows.write(transaction, who, f"{collection}.disable", f"{collection}/{subscription.id}")
