"""Puts many messages into streams side by side, each acknowledged or refused by the broker.

nats-py waits for one acknowledgement after the other at five times the cost, and its own way to do
it side by side never says that a message was refused.
"""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from nats import errors as nats_errors
from nats.js import api
from nats.js import errors as js_errors

from shared.bus.errors import BusError, BusUnavailable, NoAnswer
from shared.bus.translate import bus_error, translated

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nats.aio.client import Client
    from nats.aio.msg import Msg

    from shared.bus.envelope import Envelope

PUBLISH_SECONDS: Final = 5.0
_NO_RESPONDERS: Final = "503"


class Message(NamedTuple):
    """What is put into a stream."""

    subject: str
    payload: bytes
    envelope: Envelope


class Publisher:
    """Publishes for one connection."""

    def __init__(self, client: Client, headers: Callable[[Message], dict[str, str]]) -> None:
        """Ask for the headers of each message; that may raise a BusError."""
        self._client = client
        self._headers = headers
        self._inbox = ""
        self._tokens = count()
        self._waiting: dict[str, asyncio.Future[None]] = {}

    async def publish(self, messages: Sequence[Message]) -> list[BusError | None]:
        """What became of each message; None when the broker has it on its disk."""
        outcomes: list[BusError | None] = [None] * len(messages)
        acks: dict[int, asyncio.Future[None]] = {}
        tokens: list[str] = []
        try:
            for index, message in enumerate(messages):
                try:
                    headers = self._headers(message)
                    token, acks[index] = self._expect()
                    tokens.append(token)
                    await self._send(message, headers, token)
                except BusError as error:
                    outcomes[index] = error
                    acks.pop(index, None)
            if acks:
                await asyncio.wait(acks.values(), timeout=PUBLISH_SECONDS)
            for index, ack in acks.items():
                outcomes[index] = _trouble(ack)
        finally:
            for token in tokens:
                self._waiting.pop(token, None)
        return outcomes

    def _expect(self) -> tuple[str, asyncio.Future[None]]:
        token = str(next(self._tokens))
        ack = self._waiting[token] = asyncio.get_running_loop().create_future()
        return token, ack

    async def _send(self, message: Message, headers: dict[str, str], token: str) -> None:
        with translated():
            if not self._inbox:
                inbox = self._client.new_inbox()
                await self._client.subscribe(f"{inbox}.*", cb=self._hear)
                self._inbox = inbox
            reply = f"{self._inbox}.{token}"
            await self._client.publish(message.subject, message.payload, reply, headers)

    async def _hear(self, answer: Msg) -> None:
        ack = self._waiting.pop(answer.subject.rpartition(".")[2], None)
        if ack is None or ack.done():
            return
        try:
            _check(answer)
        except (nats_errors.Error, ValueError) as error:
            ack.set_exception(error)
        else:
            ack.set_result(None)


def _check(answer: Msg) -> None:
    """Raise what the broker refuses a message for."""
    if answer.headers and answer.headers.get(api.Header.STATUS) == _NO_RESPONDERS:
        raise js_errors.NoStreamResponseError
    said = json.loads(answer.data)
    if "error" in said:
        raise js_errors.APIError.from_error(said["error"])


def _trouble(ack: asyncio.Future[None]) -> BusError | None:
    if not ack.done():
        return NoAnswer("The broker did not answer in time.")
    error = ack.exception()
    if error is None:
        return None
    is_known = isinstance(error, nats_errors.Error)
    return bus_error(error) if is_known else BusUnavailable("The broker's answer makes no sense.")
