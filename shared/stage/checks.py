"""Reading values off the wire: each is what it should be, or the message is malformed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

if TYPE_CHECKING:
    _M = TypeVar("_M", bound=Message)

MAX_MESSAGE_BYTES: Final = 1 << 20
MAX_DURATION: Final = timedelta(days=30)
_MAX_TYPE: Final = 100
_TENANT = re.compile(r"[a-z0-9-]{1,63}", re.ASCII)
_MD5 = re.compile(r"[0-9a-f]{32}", re.ASCII)


class MalformedMessage(ValueError):  # noqa: N818 - reads as what it is
    """The bytes are not what the subject promises; repeating them will not help."""


class UnknownType(MalformedMessage):
    """The message is of a type that is not expected here: a newer version's, or astray."""


def expect(found: str, wanted: str) -> None:
    """Go on with messages of this CloudEvents type only; raises UnknownType."""
    if found != wanted:
        raise UnknownType(f"{found[:_MAX_TYPE]!a} where {wanted} is expected")


def parsed(kind: type[_M], data: bytes) -> _M:
    """The bytes as a message of this kind; raises MalformedMessage."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise MalformedMessage(f"{len(data)} bytes are too many")
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise MalformedMessage(f"no {kind.__name__}") from error
    return message


def uuid(text: str) -> UUID:
    """A UUID in its canonical spelling; raises MalformedMessage."""
    try:
        value = UUID(text)
    except ValueError as error:
        raise MalformedMessage("no uuid") from error
    if str(value) != text:
        raise MalformedMessage("no canonical uuid")
    return value


def generation(number: int) -> int:
    """A generation counts from 1; raises MalformedMessage."""
    if number < 1:
        raise MalformedMessage("no generation")
    return number


def not_negative(number: int) -> int:
    """A count or size; raises MalformedMessage."""
    if number < 0:
        raise MalformedMessage(f"{number} is less than nothing")
    return number


def md5(text: str) -> str:
    """A checksum as 32 lower-case hexadecimal digits; raises MalformedMessage."""
    if not _MD5.fullmatch(text):
        raise MalformedMessage("no md5")
    return text


def own_key(key: str, end: str) -> str:
    """A blob key of some tenant that ends so; raises MalformedMessage."""
    tenant, found, rest = key.partition(end)
    if not (_TENANT.fullmatch(tenant) and found) or rest:
        raise MalformedMessage("the blob key is not the run's own")
    return key


def duration(wire: Duration) -> timedelta:
    """A time from zero to 30 days; raises MalformedMessage."""
    if not 0 <= wire.seconds <= MAX_DURATION.total_seconds() or not 0 <= wire.nanos < 10**9:
        raise MalformedMessage("no usable duration")
    return timedelta(seconds=wire.seconds, microseconds=wire.nanos // 1000)


def to_duration(time: timedelta) -> Duration:
    """A time for the wire, within what the other side reads."""
    wire = Duration()
    wire.FromTimedelta(min(max(time, timedelta(0)), MAX_DURATION))
    return wire
