"""Doing a request once however often it comes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar, cast

from services.api.db import idempotency_rows, snapshots
from services.api.domain.catalogue import Item
from services.api.domain.jobs import Job
from services.api.domain.nouns import NOUNS
from services.api.domain.publishing import Publication, PublishJob
from services.api.domain.subscriptions import Delivery, Subscription
from services.api.domain.task import Task
from services.api.domain.upload_sessions import UploadSession
from services.api.domain.upload_tracks import UploadTrack
from services.api.domain.uploads import Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from services.api.db.executor import Executor
    from services.api.db.lookups import Ask
    from services.api.db.snapshots import Thing
    from services.api.db.transactions import Transaction
    from services.api.domain.principal import Principal
    from services.api.use_cases.options import Options

T = TypeVar("T", bound="tuple[Thing, ...]")
One = TypeVar(
    "One",
    bound=Task
    | Item
    | Subscription
    | Delivery
    | Upload
    | UploadSession
    | UploadTrack
    | Job
    | PublishJob
    | Publication,
)

WRITE_SCOPES: Mapping[type, str] = {
    **{noun.type: noun.writing for noun in NOUNS},
    Task: "tasks:write",
    Subscription: "subscriptions:write",
    Delivery: "subscriptions:write",
    Upload: "uploads:write",
    UploadSession: "uploads:write",
    UploadTrack: "uploads:write",
    Job: "uploads:write",
    PublishJob: "publishing:write",
    Publication: "publishing:write",
}


async def run_once(  # noqa: PLR0917 - the last is a hint that few give
    executor: Executor,
    who: Principal,
    options: Options,
    request: object,
    unit: Callable[[Transaction], T],
    asks: Sequence[Ask] = (),
) -> T:
    """Run a unit, which ``asks`` for something, as the options say.

    ``request`` is what was asked for; with the same key only its like gets the first answer again,
    anything else raises KeyReused. Whoever may not make such a change is not given it either:
    ScopeMissing.
    """
    if options.validate_only:
        return await executor.try_out(unit)
    if not options.key:
        return await executor.write(unit, asks)
    fingerprint = hashlib.sha256(repr(request).encode()).hexdigest()

    def once(transaction: Transaction) -> T:
        kept = idempotency_rows.claim(transaction, who.tenant, options.key, fingerprint)
        if kept is not None:
            return cast("T", tuple(_again(who, snapshots.load(each)) for each in kept))
        items = unit(transaction)
        answer = [snapshots.dump(item) for item in items]
        idempotency_rows.settle(transaction, who.tenant, options.key, fingerprint, answer)
        return items

    return await executor.write(once, [(idempotency_rows.KEYS, (who.tenant, options.key)), *asks])


async def run_one_once(  # noqa: PLR0917 - as there
    executor: Executor,
    who: Principal,
    options: Options,
    request: object,
    unit: Callable[[Transaction], One],
    asks: Sequence[Ask] = (),
) -> One:
    """Run a unit that gives one item, as ``run_once``."""

    def alone(transaction: Transaction) -> tuple[One]:
        return (unit(transaction),)

    (item,) = await run_once(executor, who, options, request, alone, asks)
    return item


def _again(who: Principal, thing: Thing) -> Thing:
    if thing is not None:
        who.require(WRITE_SCOPES[type(thing)])
    return thing
