"""Leads each kind of file through its layers: container first, then identity, then content."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import services.validator.rules  # noqa: F401 - importing it registers the rules
from services.validator.formats import ac4, mp4
from services.validator.formats.adm_bwf import read_adm_master
from services.validator.formats.dec3 import Dec3, parse_dec3
from services.validator.formats.eac3_stream import Eac3Stream, read_stream
from services.validator.formats.recognise import MP4, Kind, Recognised
from services.validator.formats.riff import Fmt, RiffFile, read_riff
from services.validator.formats.source import FormatError, Source
from services.validator.rules.ac4 import Ac4Track
from services.validator.rules.identity import Identity
from services.validator.rules.mp4 import Mp4File
from services.validator.rules.registry import has_errors, judge
from shared.problems import Format, Problem

if TYPE_CHECKING:
    from services.validator.profile import Profile

ADM_BWF, EAC3_JOC, AC4_ATMOS, RAW_AC4 = "adm_bwf", "eac3_joc", "ac4", "ac4_raw"


@dataclass(slots=True)
class Verdict:
    """Our own word on a file; ``atmos`` is whether it claims to be Atmos at all."""

    profile: Profile
    format: Format
    atmos: bool = False
    problems: list[Problem] = field(default_factory=list)

    def judge(self, subject: object) -> bool:
        """Add what the rules find in a subject; return whether it is worth going deeper."""
        self.problems += judge(subject, self.profile)
        return not has_errors(self.problems)

    def identify(self, recognised: Recognised, carries: str) -> bool:
        """Judge what the file claims to be; return whether it is worth going deeper."""
        self.atmos = bool(carries)
        return self.judge(Identity(recognised, carries))


def judge_source(source: Source, recognised: Recognised, profile: Profile) -> Verdict:
    """Judge a file by its structures."""
    verdict = Verdict(profile, Format(container=recognised.container, codec=recognised.codec))
    if recognised.kind is Kind.WAVE:
        _judge_wave(source, recognised, verdict)
    elif recognised.container == MP4:
        _judge_mp4(source, recognised, verdict)
    elif recognised.kind is Kind.EAC3:
        _judge_eac3(source, recognised, None, verdict)
    else:
        verdict.identify(recognised, RAW_AC4 if recognised.kind is Kind.AC4 else "")
    return verdict


def _judge_wave(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    riff = read_riff(source)
    if isinstance(riff.fmt, Fmt):
        verdict.format = _wave_format(riff, riff.fmt)
    if not verdict.judge(riff) or not isinstance(riff.fmt, Fmt):
        return
    carries = ADM_BWF if riff.chunk("axml") or riff.chunk("chna") else ""
    if verdict.identify(recognised, carries):
        master = read_adm_master(source, riff, riff.fmt)
        verdict.format = _wave_format(riff, riff.fmt, master.bed_channels, master.objects)
        verdict.judge(master)


def _wave_format(riff: RiffFile, fmt: Fmt, bed_channels: int = 0, objects: int = 0) -> Format:
    data = riff.chunk("data")
    frames = data.size // fmt.block_align if data and fmt.block_align else 0
    return Format(
        container=riff.form,
        codec="PCM" if fmt.is_pcm else f"format tag {fmt.tag:#06x}",
        sample_rate_hertz=fmt.sample_rate,
        bit_depth=fmt.bit_depth,
        channels=fmt.channels,
        bed_channels=bed_channels,
        objects=objects,
        duration_seconds=frames / fmt.sample_rate if fmt.sample_rate else 0.0,
    )


def _judge_mp4(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    try:
        walked: mp4.Mp4 | FormatError = mp4.read_mp4(source)
    except FormatError as error:
        walked = error
    if not verdict.judge(Mp4File(walked, source.size)) or isinstance(walked, FormatError):
        return
    track = walked.audio()
    if track is not None and recognised.kind is Kind.EAC3:
        _judge_eac3(source, recognised, track, verdict)
    elif track is not None and recognised.kind is Kind.AC4:
        _judge_ac4(recognised, track, verdict)
    else:
        verdict.identify(recognised, "")


def _judge_eac3(
    source: Source, recognised: Recognised, track: mp4.Track | None, verdict: Verdict
) -> None:
    if track is None:
        stream = read_stream(source, [(0, source.size)], Eac3Stream())
    else:
        start = Eac3Stream(_dec3(track), timed_samples=track.timed_samples)
        stream = read_stream(source, track.samples(), start)
    verdict.format = _eac3_format(stream, recognised.container)
    if stream.frames == 0 or verdict.identify(recognised, EAC3_JOC if stream.claims_atmos else ""):
        verdict.judge(stream)


def _dec3(track: mp4.Track) -> Dec3 | FormatError | None:
    try:
        return parse_dec3(track.config["dec3"]) if "dec3" in track.config else None
    except FormatError as error:
        return error


def _eac3_format(stream: Eac3Stream, container: str) -> Format:
    first = stream.first
    oamd = next((oamd for oamd, _ in stream.programmes), None)
    return Format(
        container=container,
        codec="E-AC-3 JOC" if stream.claims_atmos else "E-AC-3",
        sample_rate_hertz=first.sample_rate if first else 0,
        channels=first.channels if first else 0,
        bed_channels=oamd.bed_channels if oamd else 0,
        objects=oamd.object_count - oamd.bed_channels if oamd else 0,
        duration_seconds=stream.frames * stream.frame_seconds,
    )


def _judge_ac4(recognised: Recognised, track: mp4.Track, verdict: Verdict) -> None:
    try:
        dac4 = ac4.parse_dac4(track.config["dac4"]) if "dac4" in track.config else None
    except FormatError as error:
        verdict.judge(Ac4Track(error))
        return
    verdict.format = Format(
        container=recognised.container,
        codec="AC-4",
        sample_rate_hertz=dac4.sample_rate if dac4 else 0,
        duration_seconds=track.duration / track.timescale if track.timescale else 0.0,
    )
    if verdict.judge(Ac4Track(dac4)) and dac4 is not None:
        verdict.identify(recognised, AC4_ATMOS if dac4.is_atmos else "")
