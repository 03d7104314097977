"""A valid master is accepted in every container."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pymediainfo import MediaInfo

from cli.demo.layout import BEDS
from cli.demo.master import Spec, Wave, master, write_master
from cli.demo.metadata import segment
from services.validator.inspection import inspect
from shared.problems import Severity
from tests.support.media import mp4
from tests.support.media.eac3 import joc_frames, joc_mp4

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.validator.profile import Profile

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
SAMPLE_VERDICTS = {
    # Dolby's own tool left the render modes and the downmix open, and it is loud: all warnings.
    "dolby_adm_sample_0.wav": {
        "binaural_unset",
        "loudness_over_margin",
        "trims_not_manual",
        "warp_mode_not_allowed",
    },
    "androidx_sample_eac3joc.mp4": set(),
    "androidx_sample_ac4_level4.mp4": set(),
    "androidx_sample_eac3.mp4": {"no_atmos"},
}
SMALL = Spec(objects=2, seconds=0.1)


def problems_of(wave: Wave, folder: Path, profile: Profile) -> list[str]:
    """Return what is found in a wave file, FFmpeg and MediaInfo not asked."""
    path = folder / "master.wav"
    wave.write(path)
    report = inspect(path, profile, opinions=False)
    assert report.accepted == (not any(p.severity is Severity.ERROR for p in report.problems))
    return [problem.code for problem in report.problems]


@pytest.mark.parametrize("form", ["RIFF", "RF64", "BW64"])
@pytest.mark.parametrize(("beds", "objects"), [(("7.1.2",), 4), ((), 3), (("7.1.2",), 0)])
def test_a_generated_master_is_accepted(
    form: str, beds: tuple[str, ...], objects: int, tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(form=form, beds=beds, objects=objects, seconds=1.0))

    report = inspect(path, atmos)

    assert report.accepted
    # MediaInfo takes the sizes of each BW64 file for truncation: told, and not decisive.
    told = ["second_opinion_differs"] if form == "BW64" else []
    assert [problem.code for problem in report.problems] == told
    assert report.format.container == form
    assert (report.format.bed_channels, report.format.objects) == (10 * len(beds), objects)
    assert (report.format.sample_rate_hertz, report.format.bit_depth) == (48_000, 24)
    assert report.format.duration_seconds == 1.0


@pytest.mark.parametrize("bed", BEDS)
@pytest.mark.parametrize("rate", [48_000, 96_000])
def test_every_bed_is_accepted(bed: str, rate: int, tmp_path: Path, atmos: Profile) -> None:
    wave = master(replace(SMALL, beds=(bed,), rate=rate))
    assert problems_of(wave, tmp_path, atmos) == []


@pytest.mark.parametrize("form", ["RIFF", "RF64", "BW64"])
@pytest.mark.parametrize("room", [28, 64])
@pytest.mark.parametrize("early", [(), ("axml",), ("dbmd", "chna", "axml")])
def test_every_container_is_accepted(
    form: str, room: int, early: tuple[str, ...], tmp_path: Path, atmos: Profile
) -> None:
    wave = master(replace(SMALL, form=form, room=room, early=early))
    assert problems_of(wave, tmp_path, atmos) == []


def one_byte_more(wave: Wave) -> Wave:
    return wave.with_chunk("axml", wave.chunks["axml"] + b"\n")


def bare(wave: Wave) -> Wave:
    text = wave.chunks["axml"]
    end = b"</audioFormatExtended>"
    root = text[text.index(b"<audioFormatExtended>") : text.index(end)] + end
    return wave.with_chunk("axml", root)


def in_upper_case(wave: Wave) -> Wave:
    """Write the hexadecimal digits of the identifiers in upper case, in axml only."""
    upper = re.sub(
        rb"(AO|AP|AC|AS|AT|ATU|AB)_[0-9a-f_]+",
        lambda found: found[0].upper(),
        wave.chunks["axml"],
    )
    assert b"AO_100B" in upper
    return wave.with_chunk("axml", upper)


def with_spare_slots(wave: Wave) -> Wave:
    return wave.with_chunk("chna", wave.chunks["chna"] + bytes(40 * 20))


def of_the_first_years(wave: Wave) -> Wave:
    """State types where later tools state none, and the start of objects by its older name."""
    kind = b'typeDefinition="Objects" typeLabel="0003" '
    text = wave.chunks["axml"].replace(b" start=", b" startTime=")
    text = text.replace(b'APR_1001" ', b'APR_1001" ' + kind)
    text = text.replace(b"<audioTrackUID ", b"<audioTrackUID " + kind)
    programme = text.index(b"startTime=")
    return wave.with_chunk("axml", text[:programme] + text[programme:].replace(b"Time=", b"=", 1))


def with_optional_elements(wave: Wave) -> Wave:
    screen = (
        b'<audioProgrammeReferenceScreen><screenWidth X="1.5"/></audioProgrammeReferenceScreen>'
    )
    loudness = (
        b"<loudnessMetadata><integratedLoudness>-18.5</integratedLoudness></loudnessMetadata>"
    )
    end = b"</audioProgramme>"
    text = wave.chunks["axml"].replace(end, loudness + screen + end)
    text = text.replace(b"<audioProgramme ", b'<audioProgramme audioProgrammeLanguage="en" ')
    text = text.replace(b"<audioObject ", b'<audioObject interact="0" disableDucking="1" ')
    return wave.with_chunk(
        "axml", text.replace(b"<audioPackFormat ", b'<audioPackFormat importance="10" ')
    )


def with_surrounds_in_the_corners(wave: Wave) -> Wave:
    corner = wave.chunks["axml"].replace(b">-0.3639700000<", b">-1.0000000000<")
    assert corner != wave.chunks["axml"]
    return wave.with_chunk("axml", corner)


def with_no_hour(wave: Wave) -> Wave:
    """Write a first frame of action that is not set as some tools do: without an hour."""
    text = wave.chunks["dbmd"]
    payload = bytearray(text[107:355])
    payload[112] = 0xFF
    return wave.with_chunk("dbmd", text[:104] + segment(9, bytes(payload)) + text[356:])


@pytest.mark.parametrize(
    "change",
    [
        one_byte_more,
        bare,
        in_upper_case,
        with_spare_slots,
        of_the_first_years,
        with_optional_elements,
        with_no_hour,
    ],
)
def test_every_way_to_write_it_is_accepted(
    change: Callable[[Wave], Wave], tmp_path: Path, atmos: Profile
) -> None:
    assert problems_of(change(master(SMALL)), tmp_path, atmos) == []


def test_surrounds_may_be_in_the_corners(tmp_path: Path, atmos: Profile) -> None:
    wave = with_surrounds_in_the_corners(master(replace(SMALL, beds=("5.1",))))
    assert problems_of(wave, tmp_path, atmos) == []


def test_the_last_pad_byte_may_be_missing(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    master(SMALL).with_chunk("junk", b"odd").write(path)
    path.write_bytes(path.read_bytes()[:-1])
    assert inspect(path, atmos, opinions=False).problems == ()


def test_ds64_may_leave_the_size_of_the_audio_to_its_chunk(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    wave = master(replace(SMALL, form="BW64"))
    wave.write(path)
    data = bytearray(path.read_bytes())
    data[28:36] = bytes(8)
    at = data.index(b"data") + 4
    data[at : at + 4] = struct.pack("<I", wave.data_size)
    path.write_bytes(data)
    assert inspect(path, atmos, opinions=False).problems == ()


@pytest.mark.parametrize(
    ("beds", "objects"),
    [(("2.0", "5.1"), 2), (("7.1.2", "7.1.2"), 3), (("5.0", "7.0", "3.0"), 0), (("2.0",), 118)],
)
def test_several_beds_are_accepted(
    beds: tuple[str, ...], objects: int, tmp_path: Path, atmos: Profile
) -> None:
    wave = master(Spec(beds=beds, objects=objects, seconds=0.05))
    assert problems_of(wave, tmp_path, atmos) == []


@pytest.mark.parametrize("beds", [(bed,) for bed in BEDS] + [("2.0", "5.1")])
def test_mediainfo_finds_the_generated_master_conforming(
    beds: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(beds=beds, seconds=2.0))

    track = MediaInfo.parse(path).audio_tracks[0].to_data()

    assert track["admprofile_format"] == "Dolby Atmos Master"
    assert not [name for name in track if name.startswith("conformance")]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"".join(joc_frames()), id="raw"),
        pytest.param(joc_mp4(), id="MP4"),
        pytest.param(
            mp4.fragmented(mp4.Track(frames=joc_frames(), config=mp4.dec3())), id="fragmented"
        ),
    ],
)
def test_joc_is_accepted(data: bytes, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.mp4"
    path.write_bytes(data)

    report = inspect(path, atmos)

    assert report.accepted
    assert report.format.codec == "E-AC-3 JOC"
    assert (report.format.bed_channels, report.format.objects) == (6, 10)
    assert report.format.duration_seconds == pytest.approx(len(joc_frames()) * 0.032)
    # FFmpeg decodes every frame, checksums on, and sees the flag. MediaInfo looks for the metadata
    # where Dolby's encoder puts it, and says that it does not see it: told, and not decisive.
    assert [(each.severity, each.location) for each in report.problems] == [
        (Severity.INFO, "MediaInfo")
    ]


@pytest.mark.parametrize("name", SAMPLE_VERDICTS if SAMPLES.is_dir() else ())
def test_a_real_file_gets_its_verdict(name: str, atmos: Profile) -> None:
    report = inspect(SAMPLES / name, atmos)

    expected = SAMPLE_VERDICTS[name]
    assert {problem.code for problem in report.problems} == expected
    assert report.accepted == ("no_atmos" not in expected)
