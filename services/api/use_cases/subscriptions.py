"""Subscriptions: create, read, change, rotate the secret, ping, delete."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from uuid_utils.compat import uuid7

from services.api.db import audit_rows, delivery_rows, settings_rows, subscription_rows
from services.api.domain.changes import UNSET, Unset, pick
from services.api.domain.errors import (
    InvalidFields,
    StateConflict,
    TooManySubscriptions,
    Violation,
)
from services.api.domain.subscriptions import (
    EVENT_TYPES,
    MAX_SUBSCRIPTIONS,
    PING,
    ROTATION,
    DisabledReason,
    Event,
    Subscription,
    event_body,
    is_event_type,
)
from services.api.domain.values import is_one_line
from services.api.use_cases.fields import Reader
from services.api.use_cases.found import at_version, found
from services.api.use_cases.once import WRITE_SCOPES, run_one_once
from services.api.use_cases.options import AT_ONCE, Options

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from services.api.db.executor import Executor
    from services.api.db.transactions import Transaction
    from services.api.domain.page import Page
    from services.api.domain.principal import Principal
    from services.api.domain.queries import SubscriptionQuery
    from services.api.domain.subscriptions import Delivery
    from services.api.use_cases.fields import Text
    from services.api.use_cases.signing import SigningSecrets
    from services.api.use_cases.targets import Targets

    Unit = Callable[[Transaction], Subscription]

MAX_DESCRIPTION = 255
MAX_OVERLAP_SECONDS = 7 * 24 * 3600
READ = "subscriptions:read"
WRITE = WRITE_SCOPES[Subscription]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFields:
    """The values of a request as the client wrote them; UNSET where it wrote none."""

    target: object = UNSET
    event_types: object = UNSET
    description: object = UNSET
    enabled: object = UNSET


@dataclass(frozen=True, slots=True)
class Created:
    """A subscription with the secret that its receiver verifies with: ``whsec_…``, shown once.

    The secret is "" when nothing was created, only tried.
    """

    subscription: Subscription
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """What clients can do with subscriptions."""

    executor: Executor
    targets: Targets
    secrets: SigningSecrets

    async def create(
        self, who: Principal, fields: SubscriptionFields, *, options: Options = AT_ONCE
    ) -> Created:
        """Subscribe a target to events.

        Raises InvalidFields, also for a target that nothing is sent to, TooManySubscriptions,
        KeyReused.
        """
        asked = ("subscriptions", "create", fields)
        unit = self.creating(who, fields)
        subscription = await run_one_once(self.executor, who, options, asked, unit)
        return Created(subscription, await self._secret(who, subscription))

    async def get(self, who: Principal, id_: UUID) -> Subscription:
        """One subscription. Raises NotFound."""
        who.require(READ)
        item = await self.executor.read(lambda c: subscription_rows.find(c, who.tenant, id_))
        return found(item, subscription_rows.COLLECTION, id_)

    async def list(self, who: Principal, query: SubscriptionQuery) -> Page[Subscription]:
        """A page of the tenant's subscriptions, oldest first unless ordered otherwise."""
        who.require(READ)
        return await self.executor.read(
            lambda c: subscription_rows.fetch_page(c, who.tenant, query)
        )

    async def update(
        self,
        who: Principal,
        id_: UUID,
        fields: SubscriptionFields,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Subscription:
        """Change, disable or enable a subscription; what was pending follows it.

        Raises InvalidFields, NotFound, EtagMismatch, KeyReused.
        """
        unit = self.updating(who, id_, fields, version=version)
        asked = ("subscriptions", "update", id_, fields, version)
        return await run_one_once(self.executor, who, options, asked, unit)

    async def delete(self, who: Principal, id_: UUID, *, version: int | None = None) -> None:
        """Remove a subscription and what is pending of it. Raises NotFound, EtagMismatch."""
        await self.executor.write(self.deleting(who, id_, version=version))

    async def rotate_secret(
        self,
        who: Principal,
        id_: UUID,
        *,
        version: int | None = None,
        overlap: object = None,
        options: Options = AT_ONCE,
    ) -> Created:
        """Give it a new secret; the present one signs as well for ``overlap`` seconds.

        None is the default. Raises InvalidFields, NotFound, EtagMismatch, KeyReused.
        """
        who.require(WRITE)
        lasting = _overlap(overlap)

        def unit(transaction: Transaction) -> Subscription:
            before = _lock(transaction, who, id_, version)
            now = transaction.now()
            after = replace(before, version=before.version + 1, updated_at=now)
            subscription_rows.save(transaction, after)
            secret = self.secrets.make(who.tenant, id_)
            subscription_rows.rotate(transaction, after, secret, now + lasting)
            _audit(transaction, who, "rotateSecret", id_)
            return after

        asked = ("subscriptions", "rotateSecret", id_, version, lasting)
        subscription = await run_one_once(self.executor, who, options, asked, unit)
        return Created(subscription, await self._secret(who, subscription))

    async def ping(
        self,
        who: Principal,
        id_: UUID,
        *,
        version: int | None = None,
        options: Options = AT_ONCE,
    ) -> Delivery:
        """Send it an event ``stagedoor.ping`` now.

        Raises NotFound, EtagMismatch, StateConflict if it is disabled, KeyReused.
        """
        who.require(WRITE)

        def unit(transaction: Transaction) -> Delivery:
            subscription = require_enabled(_lock(transaction, who, id_, version))
            data = {"subscription": f"{subscription_rows.COLLECTION}/{id_}"}
            body = event_body(PING, transaction.now(), data)
            event = Event(id=uuid7(), type=PING, body=body)
            to = [(id_, subscription.target)]
            (delivery,) = delivery_rows.add(transaction, who.tenant, event, to, asked=True)
            _audit(transaction, who, "ping", id_)
            return delivery

        asked = ("subscriptions", "ping", id_, version)
        return await run_one_once(self.executor, who, options, asked, unit)

    def creating(self, who: Principal, fields: SubscriptionFields) -> Unit:
        """The unit of ``create``."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> Subscription:
            values = self._read(fields, creating=True)
            settings_rows.lock(transaction, who.tenant)  # one counts after the other
            if subscription_rows.count(transaction.connection, who.tenant) >= MAX_SUBSCRIPTIONS:
                raise TooManySubscriptions
            now = transaction.now()
            subscription = Subscription(
                id=uuid7(),
                tenant=who.tenant,
                target=pick(values.target, None) or "",
                event_types=pick(values.event_types, ()),
                description=pick(values.description, None) or "",
                version=1,
                created_at=now,
                updated_at=now,
            )
            subscription = _enabled(subscription, values.enabled)
            secret = self.secrets.make(who.tenant, subscription.id)
            subscription_rows.insert(transaction, subscription, secret)
            _audit(transaction, who, "create", subscription.id)
            return subscription

        return unit

    def updating(
        self, who: Principal, id_: UUID, fields: SubscriptionFields, *, version: int | None = None
    ) -> Unit:
        """The unit of ``update``."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> Subscription:
            before = _lock(transaction, who, id_, version)
            values = self._read(fields, creating=False)
            changed = _enabled(
                replace(
                    before,
                    target=pick(values.target, before.target) or before.target,
                    event_types=pick(values.event_types, before.event_types),
                    description=pick(values.description, before.description) or "",
                ),
                values.enabled,
            )
            if changed == before:
                return before
            after = replace(changed, version=before.version + 1, updated_at=transaction.now())
            subscription_rows.save(transaction, after)
            _lead(transaction, before, after)
            _audit(transaction, who, "update", id_)
            return after

        return unit

    def deleting(
        self, who: Principal, id_: UUID, *, version: int | None = None
    ) -> Callable[[Transaction], None]:
        """The unit of ``delete``."""
        who.require(WRITE)

        def unit(transaction: Transaction) -> None:
            subscription = _lock(transaction, who, id_, version)
            subscription_rows.remove(transaction, subscription)
            delivery_rows.drop(transaction, id_)
            _audit(transaction, who, "delete", id_)

        return unit

    async def _secret(self, who: Principal, subscription: Subscription) -> str:
        sealed = await self.executor.read(
            lambda c: subscription_rows.secret(c, who.tenant, subscription.id)
        )
        return self.secrets.show(who.tenant, subscription.id, sealed) if sealed else ""

    def _read(self, fields: SubscriptionFields, *, creating: bool) -> _Values:
        reader = Reader({"target"}, creating=creating)
        target = self.targets.reader(reader, "target")
        values = _Values(
            target=reader.text("target", fields.target, target),
            event_types=_event_types(reader, fields.event_types),
            description=_description(reader, fields.description),
            enabled=_flag(reader, fields.enabled),
        )
        reader.finish()
        return values


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    target: Text
    event_types: tuple[str, ...] | Unset
    description: Text
    enabled: bool | Unset


def require_enabled(subscription: Subscription) -> Subscription:
    """The subscription. Raises StateConflict while it is disabled."""
    if not subscription.enabled:
        raise StateConflict("The subscription is disabled. Enable it first.", "disabled")
    return subscription


def _overlap(seconds: object) -> timedelta:
    if seconds is None:
        return ROTATION
    # True is the number 1 to Python.
    if (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and 0 <= seconds <= MAX_OVERLAP_SECONDS
    ):
        return timedelta(seconds=seconds)
    detail = f"The overlap is 0 to {MAX_OVERLAP_SECONDS} seconds (seven days)."
    raise InvalidFields(Violation("overlap", "invalid", detail))


def _event_types(reader: Reader, value: object) -> tuple[str, ...] | Unset:
    if reader.is_missing("event_types", value) or isinstance(value, Unset):
        return UNSET
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or not all(
        isinstance(item, str) and is_event_type(item) for item in value
    ):
        known = ", ".join(EVENT_TYPES)
        reader.refuse("event_types", "invalid", f"A list of prefix.* or some of {known}.")
        return UNSET
    return tuple(sorted(set(value)))


def _description(reader: Reader, value: object) -> Text:
    def parse(text: str) -> str | None:
        if not is_one_line(text) or len(text) > MAX_DESCRIPTION:
            detail = f"A description is one line of at most {MAX_DESCRIPTION} characters."
            reader.refuse("description", "invalid", detail)
        return text

    return reader.text("description", value, parse)


def _flag(reader: Reader, value: object) -> bool | Unset:
    if reader.is_missing("enabled", value) or isinstance(value, (bool, Unset)):
        return value if isinstance(value, bool) else UNSET
    reader.refuse("enabled", "invalid", "The value of enabled is true or false.")
    return UNSET


def _enabled(subscription: Subscription, wanted: bool | Unset) -> Subscription:  # noqa: FBT001 - a value that a client wrote
    if wanted is subscription.enabled or isinstance(wanted, Unset):
        return subscription
    reason = None if wanted else DisabledReason.ASKED
    return replace(subscription, disabled_reason=reason, failing_since=None)


def _lead(transaction: Transaction, before: Subscription, after: Subscription) -> None:
    """Let what is pending follow the change."""
    if after.target != before.target:
        delivery_rows.move(transaction, after.id, after.target)
    if after.enabled and not before.enabled:
        delivery_rows.resume(transaction, after.id, after.updated_at)
    if before.enabled and not after.enabled:
        delivery_rows.rest(transaction, after.id)


def _lock(transaction: Transaction, who: Principal, id_: UUID, version: int | None) -> Subscription:
    subscription = subscription_rows.lock(transaction, who.tenant, id_)
    return at_version(found(subscription, subscription_rows.COLLECTION, id_), version)


def _audit(transaction: Transaction, who: Principal, action: str, id_: UUID) -> None:
    collection = subscription_rows.COLLECTION
    audit_rows.write(transaction, who, f"{collection}.{action}", f"{collection}/{id_}")
