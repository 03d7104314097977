"""The formats that can be published, as data: container, coding, rates, depths, and their names.

Every one of them carries one channel or two: downmix.py says how a master with more becomes stereo.
`aac` and `m4a` are the same, and so are `ogg` and `opus` but for the name of the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Options: TypeAlias = tuple[tuple[str, str], ...]

# Chunk sizes of AIFF 1.3 are signed; with them goes what the header takes.
_AIFF_BYTES = (1 << 31) - 1
_UNBOUNDED = 1 << 62
_MPEG_RATES = (32_000, 44_100, 48_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """One of FFmpeg's encoders and the samples it takes.

    ``depth`` is how many bits of each sample are kept, 0 where the coding loses some anyhow.
    """

    codec: str
    sample_format: str
    depth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format by its public ``name``; ``container`` is FFmpeg's muxer.

    ``codings`` go from the shallowest to the deepest. ``rates`` are hertz, ascending; empty where
    any will do. ``bit_rate`` is bits a second, 0 where the coding decides. ``max_bytes`` is what
    the container can address.
    """

    name: str
    suffix: str
    media_type: str
    container: str
    codings: tuple[Coding, ...]
    rates: tuple[int, ...] = ()
    bit_rate: int = 0
    codec_options: Options = ()
    container_options: Options = ()
    max_bytes: int = _UNBOUNDED

    def rate_for(self, rate: int) -> int:
        """Return the rate that a master of this one is published at.

        The highest that divides it evenly, else the lowest that is a multiple of it, else the
        nearest: the less is made up between the samples, the better.
        """
        if not self.rates or rate in self.rates:
            return rate
        dividing = [each for each in self.rates if rate % each == 0]
        multiple = [each for each in self.rates if each % rate == 0]
        if dividing:
            return dividing[-1]
        return multiple[0] if multiple else min(self.rates, key=lambda each: abs(each - rate))

    def coding_for(self, depth: int) -> Coding:
        """Return the shallowest coding that keeps so many bits, or the deepest there is."""
        return next((each for each in self.codings if each.depth >= depth), self.codings[-1])


def _pcm(byte_order: str) -> tuple[Coding, ...]:
    return (
        Coding(codec=f"pcm_s16{byte_order}", sample_format="s16", depth=16),
        Coding(codec=f"pcm_s24{byte_order}", sample_format="s32", depth=24),
    )


def _mp3(name: str, bit_rate: int, options: Options) -> Format:
    return Format(
        name=name,
        suffix=".mp3",
        media_type="audio/mpeg",
        container="mp3",
        codings=(Coding(codec="libmp3lame", sample_format="fltp"),),
        rates=_MPEG_RATES,
        bit_rate=bit_rate,
        codec_options=options,
        # Version 2.3 is what every player reads.
        container_options=(("id3v2_version", "3"),),
    )


def _aac(name: str) -> Format:
    return Format(
        name=name,
        suffix=".m4a",
        media_type="audio/mp4",
        # FFmpeg's own muxer for M4A refuses covers; this one is the same but for the brand.
        container="mp4",
        codings=(Coding(codec="aac", sample_format="fltp"),),
        rates=_MPEG_RATES,
        bit_rate=256_000,
        container_options=(("brand", "M4A "),),
    )


def _opus(name: str) -> Format:
    return Format(
        name=name,
        suffix=f".{name}",
        media_type="audio/ogg; codecs=opus",
        container="ogg",
        codings=(Coding(codec="libopus", sample_format="flt"),),
        rates=(48_000,),
        bit_rate=192_000,
        # Its stream's serial number is random otherwise: the same master gives the same bytes.
        container_options=(("fflags", "+bitexact"),),
    )


_ALL: Final = (
    _mp3("mp3", 320_000, ()),
    # LAME's V0: constant quality, the bit rate follows the sound.
    _mp3("mp3-vbr", 0, (("flags", "+qscale"), ("global_quality", "0"))),
    Format(
        name="aiff",
        suffix=".aiff",
        media_type="audio/aiff",
        container="aiff",
        codings=_pcm("be"),
        max_bytes=_AIFF_BYTES,
    ),
    Format(
        name="wav",
        suffix=".wav",
        media_type="audio/wav",
        container="wav",
        codings=_pcm("le"),
        # RF64 (EBU Tech 3306) from four gigabytes on, plain below.
        container_options=(("rf64", "auto"),),
    ),
    Format(
        name="flac",
        suffix=".flac",
        media_type="audio/flac",
        container="flac",
        codings=(
            Coding(codec="flac", sample_format="s16", depth=16),
            Coding(codec="flac", sample_format="s32", depth=24),
        ),
    ),
    _aac("m4a"),
    _aac("aac"),
    # FFmpeg has no Vorbis encoder worth publishing: what asks for Ogg gets Opus in it (RFC 7845).
    _opus("ogg"),
    _opus("opus"),
)
FORMATS: Final[Mapping[str, Format]] = MappingProxyType({each.name: each for each in _ALL})
