"""What the fmt chunk may say about the samples of an ADM BWF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.validator.formats.adm_bwf import AdmMaster
from services.validator.rules.registry import Finding, rule
from shared.adm.riff import EXTENSIBLE
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_PROFILE = "Dolby Atmos Master ADM Profile v1.1"


def _choices(values: frozenset[int], unit: str) -> str:
    return " or ".join(str(value) for value in sorted(values)) + f" {unit}"


@rule(
    AdmMaster,
    "not_pcm",
    spec=_PROFILE,
    fix="Export the master as linear PCM.",
)
def not_pcm(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Samples are linear PCM."""
    if not master.fmt.is_pcm:
        yield Finding(
            detail="The samples are not linear PCM.",
            location=master.offset_of("fmt "),
            measured=f"format tag {master.fmt.tag:#06x}",
            allowed="0x0001",
        )


@rule(
    AdmMaster,
    "fmt_extensible",
    severity=Severity.WARNING,
    spec=_PROFILE,
    fix="Write the fmt chunk in its short form: format tag 1 and 16 bytes.",
)
def fmt_extensible(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Legal in a wave file, but not what Dolby's tools write."""
    if master.fmt.tag == EXTENSIBLE and master.fmt.is_pcm:
        yield Finding(
            detail="The fmt chunk uses the extensible form.",
            location=master.offset_of("fmt "),
            measured="0xfffe",
            allowed="0x0001",
        )


@rule(
    AdmMaster,
    "bit_depth_not_allowed",
    spec=_PROFILE,
    fix="Export the master with 24 bits.",
)
def bit_depth_not_allowed(master: AdmMaster, profile: Profile) -> Iterator[Finding]:
    """Samples have 24 bits."""
    if master.fmt.bit_depth not in profile.pcm.bit_depths:
        yield Finding(
            detail=f"The samples have {master.fmt.bit_depth} bits.",
            location=master.offset_of("fmt "),
            measured=f"{master.fmt.bit_depth} bits",
            allowed=_choices(profile.pcm.bit_depths, "bits"),
        )


@rule(
    AdmMaster,
    "sample_rate_not_allowed",
    spec=_PROFILE,
    fix="Export the master at 48 or 96 kHz.",
)
def sample_rate_not_allowed(master: AdmMaster, profile: Profile) -> Iterator[Finding]:
    """The rate is 48 or 96 kHz."""
    if master.fmt.sample_rate not in profile.pcm.sample_rates:
        yield Finding(
            detail=f"The sample rate is {master.fmt.sample_rate} Hz.",
            location=master.offset_of("fmt "),
            measured=f"{master.fmt.sample_rate} Hz",
            allowed=_choices(profile.pcm.sample_rates, "Hz"),
        )


@rule(
    AdmMaster,
    "too_many_channels",
    spec=_PROFILE,
    fix="Use at most 128 bed channels and objects in all.",
)
def too_many_channels(master: AdmMaster, profile: Profile) -> Iterator[Finding]:
    """A master has at most 128 tracks."""
    if master.fmt.channels > profile.pcm.max_channels:
        yield Finding(
            detail=f"The file has {master.fmt.channels} channels.",
            location=master.offset_of("fmt "),
            measured=master.fmt.channels,
            allowed=f"at most {profile.pcm.max_channels}",
        )


@rule(
    AdmMaster,
    "block_align_wrong",
    spec="ITU-R BS.2088 §5",
    fix="Export the master again: the block size is channels times 3 bytes.",
)
def block_align_wrong(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """One frame is one sample of each channel, in whole bytes."""
    right = master.fmt.channels * ((master.fmt.bit_depth + 7) // 8)
    if master.fmt.block_align != right:
        yield Finding(
            detail="The block size does not fit the channels and the bit depth.",
            location=master.offset_of("fmt "),
            measured=f"{master.fmt.block_align} bytes",
            allowed=f"{right} bytes",
        )


@rule(
    AdmMaster,
    "byte_rate_wrong",
    spec="ITU-R BS.2088 §5",
    fix="Export the master again: the byte rate is sample rate times block size.",
)
def byte_rate_wrong(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """Bytes per second are frames per second times bytes per frame."""
    right = (master.fmt.sample_rate * master.fmt.block_align) & 0xFFFFFFFF
    if master.fmt.byte_rate != right:
        yield Finding(
            detail="The byte rate does not fit the sample rate and the block size.",
            location=master.offset_of("fmt "),
            measured=f"{master.fmt.byte_rate} bytes/s",
            allowed=f"{right} bytes/s",
        )


@rule(
    AdmMaster,
    "data_not_whole_frames",
    spec="ITU-R BS.2088 §6",
    fix="Export the master again: its audio is damaged or cut.",
)
def data_not_whole_frames(master: AdmMaster, _: Profile) -> Iterator[Finding]:
    """The audio ends with a whole frame."""
    data = master.riff.chunk("data")
    frame = master.fmt.channels * ((master.fmt.bit_depth + 7) // 8)
    if data and frame and data.size % frame:
        yield Finding(
            detail="The audio ends in the middle of a frame.",
            location=master.offset_of("data"),
            measured=f"{data.size} bytes",
            allowed=f"a multiple of {frame} bytes",
        )
