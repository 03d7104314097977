"""CloudEvents attributes as NATS headers (CloudEvents 1.0, NATS protocol binding, binary mode)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from collections.abc import Mapping

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/protobuf"
MESSAGE_ID: Final = "Nats-Msg-Id"
TRACEPARENT: Final = "traceparent"

_VERSION: Final = "NATS/1.0\r\n"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What is said about a message outside its payload.

    ``type`` is the full name of the protobuf message. ``id`` is stable over retries of the same
    message, so that the broker drops a repetition. ``traceparent`` is passed on as it came
    (W3C Trace Context, section 3.2).
    """

    type: str
    id: str = field(default_factory=lambda: str(uuid7()))
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    traceparent: str = ""

    def headers(self, source: str) -> dict[str, str]:
        """The headers of a message that ``source`` sends."""
        headers = {
            MESSAGE_ID: self.id,
            "ce-specversion": SPEC_VERSION,
            "ce-id": self.id,
            "ce-source": source,
            "ce-type": self.type,
            "ce-time": self.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce-datacontenttype": CONTENT_TYPE,
        }
        return headers | ({TRACEPARENT: self.traceparent} if self.traceparent else {})


def size_of(headers: Mapping[str, str]) -> int:
    """How many bytes headers are on the wire, where they count as payload (NATS, HPUB)."""
    lines = (f"{name}: {value}\r\n" for name, value in headers.items())
    return len(_VERSION) + sum(len(line.encode()) for line in lines) + len("\r\n")


def type_of(headers: Mapping[str, str] | None) -> str:
    """The type of a message that arrived; one of another version of CloudEvents is another type."""
    found = headers or {}
    version = found.get("ce-specversion", "")
    return found.get("ce-type", "") if version == SPEC_VERSION else f"CloudEvents {version!a}"


def traceparent_of(headers: Mapping[str, str] | None) -> str:
    """The trace context of a message that arrived; empty when there is none that is well formed."""
    text = (headers or {}).get(TRACEPARENT, "")
    return text if _TRACEPARENT.fullmatch(text) else ""
