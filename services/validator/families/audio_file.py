"""Stereo and mono masters: a WAV or FLAC file with the numbers of its declared type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.decoding import decode_flac
from services.validator.formats.flac import check_first_frame, read_flac
from services.validator.formats.kinds import Kind
from services.validator.rules import load
from services.validator.rules.audio_file import (
    NUMBERS,
    AudioFile,
    FlacFile,
    FlacSound,
    WaveLayout,
)
from services.validator.rules.delivery import Misdeclared
from shared.adm.riff import Fmt, read_riff, wave_format
from shared.adm.source import FormatError
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats.flac import StreamInfo
    from services.validator.formats.kinds import Recognised
    from services.validator.verdict import Verdict
    from shared.adm.source import Source

load("wave")

_FLAC = "FLAC file"


def judge_audio_file(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a file that is declared as ``cd``, ``hd`` or ``audio_track``."""
    if recognised.kind is Kind.WAVE:
        _judge_wave(source, verdict)
    elif recognised.container == _FLAC:
        _judge_flac(source, verdict)
    else:
        verdict.judge(Misdeclared(recognised, verdict.asked.master_type, "a WAV or FLAC file"))


def _judge_wave(source: Source, verdict: Verdict) -> None:
    riff = read_riff(source)
    if not verdict.judge_container(riff) or not isinstance(riff.fmt, Fmt):
        return
    verdict.format = wave_format(riff, riff.fmt)
    if _judge_numbers(verdict, pcm=riff.fmt.is_pcm):
        verdict.judge(WaveLayout(riff, riff.fmt))


def _judge_numbers(verdict: Verdict, *, pcm: bool) -> bool:
    numbers = NUMBERS[verdict.asked.master_type]
    return verdict.judge(AudioFile(verdict.format, pcm, numbers))


def _judge_flac(source: Source, verdict: Verdict) -> None:
    try:
        info = read_flac(source)
    except FormatError as error:
        verdict.judge(FlacFile(error))
        return
    verdict.format = _flac_format(info)
    if not _judge_numbers(verdict, pcm=True):
        return
    if verdict.judge(FlacFile(info, _first_frame(source, info))) and verdict.asked.audio:
        _listen(source, info, verdict)


def _flac_format(info: StreamInfo) -> Format:
    return Format(
        container=_FLAC,
        codec="FLAC",
        sample_rate_hertz=info.sample_rate,
        bit_depth=info.bit_depth,
        channels=info.channels,
        duration_seconds=info.frames / info.sample_rate if info.sample_rate else 0.0,
    )


def _first_frame(source: Source, info: StreamInfo) -> FormatError | None:
    try:
        check_first_frame(source, info)
    except FormatError as error:
        return error
    return None


def _listen(source: Source, info: StreamInfo, verdict: Verdict) -> None:
    def on_progress(done: int) -> None:
        verdict.asked.on_progress("audio", done, info.frames)

    verdict.judge(FlacSound(info, decode_flac(source, info, on_progress)))
