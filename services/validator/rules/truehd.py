"""TrueHD with Atmos: whole access units with right checksums, and a 16-channel presentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.truehd_dmlp import Dmlp
from services.validator.formats.truehd_stream import TruehdStream
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_SPEC = "Dolby TrueHD (MLP) high-level bitstream description"
_SYNC = f"{_SPEC}, major_sync_info"
_BOX = "Dolby TrueHD bitstreams within the ISO base media file format, MLPSpecificBox"
_AGAIN = "Encode the master again and deliver the encoder's own file, unedited."
_COPY = "Copy the file again from its source and compare checksums; if they agree, encode again."
_MUX = "Wrap the encoder's TrueHD stream again with a current MP4 multiplexer, which writes dmlp."
_OBJECT_SUBSTREAMS = 4
_MAX_RUN = 128
_MAX_CHANNELS = 16


@rule(TruehdStream, "dmlp_missing", spec=_BOX, fix=_MUX)
def dmlp_missing(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """An MP4 track of TrueHD is described by a dmlp box: without it, players do not open it."""
    if stream.in_track and stream.dmlp is None:
        yield Finding(detail="The track has no dmlp box.", location="mlpa sample entry")


@rule(TruehdStream, "dmlp_malformed", spec=_BOX, fix=_MUX)
def dmlp_malformed(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """The dmlp box has all its fields."""
    if isinstance(stream.dmlp, FormatError):
        yield Finding(detail=f"{stream.dmlp.detail}.", location="dmlp box")


@rule(TruehdStream, "truehd_malformed", spec=_SPEC, fix=_AGAIN)
def truehd_malformed(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """Access unit follows access unit, the first with a major sync, and each one's parts fit.

    Reading stops at the first unit that it cannot make sense of.
    """
    if stream.broken:
        yield Finding(
            detail=f"The stream breaks after {stream.units} units: {stream.broken.detail}.",
            location=f"byte {stream.broken.offset}",
        )
    elif stream.units == 0:
        yield Finding(detail="The stream has no access unit.", measured=0, allowed="at least one")


@rule(TruehdStream, "truehd_checksum_wrong", spec=_SPEC, fix=_COPY)
def truehd_checksum_wrong(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """The checksums of headers, major syncs, restart headers and substreams hold: no bit changed.

    Lossless audio with a wrong bit is no longer what the encoder was given.
    """
    for unit in stream.bad_headers:
        yield Finding(
            detail=f"A checksum in the head of access unit {unit} is wrong.",
            location=f"access unit {unit}",
        )
    for unit in stream.checks.failed:
        yield Finding(
            detail=f"The parity or CRC of a substream in access unit {unit} is wrong.",
            location=f"access unit {unit}",
        )


@rule(
    TruehdStream,
    "truehd_parameters_change",
    spec=_SYNC,
    fix="Encode the whole master in one run, with one set of parameters.",
)
def truehd_parameters_change(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """Rate, channels and presentations stay as they are from the first major sync to the last."""
    if stream.changed_at is not None:
        yield Finding(
            detail="Rate, channels or presentations change inside the stream.",
            location=f"access unit {stream.changed_at}",
        )


@rule(TruehdStream, "truehd_substream_missing", spec=_SYNC, fix=_AGAIN)
def truehd_substream_missing(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """The 16-channel presentation is in the fourth substream: a flag without it is no Atmos."""
    if stream.first and stream.has_objects and stream.first.substreams < _OBJECT_SUBSTREAMS:
        yield Finding(
            detail="Atmos is announced, but the substream that would carry it is not there.",
            location="major sync of access unit 0",
            measured=f"{stream.first.substreams} substreams",
            allowed=f"{_OBJECT_SUBSTREAMS} substreams",
        )


@rule(
    TruehdStream,
    "truehd_objects_undescribed",
    spec=f"{_SYNC}, 16ch_channel_meaning",
    fix="Encode from the Atmos master with a Dolby TrueHD encoder, which describes its objects.",
    severity=Severity.WARNING,
)
def truehd_objects_undescribed(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """The major sync counts the beds and objects of the presentation that it announces."""
    if stream.first and stream.has_objects and stream.first.objects is None:
        yield Finding(
            detail="Atmos is announced, but its beds and objects are not described.",
            location="major sync of access unit 0",
        )


@rule(
    TruehdStream, "truehd_objects_inconsistent", spec=f"{_SYNC}, 16ch_channel_meaning", fix=_AGAIN
)
def truehd_objects_inconsistent(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """The 16-channel presentation has at most 16 channels, and no more objects than channels."""
    objects = stream.first.objects if stream.first else None
    if objects and not objects.dynamic <= objects.channels <= _MAX_CHANNELS:
        yield Finding(
            detail="The channels and objects of the 16-channel presentation contradict each other.",
            location="major sync of access unit 0",
            measured=f"{objects.channels} channels, {objects.dynamic} objects",
            allowed=f"at most {_MAX_CHANNELS} channels, and no more objects than channels",
        )


@rule(
    TruehdStream,
    "truehd_sync_rare",
    spec=_SPEC,
    fix="Encode again with a major sync at least every 128 access units.",
    severity=Severity.WARNING,
)
def truehd_sync_rare(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """A major sync comes at least every 128 access units: players can only start there."""
    if stream.longest_run > _MAX_RUN:
        yield Finding(
            detail="Major syncs are too far apart.",
            measured=f"{stream.longest_run} access units",
            allowed=f"at most {_MAX_RUN}",
        )


@rule(TruehdStream, "truehd_dmlp_differs", spec=_BOX, fix=_MUX, severity=Severity.WARNING)
def truehd_dmlp_differs(stream: TruehdStream, _: Profile) -> Iterator[Finding]:
    """The dmlp box repeats the first major sync: where they differ, decoders believe the stream."""
    first, box = stream.first, stream.dmlp
    if first is None or not isinstance(box, Dmlp):
        return
    pairs = (
        ("format", f"0x{box.format_info:08x}", f"0x{first.format_info:08x}"),
        ("peak data rate", box.peak_data_rate, first.peak_data_rate),
    )
    for name, said, found in pairs:
        if said != found:
            yield Finding(
                detail=f"The dmlp box and the first major sync differ in the {name}.",
                location="dmlp box",
                measured=said,
                allowed=found,
            )
