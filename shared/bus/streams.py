"""The streams and durable consumers: what they keep, and making sure that they exist.

Only the API calls ``ensure``; the workers have no right to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import NotFoundError

from shared.bus import subjects

if TYPE_CHECKING:
    from nats.js import JetStreamContext

WORK: Final = "STAGEDOOR_WORK"
REPORTS: Final = "STAGEDOOR_REPORTS"
EVENTS: Final = "STAGEDOOR_EVENTS"

DOWNLOAD_CONSUMER: Final = "download"
VALIDATE_CONSUMER: Final = "validate"
PUBLISH_CONSUMER: Final = "publish"
API_CONSUMER: Final = "api"

_DUPLICATE_WINDOW_SECONDS = 120.0
EVENTS_AGE: Final = timedelta(days=7)
_MIB = 1 << 20
# How many commands a whole fleet may hold; those that wait for a later delivery count as well.
_MAX_ACK_PENDING = 10_000

STREAMS: Final = (
    StreamConfig(
        name=WORK,
        subjects=[subjects.ALL_WORK],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        # One outstanding command for each subject, so that the dispatcher may repeat blindly.
        max_msgs_per_subject=1,
        discard=DiscardPolicy.NEW,
        discard_new_per_subject=True,
        max_bytes=512 * _MIB,
        duplicate_window=_DUPLICATE_WINDOW_SECONDS,
    ),
    StreamConfig(
        name=REPORTS,
        subjects=[subjects.ALL_REPORTS],
        retention=RetentionPolicy.WORK_QUEUE,
        storage=StorageType.FILE,
        # A full stream refuses: a worker keeps its report and tries again, nothing is dropped.
        discard=DiscardPolicy.NEW,
        max_bytes=1024 * _MIB,
        duplicate_window=_DUPLICATE_WINDOW_SECONDS,
    ),
    StreamConfig(
        name=EVENTS,
        subjects=[subjects.ALL_EVENTS],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        discard=DiscardPolicy.OLD,
        max_age=EVENTS_AGE.total_seconds(),
        max_bytes=1024 * _MIB,
        duplicate_window=_DUPLICATE_WINDOW_SECONDS,
    ),
)

_CONSUMERS: Final = (
    (WORK, DOWNLOAD_CONSUMER, subjects.work_of(DOWNLOAD_CONSUMER)),
    (WORK, VALIDATE_CONSUMER, subjects.work_of(VALIDATE_CONSUMER)),
    (WORK, PUBLISH_CONSUMER, subjects.work_of(PUBLISH_CONSUMER)),
    (REPORTS, API_CONSUMER, subjects.ALL_REPORTS),
)


async def ensure(
    js: JetStreamContext, ack_wait: timedelta, replicas: int, keep_events: timedelta | None
) -> None:
    """Create what is missing and bring the rest up to date; harmless when all is well.

    ``ack_wait`` is how long a message stays with a silent reader before another one gets it;
    ``replicas`` how many servers keep each stream, with its consumers; ``keep_events`` how long
    events stay, None for as long as there is room. Raises the errors of nats-py.
    """
    for config in STREAMS:
        wanted = replace(config, num_replicas=replicas)
        if config.name == EVENTS:
            wanted = replace(wanted, max_age=keep_events.total_seconds() if keep_events else 0.0)
        await _ensure_stream(js, wanted)
    for stream, name, filter_subject in _CONSUMERS:
        await js.add_consumer(stream, _consumer(name, filter_subject, ack_wait))


async def _ensure_stream(js: JetStreamContext, config: StreamConfig) -> None:
    try:
        found = await js.stream_info(str(config.name))
    except NotFoundError:
        await js.add_stream(config)
    else:
        # More copies than we ask for are the operator's choice.
        copies = max(config.num_replicas or 1, found.config.num_replicas or 1)
        await js.update_stream(replace(config, num_replicas=copies))


def _consumer(name: str, filter_subject: str, ack_wait: timedelta) -> ConsumerConfig:
    # Attempts are counted in the database and a message that ran out of deliveries would stay in
    # a work queue for ever, hence no end of deliveries; and no backoff, as it distorts nak delays.
    return ConsumerConfig(
        durable_name=name,
        filter_subject=filter_subject,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ack_wait.total_seconds(),
        max_deliver=-1,
        max_ack_pending=_MAX_ACK_PENDING,
    )
