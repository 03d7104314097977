"""The bus as the rest of the product sees it; nothing outside this package knows nats-py."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NoReturn, Self

from nats import errors as nats_errors

from shared.bus import streams
from shared.bus.connection import Link, close_client, open_client
from shared.bus.envelope import size_of
from shared.bus.errors import BusClosed, BusUnavailable, MessageTooLarge
from shared.bus.publisher import PUBLISH_SECONDS, Publisher
from shared.bus.pull import Puller
from shared.bus.serve import Desk
from shared.bus.servers import TlsFiles
from shared.bus.translate import translated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import timedelta

    from nats.aio.client import Client

    from shared.bus.envelope import Envelope
    from shared.bus.errors import BusError
    from shared.bus.publisher import Message
    from shared.bus.roles import Role
    from shared.bus.serve import Handler

_MAX_WAITING: Final = 4096
_TRUSTED: Final = TlsFiles()


class Bus:
    """A connection to the broker as one role."""

    def __init__(
        self, client: Client, link: Link, role: Role, replicas: int, keep_events: timedelta | None
    ) -> None:
        """Wrap an open connection (see ``connect``)."""
        self._client = client
        self._link = link
        self._replicas = replicas
        self._keep_events = keep_events
        self._js = client.jetstream(timeout=PUBLISH_SECONDS)
        self._source = f"/stagedoor/{role}"
        self._publisher = Publisher(client, lambda m: self._headers(m.payload, m.envelope))

    @classmethod
    async def connect(
        cls,
        url: str,
        role: Role,
        *,
        tls: TlsFiles = _TRUSTED,
        replicas: int = 1,
        keep_events: timedelta | None = streams.EVENTS_AGE,
    ) -> Self:
        """Connect as the role, with the user and password of the URL; waits for the broker.

        The URL may list several servers of a cluster, by commas. ``replicas`` is how many of them
        keep each stream that ``ensure_topology`` makes, ``keep_events`` how long events stay, None
        for as long as there is room. Raises ValueError for an URL, OSError for
        files that are no good.
        """
        link = Link()
        client = await open_client(url, role, link, tls)
        return cls(client, link, role, replicas, keep_events)

    async def close(self) -> None:
        """Send what is buffered and disconnect, in bounded time."""
        await close_client(self._client, self._link)

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._link.up.is_set()

    async def until_closed(self) -> NoReturn:
        """Wait until the connection is gone for good; then raises BusClosed."""
        await self._link.closed.wait()
        raise BusClosed

    async def ensure_topology(self, ack_wait: timedelta) -> None:
        """Create the streams and consumers that are missing (see ``streams.ensure``).

        Raises BusUnavailable, BusClosed.
        """
        self._require_broker()
        with translated():
            await streams.ensure(self._js, ack_wait, self._replicas, self._keep_events)

    async def publish(self, subject: str, payload: bytes, envelope: Envelope) -> None:
        """Put a message into its stream; returns when the broker has it on its disk.

        A repetition with the same envelope id within two minutes is dropped. Raises SubjectTaken,
        TopologyMissing, BusUnavailable (then it may have arrived), MessageTooLarge, BusClosed.
        """
        headers = self._headers(payload, envelope)
        with translated():
            await self._js.publish(subject, payload, headers=headers)

    async def publish_all(self, messages: Sequence[Message]) -> list[BusError | None]:
        """Put messages into their streams side by side; gives what ``publish`` raises, for each.

        None is for what the broker has on its disk.
        """
        return await self._publisher.publish(messages)

    async def waiting(self, stream: str, consumer: str) -> int:
        """How many messages a durable consumer has not handed to anybody yet.

        Raises TopologyMissing, BusUnavailable, BusClosed.
        """
        self._require_broker()
        with translated():
            return (await self._js.consumer_info(stream, consumer)).num_pending or 0

    async def notify(self, subject: str, payload: bytes, envelope: Envelope) -> None:
        """Send a plain message to whoever listens now.

        Raises BusUnavailable, MessageTooLarge, BusClosed.
        """
        headers = self._headers(payload, envelope)
        with translated():
            await self._client.publish(subject, payload, headers=headers)

    async def request(
        self, subject: str, payload: bytes, envelope: Envelope, *, wait: timedelta
    ) -> bytes:
        """Ask, and wait so long for the answer.

        Raises NoAnswer, BusUnavailable, MessageTooLarge, BusClosed.
        """
        headers = self._headers(payload, envelope)
        with translated():
            answer = await self._client.request(
                subject, payload, timeout=wait.total_seconds(), headers=headers
            )
        return answer.data

    @asynccontextmanager
    async def serving(
        self, subject: str, handler: Handler, *, queue: str = ""
    ) -> AsyncIterator[None]:
        """Answer what comes on a subject while the context lasts; a queue shares it among servers.

        Handlers run concurrently; those that run at the end have two seconds to answer and are then
        cancelled. Raises BusClosed.
        """
        desk = Desk(self._client, handler)
        with translated():
            subscription = await self._client.subscribe(
                subject, queue=queue, cb=desk.accept, pending_msgs_limit=_MAX_WAITING
            )
        try:
            yield
        finally:
            with suppress(nats_errors.Error):  # gone with its connection
                await subscription.unsubscribe()
            await desk.close()

    @asynccontextmanager
    async def pulling(self, stream: str, consumer: str) -> AsyncIterator[Puller]:
        """Take messages of a durable consumer while the context lasts."""
        with translated():
            subscription = await self._client.subscribe(self._client.new_inbox())
        puller = Puller(self._client, subscription, (stream, consumer), self._link)
        try:
            yield puller
        finally:
            await puller.leave()
            with suppress(nats_errors.Error):  # gone with its connection
                await subscription.unsubscribe()

    def _headers(self, payload: bytes, envelope: Envelope) -> dict[str, str]:
        """What goes before a payload, once it is clear that the broker takes both."""
        self._require_broker()
        headers = envelope.headers(self._source)
        # The client library counts the payload alone, and the broker hangs up on who sends more.
        if size_of(headers) + len(payload) > self._client.max_payload:
            raise MessageTooLarge(f"{len(payload)} bytes and their headers are too many")
        return headers

    def _require_broker(self) -> None:
        if self._link.closed.is_set():
            raise BusClosed
        if not self.connected:
            # The client library would buffer: the caller could not tell what was sent when.
            raise BusUnavailable("The broker is away.")
