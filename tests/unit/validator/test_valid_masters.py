"""A valid master is accepted in every container."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pymediainfo import MediaInfo

from cli.demo.master import Spec, write_master
from services.validator.inspection import inspect
from shared.problems import Severity
from tests.support.media import ac4, mp4
from tests.support.media.broken import ac4_track, joc_mp4
from tests.support.media.eac3 import joc_frames

if TYPE_CHECKING:
    from services.validator.profile import Profile

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"
SAMPLE_VERDICTS = {
    "dolby_adm_sample_0.wav": None,
    "androidx_sample_eac3joc.mp4": None,
    "androidx_sample_ac4_level4.mp4": None,
    "androidx_sample_eac3.mp4": "no_atmos",
}


@pytest.mark.parametrize("form", ["RIFF", "RF64", "BW64"])
@pytest.mark.parametrize(("bed", "objects"), [(True, 4), (False, 3), (True, 0)])
def test_a_generated_master_is_accepted(
    *, form: str, bed: bool, objects: int, tmp_path: Path, atmos: Profile
) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(form=form, bed=bed, objects=objects, seconds=1.0))

    report = inspect(path, atmos)

    assert (report.accepted, report.problems) == (True, ())
    assert report.format.container == form
    assert (report.format.bed_channels, report.format.objects) == (10 * bed, objects)
    assert (report.format.sample_rate_hertz, report.format.bit_depth) == (48_000, 24)
    assert report.format.duration_seconds == 1.0


def test_mediainfo_finds_the_generated_master_conforming(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(seconds=2.0))

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


@pytest.mark.parametrize(
    "config", [ac4.dac4(), ac4.dac4(a_joc=False, indicator=True)], ids=["A-JOC", "indicator"]
)
def test_ac4_of_objects_is_accepted(config: bytes, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.mp4"
    path.write_bytes(ac4_track(config))

    report = inspect(path, atmos, opinions=False)

    assert (report.accepted, report.problems, report.format.codec) == (True, (), "AC-4")


@pytest.mark.parametrize("name", SAMPLE_VERDICTS if SAMPLES.is_dir() else ())
def test_a_real_file_gets_its_verdict(name: str, atmos: Profile) -> None:
    report = inspect(SAMPLES / name, atmos)

    expected = SAMPLE_VERDICTS[name]
    assert [problem.code for problem in report.problems] == ([expected] if expected else [])
    assert report.accepted == (expected is None)
