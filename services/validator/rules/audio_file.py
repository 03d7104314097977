"""Stereo and mono masters: their numbers, and that a FLAC file is whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from services.validator.decoding import HASHED_DEPTHS
from services.validator.formats.flac import StreamInfo
from services.validator.master_types import MasterType
from services.validator.rules.registry import Finding, rule
from shared.adm.source import FormatError
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.decoding import Heard
    from services.validator.profile import Profile
    from shared.adm.riff import Fmt, RiffFile
    from shared.problems import Format

_RED_BOOK = "IEC 60908"
_WAVE = "ITU-R BS.2088 §5"
_FLAC = "RFC 9639"
_FORM = "Export the master as WAV or FLAC with the numbers of its declared type."
_ENCODE = "Encode the FLAC file again from the master, and transfer it whole."
_CD_RATE = 44_100
_RATES = (44_100, 48_000, 88_200, 96_000, 176_400, 192_000)
_UNKNOWN_MD5 = bytes(16)


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a master type asks of the sound: bits, hertz, channels."""

    bit_depths: tuple[int, ...]
    sample_rates: tuple[int, ...]
    channels: tuple[int, ...]


NUMBERS: dict[str, Numbers] = {
    MasterType.CD: Numbers((16,), (_CD_RATE,), (2,)),
    MasterType.HD: Numbers((24,), _RATES, (2,)),
    MasterType.AUDIO_TRACK: Numbers((16, 24), _RATES, (1, 2)),
}


@dataclass(frozen=True, slots=True)
class AudioFile:
    """What a WAV or FLAC file says of its sound, and what its master type asks."""

    format: Format
    pcm: bool
    allowed: Numbers


@dataclass(frozen=True, slots=True)
class WaveLayout:
    """A WAV file whose numbers are right."""

    riff: RiffFile
    fmt: Fmt

    @property
    def frame_bytes(self) -> int:
        """One sample of each channel, in whole bytes."""
        return self.fmt.channels * ((self.fmt.bit_depth + 7) // 8)


@dataclass(frozen=True, slots=True)
class FlacFile:
    """STREAMINFO or why it cannot be read, and what is wrong with the first frame."""

    info: StreamInfo | FormatError
    first_frame: FormatError | None = None


@dataclass(frozen=True, slots=True)
class FlacSound:
    """STREAMINFO beside what decoding gave."""

    info: StreamInfo
    heard: Heard


def _choices(values: tuple[int, ...], unit: str) -> str:
    return " or ".join(str(value) for value in values) + f" {unit}"


@rule(AudioFile, "audio_not_pcm", spec=_WAVE, fix="Export the master as linear PCM, or as FLAC.")
def audio_not_pcm(file: AudioFile, _: Profile) -> Iterator[Finding]:
    """The samples of a master are integers, without loss."""
    if not file.pcm:
        yield Finding(
            detail="The samples are not linear PCM.", measured=file.format.codec, allowed="PCM"
        )


@rule(AudioFile, "audio_bit_depth_not_allowed", spec=_RED_BOOK, fix=_FORM)
def audio_bit_depth_not_allowed(file: AudioFile, _: Profile) -> Iterator[Finding]:
    """A CD master has 16 bits, an HD master 24, an audio track either."""
    depth, allowed = file.format.bit_depth, file.allowed.bit_depths
    if depth not in allowed:
        yield Finding(
            detail=f"The samples have {depth} bits.",
            measured=f"{depth} bits",
            allowed=_choices(allowed, "bits"),
        )


@rule(AudioFile, "audio_sample_rate_not_allowed", spec=_RED_BOOK, fix=_FORM)
def audio_sample_rate_not_allowed(file: AudioFile, _: Profile) -> Iterator[Finding]:
    """A CD master has 44.1 kHz, others a rate from 44.1 to 192 kHz that studios use."""
    rate, allowed = file.format.sample_rate_hertz, file.allowed.sample_rates
    if rate not in allowed:
        yield Finding(
            detail=f"The sample rate is {rate} Hz.",
            measured=f"{rate} Hz",
            allowed=_choices(allowed, "Hz"),
        )


@rule(AudioFile, "audio_channels_not_allowed", spec=_RED_BOOK, fix=_FORM)
def audio_channels_not_allowed(file: AudioFile, _: Profile) -> Iterator[Finding]:
    """CD and HD masters are stereo, an audio track may be mono."""
    channels, allowed = file.format.channels, file.allowed.channels
    if channels not in allowed:
        yield Finding(
            detail=f"The number of channels is {channels}.",
            measured=channels,
            allowed=_choices(allowed, "channels"),
        )


@rule(
    WaveLayout,
    "audio_block_align_wrong",
    spec=_WAVE,
    fix="Export the master again: the block size is channels times bytes per sample.",
)
def audio_block_align_wrong(wave: WaveLayout, _: Profile) -> Iterator[Finding]:
    """One frame is one sample of each channel, in whole bytes."""
    if wave.fmt.block_align != wave.frame_bytes:
        yield Finding(
            detail="The block size does not fit the channels and the bit depth.",
            measured=f"{wave.fmt.block_align} bytes",
            allowed=f"{wave.frame_bytes} bytes",
        )


@rule(
    WaveLayout,
    "audio_not_whole_frames",
    spec=_WAVE,
    fix="Export the master again: its audio is damaged or cut.",
)
def audio_not_whole_frames(wave: WaveLayout, _: Profile) -> Iterator[Finding]:
    """The audio ends with a whole frame."""
    data = wave.riff.chunk("data")
    if data and data.size % wave.frame_bytes:
        yield Finding(
            detail="The audio ends in the middle of a frame.",
            location=f"data chunk, byte {data.offset}",
            measured=f"{data.size} bytes",
            allowed=f"a multiple of {wave.frame_bytes} bytes",
        )


@rule(FlacFile, "flac_malformed", spec=f"{_FLAC} §8", fix=_ENCODE)
def flac_malformed(file: FlacFile, _: Profile) -> Iterator[Finding]:
    """The metadata start with STREAMINFO and end where the audio starts."""
    if isinstance(file.info, FormatError):
        yield Finding(detail=f"{file.info.detail}.", location=f"byte {file.info.offset}")


@rule(FlacFile, "flac_first_frame_wrong", spec=f"{_FLAC} §9.1.8, §9.3", fix=_ENCODE)
def flac_first_frame_wrong(file: FlacFile, _: Profile) -> Iterator[Finding]:
    """The first frame is where the metadata end, and both of its checksums hold."""
    if file.first_frame is not None:
        detail, offset = file.first_frame.detail, file.first_frame.offset
        yield Finding(detail=f"{detail}.", location=f"byte {offset}")


@rule(
    FlacFile,
    "flac_md5_missing",
    severity=Severity.WARNING,
    spec=f"{_FLAC} §8.2",
    fix="Encode with a tool that writes the MD5 of the samples, so that damage can be found.",
)
def flac_md5_missing(file: FlacFile, _: Profile) -> Iterator[Finding]:
    """STREAMINFO does not say the MD5 of the samples: nobody can tell whether they are whole."""
    if isinstance(file.info, StreamInfo) and file.info.md5 == _UNKNOWN_MD5:
        yield Finding(detail="STREAMINFO has no MD5.", measured="zeros", allowed="an MD5")


@rule(FlacSound, "flac_not_decodable", spec=_FLAC, fix=_ENCODE)
def flac_not_decodable(sound: FlacSound, _: Profile) -> Iterator[Finding]:
    """Every frame decodes, with its checksum."""
    if sound.heard.failed or sound.heard.stopped:
        yield Finding(
            detail="Not all frames decode.",
            measured=sound.heard.stopped or f"{sound.heard.failed} frames fail",
            allowed="all frames decode",
        )


def _whole(sound: FlacSound) -> bool:
    return not (sound.heard.failed or sound.heard.stopped)


@rule(FlacSound, "flac_length_wrong", spec=f"{_FLAC} §8.2", fix=_ENCODE)
def flac_length_wrong(sound: FlacSound, _: Profile) -> Iterator[Finding]:
    """The file holds as many samples as STREAMINFO says, if it says so."""
    if _whole(sound) and sound.info.frames not in (0, sound.heard.frames):
        yield Finding(
            detail="The audio is not as long as STREAMINFO says.",
            measured=f"{sound.heard.frames} samples",
            allowed=f"{sound.info.frames} samples",
        )


@rule(FlacSound, "flac_md5_wrong", spec=f"{_FLAC} §8.2", fix=_ENCODE)
def flac_md5_wrong(sound: FlacSound, _: Profile) -> Iterator[Finding]:
    """The samples have the MD5 that STREAMINFO says."""
    info, heard = sound.info, sound.heard
    comparable = info.bit_depth in HASHED_DEPTHS and info.md5 != _UNKNOWN_MD5
    complete = _whole(sound) and info.frames in (0, heard.frames)
    if comparable and complete and heard.md5 != info.md5:
        yield Finding(
            detail="The samples are not those that were encoded.",
            measured=heard.md5.hex(),
            allowed=info.md5.hex(),
        )
