"""Wave files: the container, then the ADM BWF master in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import read_adm_master
from services.validator.formats.riff import Fmt, RiffFile, read_riff
from shared.problems import Format

if TYPE_CHECKING:
    from services.validator.formats.recognise import Recognised
    from services.validator.formats.source import Source
    from services.validator.verdict import Verdict

ADM_BWF = "adm_bwf"


def judge_wave(source: Source, recognised: Recognised, verdict: Verdict) -> None:
    """Judge a wave file."""
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
