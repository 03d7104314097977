"""AC-4: whole frames, one after the other, that say the same as their container."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.ac4_dac4 import Dac4
from services.validator.formats.ac4_presentation import Coding
from services.validator.formats.ac4_stream import Ac4Stream
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_BOX = "ETSI TS 103 190-2 Annex E"
_TOC = "ETSI TS 103 190-2 §6.2.1"
_AGAIN = "Encode the master again and deliver the encoder's own file, unedited."
_MUX = (
    "Wrap the encoder's AC-4 stream again with a current MP4 multiplexer, which writes dac4 itself."
)


@rule(Ac4Stream, "dac4_missing", spec=_BOX, fix=_MUX)
def dac4_missing(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """An MP4 track of AC-4 is described by a dac4 box: without it, players ignore it."""
    if not stream.framed and stream.dac4 is None:
        yield Finding(detail="The track has no dac4 box.", location="ac-4 sample entry")


@rule(Ac4Stream, "dac4_malformed", spec=_BOX, fix=_MUX)
def dac4_malformed(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """The dac4 box has all its fields."""
    if isinstance(stream.dac4, FormatError):
        yield Finding(detail=f"{stream.dac4.detail}.", location="dac4 box")


@rule(Ac4Stream, "ac4_malformed", spec=_TOC, fix=_AGAIN)
def ac4_malformed(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """Frame follows frame, and each frame's table of contents describes exactly that frame.

    Reading stops at the first frame that it cannot make sense of.
    """
    if stream.broken:
        yield Finding(
            detail=f"The stream breaks after {stream.frames} frames: {stream.broken.detail}.",
            location=f"byte {stream.broken.offset}",
        )
    elif stream.frames == 0:
        yield Finding(detail="The stream has no frame.", measured=0, allowed="at least one")


@rule(
    Ac4Stream,
    "ac4_crc_wrong",
    spec="ETSI TS 103 190-1 §G.2",
    fix="Copy the file again from its source and compare checksums; if they agree, encode again.",
)
def ac4_crc_wrong(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """The checksum of each frame that has one (sync word AC41) holds: no bit has changed."""
    for frame in stream.crc_failures:
        yield Finding(detail=f"The checksum of frame {frame} is wrong.", location=f"frame {frame}")


@rule(
    Ac4Stream,
    "ac4_first_frame_dependent",
    spec="ETSI TS 103 190-1 §4.3.3.2.7",
    fix="Cut the stream at an I-frame, or encode the master again from its start.",
)
def ac4_first_frame_dependent(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """The first frame is an I-frame: from any other one, decoding starts late and sound is lost."""
    if stream.first and not stream.first.i_frame:
        yield Finding(
            detail="The first frame needs frames before it, which are not there.",
            location="frame 0",
            measured="dependent frame",
            allowed="I-frame",
        )


@rule(
    Ac4Stream,
    "ac4_sequence_gap",
    spec="ETSI TS 103 190-1 §4.3.3.2.2",
    fix="Deliver the encoder's own stream: frames were lost, repeated or joined after encoding.",
    severity=Severity.WARNING,
)
def ac4_sequence_gap(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """The frames' sequence counters go up by one: a jump is a lost, repeated or spliced frame."""
    for frame in stream.counter_breaks:
        yield Finding(
            detail=f"The sequence counter of frame {frame} does not follow the one before.",
            location=f"frame {frame}",
        )


@rule(
    Ac4Stream,
    "ac4_parameters_change",
    spec=_TOC,
    fix="Encode the whole master in one run, with one set of parameters.",
)
def ac4_parameters_change(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """Rates, presentations and substreams stay as they are from the first frame to the last."""
    if stream.changed_at is not None:
        yield Finding(
            detail="Rates, presentations or substreams change inside the stream.",
            location=f"frame {stream.changed_at}",
        )


@rule(
    Ac4Stream,
    "ac4_atmos_not_indicated",
    spec="ETSI TS 103 190-2 §6.2.3",
    fix="Encode from the Atmos master with a Dolby AC-4 encoder, which sets the Atmos indicator.",
    severity=Severity.WARNING,
)
def ac4_atmos_not_indicated(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """A presentation of objects says in its metadata that it is Atmos: devices show it by that."""
    for index, coding in enumerate(stream.codings):
        if coding is Coding.OBJECTS and index not in stream.indicated:
            yield Finding(
                detail="The presentation is made of objects, but no frame indicates Atmos.",
                location=f"presentation {index}",
            )


@rule(Ac4Stream, "ac4_dac4_differs", spec=_BOX, fix=_MUX, severity=Severity.WARNING)
def ac4_dac4_differs(stream: Ac4Stream, _: Profile) -> Iterator[Finding]:
    """The dac4 box describes the frames: where they differ, decoders believe the frames.

    The Atmos indicators are not compared: Dolby's own encoders leave the one in dac4 unset.
    """
    if not isinstance(stream.dac4, Dac4) or stream.first is None:
        return
    for name, said, found in _compared(stream, stream.dac4):
        if said != found:
            yield Finding(
                detail=f"The dac4 box and the frames differ in {name}.",
                location="dac4 box",
                measured=said,
                allowed=found,
            )


def _compared(stream: Ac4Stream, dac4: Dac4) -> Iterator[tuple[str, object, object]]:
    """Yield what is compared: its name, what dac4 says and what the first frame says."""
    toc = stream.first
    if toc is None:
        return
    yield "bitstream version", dac4.bitstream_version, toc.bitstream_version
    yield "sample rate", dac4.sample_rate, toc.sample_rate
    yield "frame rate", dac4.frame_rate_index, toc.frame_rate_index
    if toc.presentations:
        yield "number of presentations", len(dac4.presentations), len(toc.presentations)
    pairs = zip(dac4.presentations, toc.presentations, stream.codings, strict=False)
    for index, (said, found, coding) in enumerate(pairs):
        where = f"of presentation {index}"
        yield f"version {where}", said.version, found.version
        yield f"level {where}", said.level, found.level
        yield f"coding {where}", _coding(said.object_based), _coding(coding is Coding.OBJECTS)


def _coding(objects: bool) -> str:  # noqa: FBT001 - the only thing to say
    return "objects" if objects else "channels"
