"""The MPEG transport stream: every packet there, in order and in the clear."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.mpeg_ts import TransportStream
from services.validator.rules.registry import Finding, rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_SPEC = "ISO/IEC 13818-1"
_AGAIN = "Multiplex the stream again from its source, and transfer it without loss."


@rule(TransportStream, "ts_malformed", spec=_SPEC, fix=_AGAIN)
def ts_malformed(stream: TransportStream, _: Profile) -> Iterator[Finding]:
    """Packets follow each other at their fixed distance, and the tables name their streams."""
    if stream.broken:
        yield Finding(detail=f"{stream.broken.detail}.", location=f"byte {stream.broken.offset}")


@rule(
    TransportStream,
    "file_truncated",
    spec=f"{_SPEC} §2.4.3.2",
    fix="Transfer the file again: it stops inside a packet.",
)
def ts_truncated(stream: TransportStream, _: Profile) -> Iterator[Finding]:
    """The file is a whole number of packets."""
    rest = stream.size % stream.layout.stride
    if rest:
        yield Finding(
            detail="The file is cut off inside a packet.",
            location=f"byte {stream.size - rest}",
            measured=f"{rest} bytes",
            allowed=f"{stream.layout.stride} bytes",
        )


@rule(TransportStream, "ts_continuity_error", spec=f"{_SPEC} §2.4.3.3", fix=_AGAIN)
def ts_continuity_error(stream: TransportStream, _: Profile) -> Iterator[Finding]:
    """The packets of the sound are counted without a gap: a gap is lost sound."""
    for offset in stream.gaps:
        yield Finding(
            detail="The continuity counter jumps: packets of the sound are lost.",
            location=f"byte {offset}",
        )


@rule(TransportStream, "ts_packet_damaged", spec=f"{_SPEC} §2.4.3.3", fix=_AGAIN)
def ts_packet_damaged(stream: TransportStream, _: Profile) -> Iterator[Finding]:
    """No packet of the sound is marked as damaged by whoever received it."""
    for offset in stream.damaged:
        yield Finding(
            detail="The packet is marked as damaged in transmission.", location=f"byte {offset}"
        )


@rule(
    TransportStream,
    "source_encrypted",
    spec=f"{_SPEC} §2.4.3.3",
    fix="Deliver the stream without conditional access or other protection.",
)
def ts_scrambled(stream: TransportStream, _: Profile) -> Iterator[Finding]:
    """What is scrambled cannot be judged."""
    for offset in stream.scrambled[:1]:
        yield Finding(detail="The sound is scrambled.", location=f"byte {offset}")
