"""E-AC-3 with Atmos: signalled, carried in every frame, and consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.dec3 import Dec3
from services.validator.formats.eac3_stream import Eac3Stream
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.formats.dec3 import Substream
    from services.validator.profile import Profile

_FRAMES = "ETSI TS 102 366 Annex E"
_BOX = "ETSI TS 102 366 Annex F"
_JOC = "ETSI TS 103 420 §8"
_MAX_COMPLEXITY = 16
_PACKAGE = "Package the stream again with a tool that writes dec3 from the stream itself."
_ENCODE = "Encode the master again with a Dolby Digital Plus JOC encoder."
_TRANSFER = "Transfer the file again; if that does not help, encode the master again."


@rule(Eac3Stream, "dec3_missing", spec=_BOX, fix=_PACKAGE)
def dec3_missing(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """An MP4 track of E-AC-3 is described by a dec3 box."""
    if stream.track is not None and stream.dec3 is None:
        yield Finding(detail="The track has no dec3 box.", location="ec-3 sample entry")


@rule(Eac3Stream, "dec3_malformed", spec=_BOX, fix=_PACKAGE)
def dec3_malformed(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """The dec3 box has all its fields."""
    if isinstance(stream.dec3, FormatError):
        yield Finding(detail=f"{stream.dec3.detail}.", location="dec3 box")


@rule(Eac3Stream, "dec3_differs", spec=_BOX, fix=_PACKAGE)
def dec3_differs(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """The dec3 box tells the sample rate, channels and substreams that the frames have."""
    if not isinstance(stream.dec3, Dec3) or stream.main is None or stream.broken:
        return
    said, main = stream.dec3.substreams, stream.main
    if (said[0].sample_rate or main.sample_rate, *_shape(said[0])) != (
        main.sample_rate,
        *_shape(main),
    ):
        yield Finding(
            detail="The dec3 box describes other channels or substreams than the frames have.",
            location="dec3 box",
            measured=_words(said[0]),
            allowed=_words(main),
        )
    if len(said) != len(stream.independents):
        yield Finding(
            detail="The dec3 box counts other programmes than there are.",
            location="dec3 box",
            measured=len(said),
            allowed=len(stream.independents),
        )


def _shape(substream: Substream) -> tuple[int, bool, int]:
    return substream.acmod, substream.lfe, substream.dependents


def _words(substream: Substream) -> str:
    return (
        f"{substream.sample_rate} Hz, acmod {substream.acmod}, lfeon {substream.lfe:d}, "
        f"{substream.dependents} dependent substreams"
    )


@rule(
    Eac3Stream,
    "track_duration_differs",
    spec="ISO/IEC 14496-12 §8.6.1",
    fix="Package the stream again with a tool that takes the time table (stts) from the frames.",
)
def track_duration_differs(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """The time table lets the frames play as long as they last: else sound and picture drift."""
    track = stream.track
    if track is None or not track.timescale or stream.broken:
        return
    timed = track.timed / track.timescale
    # Whether a difference of just one frame is told must not hang on how seconds are rounded.
    if round(abs(timed - stream.seconds) - stream.frame_seconds, 9) > 0:
        yield Finding(
            detail="The time table gives the frames another duration than they have.",
            location="stts box",
            measured=f"{timed:.3f} s",
            allowed=f"{stream.seconds:.3f} s",
        )


@rule(Eac3Stream, "frame_broken", spec=_FRAMES, fix=_TRANSFER)
def frame_broken(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """Frame follows frame without a gap, from the first byte to the last."""
    if stream.broken:
        yield Finding(
            detail=f"The stream breaks after {stream.frames} frames: {stream.broken.detail}.",
            location=f"byte {stream.broken.offset}",
        )


@rule(Eac3Stream, "frame_crc_wrong", spec="ETSI TS 102 366 §6.1.7", fix=_TRANSFER)
def frame_crc_wrong(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """Each frame's checksum holds."""
    for frame in stream.crc_failures:
        yield Finding(detail=f"The checksum of frame {frame} is wrong.", location=f"frame {frame}")


@rule(
    Eac3Stream,
    "sample_rate_not_allowed",
    spec=_JOC,
    fix="Encode from a master of 48 kHz.",
)
def eac3_sample_rate(stream: Eac3Stream, profile: Profile) -> Iterator[Finding]:
    """Atmos is coded at 48 kHz."""
    if stream.first and stream.first.sample_rate not in profile.eac3.sample_rates:
        yield Finding(
            detail=f"The sample rate is {stream.first.sample_rate} Hz.",
            location="frame 0",
            measured=f"{stream.first.sample_rate} Hz",
            allowed=" or ".join(str(rate) for rate in sorted(profile.eac3.sample_rates)),
        )


@rule(
    Eac3Stream,
    "stream_parameters_change",
    spec=_FRAMES,
    fix="Encode the whole master in one go: streams of different kinds cannot be joined.",
)
def stream_parameters_change(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """Rate, blocks and channels stay as they are from the first frame to the last."""
    if stream.changed_at is not None:
        yield Finding(
            detail="Rate, blocks or channels change inside the stream.",
            location=f"frame {stream.changed_at}",
        )


@rule(Eac3Stream, "joc_payload_missing", spec="ETSI TS 103 420 §5, §6", fix=_ENCODE)
def joc_payload_missing(stream: Eac3Stream, profile: Profile) -> Iterator[Finding]:
    """A stream that says Atmos carries OAMD and JOC in (nearly) every frame.

    Without any it is a plain stream under a false flag, whatever players show for it.
    """
    limits = profile.eac3
    share = stream.carrying / stream.frames if stream.frames else 1.0
    gap = stream.longest_gap * stream.frame_seconds
    if share < limits.min_carrying or gap > limits.max_gap_seconds:
        lack = "not in all frames" if stream.carrying else "nowhere: this is plain E-AC-3"
        yield Finding(
            detail=f"Atmos is announced, but its payloads (OAMD and JOC) are {lack}.",
            measured=f"{stream.carrying} of {stream.frames} frames, gap {gap:.3f} s",
            allowed=f"{limits.min_carrying:.0%} of frames, gap {limits.max_gap_seconds:g} s",
        )


@rule(Eac3Stream, "joc_payload_malformed", spec="ETSI TS 103 420 §5, §6", fix=_ENCODE)
def joc_payload_malformed(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """The heads of OAMD and JOC have all their fields."""
    for frame in stream.malformed:
        yield Finding(
            detail="The object metadata ends in the middle of its head.", location=f"frame {frame}"
        )


@rule(Eac3Stream, "joc_in_dependent_substream", spec="ETSI TS 103 420 §8.2", fix=_ENCODE)
def joc_in_dependent_substream(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """Objects are carried by the independent substream, where every decoder looks."""
    for frame in stream.misplaced:
        yield Finding(
            detail="A dependent substream carries JOC: decoders ignore it there.",
            location=f"frame {frame}",
        )


@rule(
    Eac3Stream,
    "joc_not_signalled",
    spec=f"{_JOC}; {_BOX}",
    fix="Package the stream with a tool that knows JOC; if addbsi lacks it, encode again.",
)
def joc_not_signalled(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """Players find Atmos by addbsi and dec3: without them nobody hears it."""
    if stream.signalled < stream.frames:
        yield Finding(
            detail="Not all frames announce Atmos in addbsi.",
            location="addbsi",
            measured=f"{stream.signalled} of {stream.frames} frames",
            allowed="all frames",
        )
    if isinstance(stream.dec3, Dec3) and stream.dec3.complexity is None:
        yield Finding(detail="The dec3 box does not announce Atmos.", location="dec3 box")


@rule(Eac3Stream, "complexity_differs", spec=_JOC, fix=_PACKAGE)
def complexity_differs(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """dec3, addbsi and OAMD count the same objects."""
    counts = {f"addbsi {value}" for value in stream.complexities}
    counts |= {f"OAMD {oamd.object_count}" for oamd, _ in stream.programmes}
    if stream.announced_complexity is not None:
        counts.add(f"dec3 {stream.announced_complexity}")
    if len({text.split()[1] for text in counts}) > 1:
        yield Finding(
            detail="dec3, addbsi and OAMD do not agree on the number of objects.",
            measured=", ".join(sorted(counts)),
            allowed="one number",
        )


@rule(
    Eac3Stream,
    "complexity_out_of_range",
    spec=_JOC,
    fix=f"Encode the master again with at most {_MAX_COMPLEXITY} elements.",
)
def complexity_out_of_range(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """The complexity index is 1 to 16."""
    for complexity in sorted(stream.complexities):
        if not 1 <= complexity <= _MAX_COMPLEXITY:
            yield Finding(
                detail=f"The complexity index is {complexity}.",
                location="addbsi",
                measured=complexity,
                allowed=f"1 to {_MAX_COMPLEXITY}",
            )


@rule(Eac3Stream, "joc_objects_differ", spec="ETSI TS 103 420 §6.3", fix=_ENCODE)
def joc_objects_differ(stream: Eac3Stream, _: Profile) -> Iterator[Finding]:
    """JOC rebuilds every object of OAMD but the LFE, which is coded as itself."""
    for oamd, rebuilt in sorted(stream.programmes, key=str):
        right = oamd.object_count - oamd.lfe_channels
        if rebuilt != right:
            yield Finding(
                detail="JOC rebuilds another number of objects than OAMD describes.",
                measured=rebuilt,
                allowed=right,
            )
